# Unit tests with check: tests/unit/test_x.c for src/*/x.c.
if HAVE_CHECK
unit_tests = \
	tests/unit/test_py_frames \
	tests/unit/test_py_offsets \
	tests/unit/test_rng \
	tests/unit/test_safe_read
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)
endif
unit_cflags = $(AM_CFLAGS) $(CHECK_CFLAGS)
unit_libs = libsneck_runtime.la $(CHECK_LIBS)

tests_unit_test_rng_CFLAGS = $(unit_cflags)
tests_unit_test_rng_LDADD = $(unit_libs)

tests_unit_test_py_frames_CFLAGS = $(unit_cflags)
tests_unit_test_py_frames_LDADD = $(unit_libs)

tests_unit_test_py_offsets_CFLAGS = $(unit_cflags)
tests_unit_test_py_offsets_LDADD = $(unit_libs)

tests_unit_test_safe_read_CFLAGS = $(unit_cflags)
tests_unit_test_safe_read_LDADD = $(unit_libs)
