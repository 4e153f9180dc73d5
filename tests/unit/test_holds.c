/*
 * test_holds.c - holds in progress: found by lock and thread, bounded, dropped with the lock.
 */
#include <config.h>

#include "collector/holds.h"

#include <limits.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/error.h"
#include "runtime/stats.h"
#include "runtime/threads.h"
#include "unit.h"

static const uintptr_t lock = 0x7f0000001230;

static int begin_of(unsigned most, uintptr_t key, uint64_t thread, int64_t at)
{
	return holds_begin(&(struct hold){.key = key, .thread = thread, .acquired_ns = at, .weight = 2}, most);
}

static void begin(uintptr_t key, uint64_t thread, int64_t at)
{
	ck_assert_int_eq(begin_of(UINT_MAX, key, thread, at), OK);
}

START_TEST(a_hold_is_found_and_ended_once)
{
	struct hold hold;
	ck_assert(!holds_maybe((void *)lock));
	begin(lock, 1, 10);
	ck_assert(holds_maybe((void *)lock));
	ck_assert(!holds_end(lock, 2, false, &hold));
	ck_assert(holds_end(lock, 1, false, &hold));
	ck_assert_int_eq(hold.acquired_ns, 10);
	ck_assert_double_eq(hold.weight, 2);
	ck_assert(!holds_end(lock, 1, true, &hold));
	ck_assert(!holds_maybe((void *)lock));
}
END_TEST

START_TEST(each_holder_ends_its_own_and_a_stranger_the_oldest)
{
	struct hold hold;
	begin(lock | 1, 1, 10);
	begin(lock | 1, 2, 20);
	begin(lock | 1, 3, 30);
	ck_assert(holds_end(lock | 1, 2, true, &hold));
	ck_assert_int_eq(hold.acquired_ns, 20);
	ck_assert(!holds_end(lock | 1, 9, false, &hold));
	ck_assert(holds_end(lock | 1, 9, true, &hold));
	ck_assert_int_eq(hold.acquired_ns, 10);
	ck_assert_uint_eq(holds_count(), 1);
	holds_clear();
	ck_assert_uint_eq(holds_count(), 0);
	ck_assert(!holds_maybe((void *)lock));
}
END_TEST

START_TEST(a_dead_lock_takes_its_holds_of_every_tag_along)
{
	struct hold hold;
	begin(lock, 1, 10);
	begin(lock | 1, 1, 11);
	begin(lock + 16, 1, 12);
	ck_assert_uint_eq(holds_drop((void *)lock), 2);
	ck_assert(!holds_end(lock, 0, true, &hold));
	ck_assert(holds_end(lock + 16, 0, true, &hold));
	ck_assert_uint_eq(holds_count(), 0);
}
END_TEST

START_TEST(a_full_table_refuses)
{
	int error = OK;
	uintptr_t n = 0;
	while (!error && n < 1000000)
		error = holds_begin(&(struct hold){.key = lock + 16 * n++, .thread = 1}, UINT_MAX);
	ck_assert_int_eq(error, ERR_LIMIT);
	holds_clear();
	begin(lock, 1, 1);
	holds_clear();
}
END_TEST

START_TEST(a_table_full_of_holds_in_one_place_of_the_filter_is_seen)
{
	const uintptr_t first = 0x10, stride = (uintptr_t)1 << 28;
	uintptr_t n = 0;
	ck_assert_uint_eq(hold_filter_index(first), hold_filter_index(first + stride));
	while (begin_of(1, first + n * stride, 1, 1) == OK)
		n++;
	ck_assert_uint_eq(holds_count(), n);
	ck_assert(holds_maybe((void *)first));
	holds_clear();
	ck_assert(!holds_maybe((void *)first));
}
END_TEST

START_TEST(a_forked_child_keeps_its_own_threads_holds)
{
	struct hold hold;
	ck_assert_int_eq(threads_init(), OK);
	uint64_t self = thread_self_wait()->serial;
	begin(lock, self, 10);
	begin(lock + 16, self + 1, 11);
	holds_prefork();
	pid_t child = fork();
	if (!child) {
		holds_postfork_child();
		_exit(!(holds_count() == 1 && holds_end(lock, 0, true, &hold) && hold.acquired_ns == 10));
	}
	holds_postfork_parent();
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(holds_count(), 2);
	holds_clear();
}
END_TEST

START_TEST(the_oldest_gives_way_where_there_are_too_many_of_one_lock)
{
	struct hold hold;
	uint64_t before[STATS], after[STATS];
	stats_read(before);
	for (int64_t at = 1; at <= 4; at++)
		ck_assert_int_eq(begin_of(3, lock | 1, 1, at), OK);
	ck_assert_int_eq(begin_of(1, lock, 1, 9), OK);
	ck_assert_int_eq(begin_of(1, lock, 2, 10), OK);
	ck_assert_uint_eq(holds_count(), 4);
	stats_read(after);
	ck_assert_uint_eq(after[STAT_holds_lost] - before[STAT_holds_lost], 2);
	ck_assert(holds_end(lock | 1, 1, false, &hold));
	ck_assert_int_eq(hold.acquired_ns, 2);
	ck_assert(holds_end(lock, 0, true, &hold));
	ck_assert_int_eq(hold.acquired_ns, 10);
	holds_clear();
}
END_TEST

START_TEST(tags_are_the_threads_own_but_a_locks)
{
	const void *at = (void *)lock;
	struct hold hold;
	begin(lock, 1, 10);
	begin(hold_key(at, HOLD_OF_SEMAPHORE, 2), 2, 20);
	ck_assert_uint_eq(holds_tags(at, 2), 1u << HOLD_OF_LOCK | 1u << HOLD_OF_SEMAPHORE);
	ck_assert_uint_eq(holds_tags(at, 3), 1u << HOLD_OF_LOCK);
	ck_assert_uint_eq(holds_tags(at, 0), 1u << HOLD_OF_LOCK);
	ck_assert(!holds_end(hold_key(at, HOLD_OF_SEMAPHORE, 3), 3, false, &hold));
	ck_assert(holds_maybe(at));
	ck_assert_uint_eq(holds_drop(at), 2);
	ck_assert(!holds_maybe(at));
}
END_TEST

START_TEST(a_full_table_forgets_what_was_left_behind)
{
	uint64_t before[STATS], after[STATS];
	stats_read(before);
	for (uint64_t thread = 1; thread <= 65534; thread++)
		begin(hold_key((void *)lock, HOLD_OF_SEMAPHORE, thread), thread, 1);
	begin(lock, 1, 10);
	ck_assert_uint_eq(holds_count(), 65535);
	begin(lock + 16, 1, 11);
	ck_assert_uint_eq(holds_count(), 2);
	stats_read(after);
	ck_assert_uint_eq(after[STAT_holds_lost] - before[STAT_holds_lost], 65534);
	holds_clear();
}
END_TEST

UNIT_TESTS("holds", a_hold_is_found_and_ended_once, each_holder_ends_its_own_and_a_stranger_the_oldest,
	   a_dead_lock_takes_its_holds_of_every_tag_along, a_full_table_refuses,
	   the_oldest_gives_way_where_there_are_too_many_of_one_lock, tags_are_the_threads_own_but_a_locks,
	   a_full_table_forgets_what_was_left_behind, a_table_full_of_holds_in_one_place_of_the_filter_is_seen,
	   a_forked_child_keeps_its_own_threads_holds)
