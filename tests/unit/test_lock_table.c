/*
 * test_lock_table.c - every lock put is found, with its class, at no more than 32 bytes each.
 */
#include <config.h>

#include "collector/lock_table.h"

#include <pthread.h>

#include "runtime/error.h"
#include "unit.h"

/* Addresses as an allocator gives them: 16 or 48 bytes apart, in runs. */
static const void *address(size_t i, size_t step)
{
	return (const void *)(uintptr_t)(0x7f1200000000 + i * step + i / 4096 * 65536);
}

START_TEST(what_was_put_is_found_until_it_is_removed)
{
	const size_t n = 100000;
	for (size_t i = 0; i < n; i++)
		ck_assert_int_eq(lock_table_put(address(i, 48), 1 + i % 1000), OK);
	for (size_t i = 0; i < n; i += 2)
		ck_assert_uint_eq(lock_table_remove(address(i, 48)), 1 + i % 1000);
	for (size_t i = 0; i < n; i++)
		ck_assert_uint_eq(lock_table_get(address(i, 48)), i % 2 ? 1 + i % 1000 : LOCK_CLASS_NONE);
	lock_table_clear();
	for (size_t i = 0; i < n; i++)
		ck_assert_uint_eq(lock_table_get(address(i, 48)), LOCK_CLASS_NONE);
}
END_TEST

START_TEST(a_lock_that_is_known_may_get_another_class)
{
	enum { APART = LOCK_TABLE_FIRST * 16, N = 100 };	/* all but one stand in other levels than the first */
	for (size_t i = 0; i < N; i++)
		ck_assert_int_eq(lock_table_put(address(i, APART), 1 + i), OK);
	for (size_t i = 0; i < N; i += 2)
		lock_table_replace(address(i, APART), 1001 + i);
	lock_table_replace(address(1, APART), LOCK_CLASS_ID_MAX + 1);
	lock_table_replace(address(N, APART), 5);
	for (size_t i = 0; i < N; i++)
		ck_assert_uint_eq(lock_table_get(address(i, APART)), i % 2 ? 1 + i : 1001 + i);
	ck_assert_uint_eq(lock_table_get(address(N, APART)), LOCK_CLASS_NONE);
}
END_TEST

START_TEST(a_lock_takes_32_bytes_at_most)
{
	size_t n = 0;
	const size_t checkpoints[] = {10000, 30000, 100000, 200000, 300000, 500000, 700000, 1000000};
	for (size_t c = 0; c < sizeof(checkpoints) / sizeof(*checkpoints); c++) {
		for (; n < checkpoints[c]; n++)
			ck_assert_int_eq(lock_table_put(address(n, 32), 1), OK);
		ck_assert_uint_le(lock_table_bytes(), 32 * n);
	}
}
END_TEST

START_TEST(places_are_used_again)
{
	for (size_t i = 0; i < 1000000; i++) {
		ck_assert_int_eq(lock_table_put(address(i % 777, 16), 5), OK);
		ck_assert_uint_eq(lock_table_remove(address(i % 777, 16)), 5);
	}
	ck_assert_uint_le(lock_table_bytes(), 1 << 16);
}
END_TEST

START_TEST(what_does_not_fit_a_slot_is_refused)
{
	ck_assert_int_eq(lock_table_put((const void *)0x7f1200000008, 1), ERR_LIMIT);
	ck_assert_int_eq(lock_table_put((const void *)0x1000000000000, 1), ERR_LIMIT);
	ck_assert_int_eq(lock_table_put(address(0, 16), LOCK_CLASS_ID_MAX + 1), ERR_LIMIT);
	ck_assert_uint_eq(lock_table_get((const void *)0x7f1200000008), LOCK_CLASS_NONE);
	ck_assert_uint_eq(lock_table_remove((const void *)0x1000000000000), LOCK_CLASS_NONE);
}
END_TEST

START_TEST(addresses_with_the_same_first_place_do_not_disturb_each_other)
{
	enum { APART = LOCK_TABLE_FIRST * 16, N = 100 };
	for (size_t i = 0; i < N; i++)
		ck_assert_int_eq(lock_table_put(address(i, APART), 1 + i), OK);
	ck_assert(lock_table_remove_first(address(0, APART)));
	for (size_t i = 0; i < N; i++) {
		ck_assert(!lock_table_remove_first(address(i, APART)));
		ck_assert_uint_eq(lock_table_get(address(i, APART)), i ? 1 + i : LOCK_CLASS_NONE);
	}
	for (size_t i = 0; i < N; i++)
		ck_assert_uint_eq(lock_table_remove(address(i, APART)), i ? 1 + i : LOCK_CLASS_NONE);
}
END_TEST

START_TEST(an_address_that_does_not_fit_harms_no_other)
{
	ck_assert_int_eq(lock_table_put(address(0, 16), 7), OK);
	const uintptr_t other[] = {8, 1, (uintptr_t)1 << 48, (uintptr_t)1 << 63};
	for (size_t i = 0; i < sizeof(other) / sizeof(*other); i++) {
		const void *misfit = (const void *)((uintptr_t)address(0, 16) | other[i]);
		ck_assert(!lock_table_remove_first(misfit));
		ck_assert_uint_eq(lock_table_remove(misfit), LOCK_CLASS_NONE);
		ck_assert_uint_eq(lock_table_get(misfit), LOCK_CLASS_NONE);
	}
	ck_assert_uint_eq(lock_table_get(address(0, 16)), 7);
}
END_TEST

static void *put_and_remove(void *which)
{
	size_t base = (uintptr_t)which * 50000;
	uint32_t class_id = 1 + (uint32_t)(uintptr_t)which;
	for (int round = 0; round < 5; round++) {
		for (size_t i = 0; i < 20000; i++)
			ck_assert_int_eq(lock_table_put(address(base + i, 32), class_id), OK);
		for (size_t i = 0; i < 20000; i++) {
			uint32_t found = lock_table_remove(address(base + i, 32));
			ck_assert(found == class_id || found == LOCK_CLASS_NONE);
			ck_assert_uint_eq(lock_table_get(address(base + i, 32)), LOCK_CLASS_NONE);
		}
	}
	return NULL;
}

START_TEST(threads_without_a_common_gil_lose_an_entry_at_worst)
{
	pthread_t threads[4];
	for (uintptr_t i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, put_and_remove, (void *)i), 0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}
END_TEST

UNIT_TESTS("lock_table", what_was_put_is_found_until_it_is_removed, a_lock_that_is_known_may_get_another_class,
	   a_lock_takes_32_bytes_at_most, places_are_used_again, what_does_not_fit_a_slot_is_refused,
	   addresses_with_the_same_first_place_do_not_disturb_each_other, an_address_that_does_not_fit_harms_no_other,
	   threads_without_a_common_gil_lose_an_entry_at_worst)
