/*
 * test_intern.c - equal bytes, equal ids.
 */
#include <config.h>

#include "runtime/intern.h"

#include <stdio.h>
#include <string.h>

#include "runtime/error.h"
#include "unit.h"

static struct arena arena;
static struct intern table;

static void make_table(size_t payload_bytes, size_t limit_bytes)
{
	arena_init(&arena, NULL, 0, limit_bytes);
	intern_init(&table, &arena, payload_bytes);
}

static uint32_t add(const char *text)
{
	uint32_t id = UINT32_MAX;
	ck_assert_int_eq(intern_add(&table, text, strlen(text) + 1, &id), OK);
	return id;
}

START_TEST(intern_returns_same_id_for_equal_strings)
{
	make_table(0, 1 << 20);
	char copy[] = "lock";
	ck_assert_uint_eq(add("lock"), 0);
	ck_assert_uint_eq(add(""), 1);
	ck_assert_uint_eq(add("locks"), 2);
	ck_assert_uint_eq(add(copy), 0);
	ck_assert_uint_eq(add(""), 1);
	ck_assert_uint_eq(table.count, 3);
	size_t size;
	ck_assert_str_eq(intern_key(&table, 2, &size), "locks");
	ck_assert_uint_eq(size, 6);
	arena_release(&arena);
}
END_TEST

START_TEST(intern_keeps_a_hundred_thousand_keys_apart)
{
	make_table(8, 64 << 20);
	enum { N = 100000 };
	for (int round = 0; round < 2; round++)
		for (uint32_t i = 0; i < N; i++) {
			char key[32];
			snprintf(key, sizeof(key), "%s%u", i % 3 ? "key" : "another.longer.key.", i);
			ck_assert_uint_eq(add(key), i);
			uint64_t *payload = intern_payload(&table, i);
			ck_assert_uint_eq(*payload, round * (uint64_t)i);
			*payload = i;
		}
	ck_assert_uint_eq(table.count, N);
	arena_release(&arena);
}
END_TEST

START_TEST(intern_tells_apart_keys_of_binary_zeros)
{
	make_table(0, 1 << 20);
	const char zeros[64] = {0};
	for (uint32_t size = 0; size <= sizeof(zeros); size++) {
		uint32_t id;
		ck_assert_int_eq(intern_add(&table, zeros, size, &id), OK);
		ck_assert_uint_eq(id, size);
	}
	arena_release(&arena);
}
END_TEST

START_TEST(intern_find_adds_nothing)
{
	make_table(0, 1 << 20);
	uint32_t id = 77;
	ck_assert_int_eq(intern_find(&table, "a", 2, &id), ERR_STATE);
	add("b");
	ck_assert_int_eq(intern_find(&table, "a", 2, &id), ERR_STATE);
	ck_assert_uint_eq(id, 77);
	ck_assert_int_eq(intern_find(&table, "b", 2, &id), OK);
	ck_assert_uint_eq(id, 0);
	ck_assert_uint_eq(table.count, 1);
	arena_release(&arena);
}
END_TEST

START_TEST(intern_at_the_limit_refuses_new_keys_and_knows_the_old)
{
	make_table(0, 200000);
	char key[32];
	uint32_t n = 0, id;
	int error;
	do {
		snprintf(key, sizeof(key), "key%u", n);
		error = intern_add(&table, key, sizeof(key), &id);
	} while (error == OK && ++n);
	ck_assert_int_eq(error, ERR_LIMIT);
	ck_assert_uint_eq(table.count, n);
	for (uint32_t i = 0; i < n; i++) {
		memset(key, 0, sizeof(key));
		snprintf(key, sizeof(key), "key%u", i);
		ck_assert_int_eq(intern_add(&table, intern_key(&table, i, NULL), sizeof(key), &id), OK);
		ck_assert_uint_eq(id, i);
	}
	arena_release(&arena);
}
END_TEST

static bool no_memory;
static void *(*real_map)(size_t);

static void *failing_map(size_t size)
{
	return no_memory ? NULL : real_map(size);
}

START_TEST(intern_without_memory_stays_usable)
{
	real_map = arena_map;
	arena_map = failing_map;
	make_table(0, 1 << 24);
	uint32_t added = 0, id;
	for (uint32_t i = 0; i < 20000; i++) {
		no_memory = i % 3 == 1;
		added += intern_add(&table, &i, sizeof(i), &id) == OK;
	}
	no_memory = false;
	ck_assert_uint_eq(table.count, added);
	for (uint32_t i = 0; i < 20000; i++)
		ck_assert_int_eq(intern_add(&table, &i, sizeof(i), &id), OK);
	ck_assert_uint_eq(table.count, 20000);
	arena_release(&arena);
}
END_TEST

UNIT_TESTS("intern", intern_returns_same_id_for_equal_strings, intern_keeps_a_hundred_thousand_keys_apart,
	   intern_tells_apart_keys_of_binary_zeros, intern_find_adds_nothing,
	   intern_at_the_limit_refuses_new_keys_and_knows_the_old, intern_without_memory_stays_usable)
