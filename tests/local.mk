# How a test or a generator starts Python: in a sanitizer build its runtime must come first.
run_python = PYTHONPATH=$(abs_top_builddir)/stage LD_PRELOAD="$(SANITIZER_PRELOAD)" ASAN_OPTIONS=detect_leaks=0

include $(srcdir)/tests/unit/local.mk

# The Python tests, on every interpreter found: one entry, its own report in the log.
TESTS += tests/run_interpreters
AM_TESTS_ENVIRONMENT = \
	SNECK_STAGE='$(abs_top_builddir)/stage'; export SNECK_STAGE; \
	SANITIZER_PRELOAD='$(SANITIZER_PRELOAD)'; export SANITIZER_PRELOAD;
tests/run_interpreters.log: stage/stamp
EXTRA_DIST += \
	tests/run_interpreters tools/interpreters tools/enter-root tools/pythons.py \
	tests/python/pprof_oracle.py tests/python/support.py \
	tests/python/test_truth.py tests/python/test_native.py \
	tests/python/test_exit.py tests/python/test_ddtrace_mover.py
