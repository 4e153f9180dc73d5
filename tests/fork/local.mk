# Forks, on every interpreter (tests/run_interpreters).
EXTRA_DIST += \
	tests/fork/forking.py \
	tests/fork/test_fork_limits.py \
	tests/fork/test_fork_storm.py \
	tests/fork/test_fork_warning.py \
	tests/fork/test_fork_ways.py \
	tests/fork/widen.c

# For the tests alone; a module of no one's, so without libtool.
tests/fork/widen.so: tests/fork/widen.c
	$(AM_V_CC)$(MKDIR_P) $(@D) && $(CC) -O2 -g -Wall -Wextra -Werror -fPIC -shared -pthread -o $@ $(srcdir)/tests/fork/widen.c
check_DATA = tests/fork/widen.so
CLEANFILES += tests/fork/widen.so
