# Unit tests with check: tests/unit/test_x.c for src/*/x.c, one line each.
if HAVE_CHECK
unit_tests = \
	tests/unit/test_histogram \
	tests/unit/test_log \
	tests/unit/test_options \
	tests/unit/test_py_frames \
	tests/unit/test_py_offsets \
	tests/unit/test_rng \
	tests/unit/test_safe_read \
	tests/unit/test_stats
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)
endif
EXTRA_DIST += tests/unit/unit.h

# What every unit test is compiled with and linked to.  Of the collector, a test gets the
# modules that need no interpreter.
AM_CFLAGS += $(CHECK_CFLAGS)
LDADD = libsneck_collector.la libsneck_upload.la libsneck_runtime.la \
	$(CHECK_LIBS) $(ZLIB_LIBS) $(PROTOBUF_C_LIBS) $(JANSSON_LIBS)
