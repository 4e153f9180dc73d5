# Forks, on every interpreter (tests/run_interpreters).
EXTRA_DIST += tests/fork/forking.py tests/fork/test_limits.py tests/fork/test_storm.py tests/fork/test_ways.py
