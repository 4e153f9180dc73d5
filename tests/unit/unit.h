/*
 * unit.h - the main() every unit test shares: UNIT_TESTS("rng", test_a, test_b).
 */
#ifndef SNECK_TESTS_UNIT_H
#define SNECK_TESTS_UNIT_H

#include <check.h>
#include <stdlib.h>

/*
 * A forked child has fewer threads than its parent, and may start one: the thread sanitizer
 * is not to end it for either.
 */
#if defined(__SANITIZE_THREAD__)
const char *__tsan_default_options(void);
__attribute__((visibility("default"))) const char *__tsan_default_options(void)
{
	return "die_after_fork=0:report_thread_leaks=0";
}
#endif

static inline int unit_run(const char *name, const TTest *const *tests, size_t n)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	tcase_set_timeout(tcase, 60);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define UNIT_TESTS(name, ...) \
	int main(void) \
	{ \
		const TTest *const tests[] = {__VA_ARGS__}; \
		return unit_run(name, tests, sizeof(tests) / sizeof(*tests)); \
	}

#endif
