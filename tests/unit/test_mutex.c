/*
 * test_mutex.c - exclusion, try-locks, and the order of ranks in debug builds.
 */
#include <config.h>

#include "runtime/mutex.h"

#include <pthread.h>
#include <signal.h>

#include "unit.h"

static struct mutex lock = MUTEX_INITIALIZER(LOCK_RANK_CACHE);
static struct mutex later = MUTEX_INITIALIZER(LOCK_RANK_PROFILE);
static long sum;

static void *add(void *unused)
{
	(void)unused;
	for (int i = 0; i < 100000; i++) {
		mutex_lock(&lock);
		sum++;
		mutex_unlock(&lock);
	}
	return NULL;
}

START_TEST(additions_of_four_threads_add_up)
{
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, add, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(sum, 400000);
}
END_TEST

static void *try_it(void *result)
{
	*(bool *)result = mutex_lock_within(&lock, 0);
	if (*(bool *)result)
		mutex_unlock(&lock);
	return NULL;
}

static bool another_thread_gets_it(void)
{
	pthread_t thread;
	bool got_it;
	ck_assert_int_eq(pthread_create(&thread, NULL, try_it, &got_it), 0);
	pthread_join(thread, NULL);
	return got_it;
}

START_TEST(a_try_lock_gets_a_free_one_alone)
{
	mutex_lock(&lock);
	ck_assert(!another_thread_gets_it());
	mutex_unlock(&lock);
	ck_assert(another_thread_gets_it());
}
END_TEST

START_TEST(locks_nest_in_the_order_of_their_ranks)
{
	mutex_lock(&lock);
	mutex_lock(&later);
	mutex_unlock(&later);
	mutex_unlock(&lock);
}
END_TEST

#ifdef SNECK_DEBUG
START_TEST(the_other_order_aborts_in_a_debug_build)
{
	mutex_lock(&later);
	mutex_lock(&lock);
}
END_TEST
#endif

int main(void)
{
	Suite *suite = suite_create("mutex");
	TCase *tcase = tcase_create("mutex");
	tcase_add_test(tcase, additions_of_four_threads_add_up);
	tcase_add_test(tcase, a_try_lock_gets_a_free_one_alone);
	tcase_add_test(tcase, locks_nest_in_the_order_of_their_ranks);
#ifdef SNECK_DEBUG
	tcase_add_test_raise_signal(tcase, the_other_order_aborts_in_a_debug_build, SIGABRT);
#endif
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
