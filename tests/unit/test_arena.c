/*
 * test_arena.c - pieces are zeroed and apart, the limit holds, everything goes back.
 */
#include <config.h>

#include "runtime/arena.h"

#include <stdint.h>
#include <string.h>

#include "runtime/error.h"
#include "unit.h"

static size_t mapped_now;
static bool no_memory;
static void *(*real_map)(size_t);
static void (*real_unmap)(void *, size_t);

static void *count_map(size_t size)
{
	mapped_now += no_memory ? 0 : size;
	return no_memory ? NULL : real_map(size);
}

static void count_unmap(void *block, size_t size)
{
	mapped_now -= size;
	real_unmap(block, size);
}

static void count_mappings(void)
{
	real_map = arena_map;
	real_unmap = arena_unmap;
	arena_map = count_map;
	arena_unmap = count_unmap;
}

static bool all_equal(const char *bytes, size_t n, char value)
{
	return n == 0 || (*bytes == value && memcmp(bytes, bytes + 1, n - 1) == 0);
}

START_TEST(arena_pieces_are_zeroed_aligned_and_apart)
{
	uint64_t first[32];
	memset(first, 0xff, sizeof(first));
	struct arena arena;
	arena_init(&arena, first, sizeof(first), 64 << 20);
	enum { N = 3000 };
	static char *pieces[N];
	for (size_t i = 0; i < N; i++) {
		size_t size = i * 37 % 5000;
		if (i % 500 == 499)
			size = 300000;		/* large: a chunk of its own */
		pieces[i] = arena_alloc(&arena, size);
		ck_assert_ptr_nonnull(pieces[i]);
		ck_assert_uint_eq((uintptr_t)pieces[i] % 8, 0);
		ck_assert(all_equal(pieces[i], size, 0));
		memset(pieces[i], (int)i | 1, size);
	}
	for (size_t i = 0; i < N; i++) {
		size_t size = i % 500 == 499 ? 300000 : i * 37 % 5000;
		ck_assert(all_equal(pieces[i], size, (char)(i | 1)));
	}
	arena_release(&arena);
}
END_TEST

START_TEST(arena_zeroes_the_first_block_when_it_is_used_again)
{
	uint64_t first[8];
	struct arena arena;
	arena_init(&arena, first, sizeof(first), 1 << 20);
	memset(arena_alloc(&arena, 64), 0xff, 64);
	arena_release(&arena);
	arena_alloc(&arena, 100000);	/* a large chunk beside it: the block is still in use */
	char *again = arena_alloc(&arena, 64);
	ck_assert_ptr_eq(again, first);
	ck_assert(all_equal(again, 64, 0));
	arena_release(&arena);
}
END_TEST

START_TEST(arena_keeps_its_limit_and_says_so)
{
	count_mappings();
	struct arena arena;
	arena_init(&arena, NULL, 0, 1000000);
	size_t used = 0;
	while (arena_alloc(&arena, 1000))
		used += 1000;
	ck_assert_int_eq(arena_error(&arena), ERR_LIMIT);
	ck_assert_uint_le(mapped_now, 1000000);
	ck_assert_uint_ge(used, 950000);	/* chunks get smaller at the limit, none is refused early */
	ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX));
	ck_assert_int_eq(arena_error(&arena), ERR_LIMIT);
	arena_release(&arena);
	ck_assert_uint_eq(mapped_now, 0);
	ck_assert_ptr_nonnull(arena_alloc(&arena, 1000));
	arena_release(&arena);
}
END_TEST

START_TEST(arena_without_memory_gives_null_and_recovers)
{
	count_mappings();
	struct arena arena;
	arena_init(&arena, NULL, 0, 1 << 20);
	no_memory = true;
	ck_assert_ptr_null(arena_alloc(&arena, 8));
	ck_assert_int_eq(arena_error(&arena), ERR_NOMEM);
	ck_assert_ptr_null(arena_alloc(&arena, 100000));
	no_memory = false;
	ck_assert_ptr_nonnull(arena_alloc(&arena, 8));
	arena_release(&arena);
	ck_assert_uint_eq(mapped_now, 0);
}
END_TEST

UNIT_TESTS("arena", arena_pieces_are_zeroed_aligned_and_apart, arena_zeroes_the_first_block_when_it_is_used_again,
	   arena_keeps_its_limit_and_says_so, arena_without_memory_gives_null_and_recovers)
