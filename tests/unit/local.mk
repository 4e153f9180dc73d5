# Unit tests with check: tests/unit/test_x.c for src/*/x.c.
if HAVE_CHECK
unit_tests = \
	tests/unit/test_histogram \
	tests/unit/test_log \
	tests/unit/test_options \
	tests/unit/test_rng \
	tests/unit/test_stats
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)
endif
unit_cflags = $(AM_CFLAGS) $(CHECK_CFLAGS)
unit_libs = libsneck_runtime.la $(CHECK_LIBS)

tests_unit_test_rng_CFLAGS = $(unit_cflags)
tests_unit_test_rng_LDADD = $(unit_libs)
tests_unit_test_histogram_CFLAGS = $(unit_cflags)
tests_unit_test_histogram_LDADD = $(unit_libs)
tests_unit_test_log_CFLAGS = $(unit_cflags)
tests_unit_test_log_LDADD = $(unit_libs)
tests_unit_test_options_CFLAGS = $(unit_cflags)
tests_unit_test_options_LDADD = $(unit_libs)
tests_unit_test_stats_CFLAGS = $(unit_cflags)
tests_unit_test_stats_LDADD = $(unit_libs)
