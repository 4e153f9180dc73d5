# How a test or a generator starts Python: in a sanitizer build its runtime must come first.
run_python = PYTHONPATH=$(abs_top_builddir)/stage LD_PRELOAD="$(SANITIZER_PRELOAD)" ASAN_OPTIONS=detect_leaks=0

include $(srcdir)/tests/unit/local.mk
include $(srcdir)/tests/upload/local.mk
include $(srcdir)/tests/fork/local.mk

# The Python tests, on every interpreter found: one entry, its own report in the log.
# SNECK_INTERPRETERS=3.11,3.15 and SNECK_ONLY=TEXT choose some.
TESTS += tests/run_interpreters
AM_TESTS_ENVIRONMENT = \
	SNECK_STAGE='$(abs_top_builddir)/stage'; export SNECK_STAGE; \
	SANITIZER_PRELOAD='$(SANITIZER_PRELOAD)'; export SANITIZER_PRELOAD;
EXTRA_DIST += \
	examples/account.py examples/contended.py examples/rlock_heavy_contention.py examples/rlock_simple_demo.py \
	examples/rlock_stress_test.py examples/run_rlock_demos.sh \
	tests/python/test_c_interface.py tests/c_interface/probe.c \
	tests/run_interpreters \
	tests/long/cpython_suite tests/long/suite_runner.py \
	tests/python/pprof_oracle.py tests/python/support.py \
	tests/python/test_names_sampled.py tests/python/test_signals.py tests/python/test_truth.py tests/python/test_native.py \
	tests/python/test_entries.py tests/python/test_exit.py tests/python/test_ddtrace_mover.py \
	tests/python/test_run_interpreters.py tests/python/test_short_threads.py \
	tools/count-tests tools/enter-root tools/interpreters tools/pythons.py

include $(srcdir)/tests/servers/local.mk
include $(srcdir)/tests/stress/local.mk

# The unit tests alone, and what takes long.
check-unit: all
	$(MAKE) $(AM_MAKEFLAGS) check TESTS='$(unit_tests)'
check-long: all $(check_DATA)
	SNECK_STAGE='$(abs_top_builddir)/stage' $(PYTHON) $(srcdir)/tests/long/cpython_suite
	SNECK_STAGE='$(abs_top_builddir)/stage' SNECK_LONG=1 $(PYTHON) $(srcdir)/tests/run_interpreters --only native
	SNECK_STAGE='$(abs_top_builddir)/stage' SNECK_LONG=1 $(PYTHON) $(srcdir)/tests/run_interpreters --only test_fork
	SNECK_STAGE='$(abs_top_builddir)/stage' SNECK_LONG=1 $(PYTHON) $(srcdir)/tests/run_interpreters --only failing
	SNECK_STAGE='$(abs_top_builddir)/stage' SNECK_LONG=1 $(PYTHON) $(srcdir)/tests/run_interpreters --only production
	SNECK_STAGE='$(abs_top_builddir)/stage' SNECK_LONG=1 \
		SNECK_SERVERS_PYTHON='$(abs_top_builddir)/venv-servers/bin/python' $(srcdir)/tests/servers/run || [ $$? = 77 ]
.PHONY: check-unit check-long
EXTRA_DIST += tests/python/test_examples.py tests/python/test_frames.py tests/python/test_semaphores.py tests/python/test_slow_frames.py
EXTRA_DIST += tests/python/test_names.py tests/python/names_table.py
