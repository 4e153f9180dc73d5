# How a test or a generator starts Python: in a sanitizer build its runtime must come first.
run_python = PYTHONPATH=$(abs_top_builddir)/stage LD_PRELOAD="$(SANITIZER_PRELOAD)" ASAN_OPTIONS=detect_leaks=0

include $(srcdir)/tests/unit/local.mk
include $(srcdir)/tests/upload/local.mk

EXTRA_DIST += tests/python/test_frames.py
