/*
 * test_stats.c - counters add up over threads and start anew in a child.
 */
#include <config.h>

#include "runtime/stats.h"
#include "unit.h"

#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void *count_often(void *unused)
{
	(void)unused;
	for (int i = 0; i < 100000; i++)
		stats_count(STAT_samples);
	return NULL;
}

START_TEST(stats_lose_no_count_under_threads)
{
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, count_often, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	uint64_t values[STATS];
	stats_read(values);
	ck_assert_uint_eq(values[STAT_samples], 400000);
}
END_TEST

START_TEST(stats_add_to_their_own_row_alone)
{
	for (enum stat_id stat = 0; stat < STATS; stat++)
		stats_add(stat, stat + 1);
	uint64_t values[STATS];
	stats_read(values);
	for (enum stat_id stat = 0; stat < STATS; stat++)
		ck_assert_uint_eq(values[stat], stat + 1);
}
END_TEST

START_TEST(stats_start_from_zero_in_a_child)
{
	stats_add(STAT_contended, 5);
	pid_t child = fork();
	if (child == 0) {
		uint64_t values[STATS];
		stats_postfork_child();
		stats_count(STAT_contended);
		stats_read(values);
		_exit((int)values[STAT_contended]);
	}
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(WEXITSTATUS(status), 1);
	uint64_t values[STATS];
	stats_read(values);
	ck_assert_uint_eq(values[STAT_contended], 5);
}
END_TEST

static uint64_t seven(void)
{
	return 7;
}

START_TEST(what_is_counted_elsewhere_is_added)
{
	uint64_t values[STATS];
	stats_add(STAT_contended, 2);
	stats_set_source(STAT_contended, seven);
	stats_read(values);
	ck_assert_uint_eq(values[STAT_contended], 9);
	stats_set_source(STAT_contended, NULL);
}
END_TEST

START_TEST(stats_names_are_unlike_each_other)
{
	for (enum stat_id a = 0; a < STATS; a++)
		for (enum stat_id b = a + 1; b < STATS; b++)
			ck_assert_str_ne(stat_infos[a].name, stat_infos[b].name);
}
END_TEST

UNIT_TESTS("stats", stats_lose_no_count_under_threads, stats_add_to_their_own_row_alone, stats_start_from_zero_in_a_child,
	   what_is_counted_elsewhere_is_added, stats_names_are_unlike_each_other)
