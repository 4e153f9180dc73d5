# Forks, on every interpreter (tests/run_interpreters).
EXTRA_DIST += \
	tests/fork/forking.py \
	tests/fork/test_fork_limits.py \
	tests/fork/test_fork_storm.py \
	tests/fork/test_fork_warning.py \
	tests/fork/test_fork_ways.py
