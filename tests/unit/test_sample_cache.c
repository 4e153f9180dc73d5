/*
 * test_sample_cache.c - rows merge, drains lose nothing and count nothing twice.
 */
#include <config.h>

#include "runtime/sample_cache.h"

#include <pthread.h>
#include <string.h>

#include "runtime/error.h"
#include "unit.h"

static const struct function function = {.name = "f", .filename = "f.py"};

static void resolve(const struct raw_frame *raw, size_t depth, struct frame *out)
{
	for (size_t i = 0; i < depth; i++)
		out[i] = (struct frame){.function = &function, .line = (int32_t)raw[i].instruction};
}

static struct {
	pthread_mutex_t lock;
	size_t calls, depth, omitted, n_labels;
	int32_t leaf_line;
	double sum;
} seen = {PTHREAD_MUTEX_INITIALIZER};

static void consume(const struct frame *frames, size_t depth, size_t omitted, const struct label *labels,
		    size_t n_labels, const double values[SAMPLE_TYPES])
{
	(void)labels;
	pthread_mutex_lock(&seen.lock);
	seen.calls++;
	seen.depth = depth;
	seen.omitted = omitted;
	seen.n_labels = n_labels;
	seen.leaf_line = depth ? frames[0].line : 0;
	seen.sum += values[SAMPLE_LOCK_ACQUIRE];
	pthread_mutex_unlock(&seen.lock);
}

static const struct label_set who = {.n = 1, .labels = {{.key = LABEL_THREAD_NAME, .string = "t"}}};
static const struct label_set what = {.n = 1, .labels = {{.key = LABEL_LOCK_NAME, .string = "l"}}};
static const struct label_set what_else = {.n = 1, .labels = {{.key = LABEL_LOCK_NAME, .string = "m"}}};
static const double one[SAMPLE_TYPES] = {[SAMPLE_LOCK_ACQUIRE] = 1};

static struct raw_stack stack_of(struct raw_frame *frames, size_t depth, uintptr_t seed)
{
	for (size_t i = 0; i < depth; i++)
		frames[i] = (struct raw_frame){.code = seed, .instruction = seed + i};
	return (struct raw_stack){.frames = frames, .depth = depth, .hash = raw_stack_hash(frames, depth)};
}

static void add(struct sample_cache *cache, uintptr_t seed, size_t depth, const struct label_set *labels)
{
	struct raw_frame frames[STACK_DEPTH_MAX];
	struct raw_stack stack = stack_of(frames, depth, seed);
	struct sample_row row;
	int error = sample_cache_find(cache, &stack, labels, resolve, &row);
	if (error == ERR_LIMIT) {
		sample_cache_drain(cache, &who, consume);
		error = sample_cache_find(cache, &stack, labels, resolve, &row);
	}
	ck_assert_int_eq(error, OK);
	while (!sample_cache_add(cache, row, one))
		ck_assert_int_eq(sample_cache_find(cache, &stack, labels, resolve, &row), OK);
}

START_TEST(equal_stacks_and_labels_share_a_row)
{
	struct sample_cache cache;
	sample_cache_init(&cache);
	for (int i = 0; i < 10; i++)
		add(&cache, 7, 3, &what);
	sample_cache_drain(&cache, &who, consume);
	ck_assert_uint_eq(seen.calls, 1);
	ck_assert_double_eq(seen.sum, 10);
	ck_assert_uint_eq(seen.depth, 3);
	ck_assert_uint_eq(seen.n_labels, 2);
	ck_assert_int_eq(seen.leaf_line, 7);
	sample_cache_fini(&cache);
}
END_TEST

START_TEST(put_is_find_and_add)
{
	struct sample_cache cache;
	struct raw_frame frames[3];
	struct raw_stack stack = stack_of(frames, 3, 7);
	sample_cache_init(&cache);
	add(&cache, 7, 3, &what);
	ck_assert_int_eq(sample_cache_put(&cache, &stack, &what, resolve, one), OK);
	ck_assert_int_eq(sample_cache_put(&cache, &stack, &what_else, resolve, one), OK);
	sample_cache_drain(&cache, &who, consume);
	ck_assert_uint_eq(seen.calls, 2);
	ck_assert_double_eq(seen.sum, 3);
	sample_cache_fini(&cache);
}
END_TEST

/* As code objects lie: 16 bytes apart, and an instruction is an even number; recursion repeats a frame. */
START_TEST(stacks_alike_hash_apart)
{
	enum { CODES = 32, STACKS = CODES * CODES * 4 };
	static uint64_t hashes[STACKS];
	struct raw_frame frames[STACK_DEPTH_MAX];
	size_t n = 0, equal = 0;
	for (uintptr_t leaf = 0; leaf < CODES; leaf++)
		for (uintptr_t caller = 0; caller < CODES; caller++)
			for (size_t depth = 2; depth <= 256; depth *= 5) {
				for (size_t i = 0; i < depth; i++)
					frames[i] = (struct raw_frame){0x7f0000001000 + 16 * caller, 2 * leaf};
				frames[0].code += 16 * leaf;
				hashes[n++] = raw_stack_hash(frames, depth);
			}
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			equal += hashes[i] >> 20 == hashes[j] >> 20;
	ck_assert_uint_eq(n, STACKS);
	ck_assert_uint_eq(equal, 0);
}
END_TEST

START_TEST(stacks_labels_and_omitted_tell_rows_apart)
{
	struct sample_cache cache;
	sample_cache_init(&cache);
	add(&cache, 7, 3, &what);
	add(&cache, 8, 3, &what);
	add(&cache, 7, 2, &what);
	add(&cache, 7, 3, &what_else);
	sample_cache_drain(&cache, &who, consume);
	ck_assert_uint_eq(seen.calls, 4);
	sample_cache_fini(&cache);
}
END_TEST

START_TEST(a_stack_without_frames_is_a_row_too)
{
	struct sample_cache cache;
	sample_cache_init(&cache);
	add(&cache, 0, 0, &what);
	sample_cache_drain(&cache, &who, consume);
	ck_assert_uint_eq(seen.calls, 1);
	ck_assert_uint_eq(seen.depth, 0);
	sample_cache_fini(&cache);
}
END_TEST

START_TEST(a_drain_empties_and_a_row_found_before_it_is_stale)
{
	struct sample_cache cache;
	struct raw_frame frames[3];
	struct raw_stack stack = stack_of(frames, 3, 1);
	struct sample_row row;
	sample_cache_init(&cache);
	ck_assert_int_eq(sample_cache_find(&cache, &stack, &what, resolve, &row), OK);
	sample_cache_drain(&cache, &who, consume);
	ck_assert_uint_eq(seen.calls, 0);	/* nothing was added to it yet */
	ck_assert(!sample_cache_add(&cache, row, one));
	ck_assert_int_eq(sample_cache_find(&cache, &stack, &what, resolve, &row), OK);
	ck_assert(sample_cache_add(&cache, row, one));
	sample_cache_drain(&cache, &who, consume);
	sample_cache_drain(&cache, &who, consume);
	ck_assert_uint_eq(seen.calls, 1);
	sample_cache_fini(&cache);
}
END_TEST

START_TEST(a_full_cache_says_so_and_takes_the_deepest_stack_when_drained)
{
	struct sample_cache cache;
	struct raw_frame frames[STACK_DEPTH_MAX];
	struct sample_row row;
	int error = OK;
	sample_cache_init(&cache);
	for (uintptr_t i = 0; i < 10000 && !error; i++) {
		struct raw_stack stack = stack_of(frames, 10, i * 1000);
		error = sample_cache_find(&cache, &stack, &what, resolve, &row);
	}
	ck_assert_int_eq(error, ERR_LIMIT);
	add(&cache, 5, STACK_DEPTH_MAX, &what);
	sample_cache_drain(&cache, &who, consume);
	ck_assert_uint_eq(seen.depth, STACK_DEPTH_MAX);
	sample_cache_fini(&cache);
}
END_TEST

static void *drain_often(void *cache)
{
	for (int i = 0; i < 2000; i++)
		sample_cache_drain(cache, &who, consume);
	return NULL;
}

START_TEST(drains_beside_the_owner_lose_nothing)
{
	struct sample_cache cache;
	pthread_t drainer;
	sample_cache_init(&cache);
	ck_assert_int_eq(pthread_create(&drainer, NULL, drain_often, &cache), 0);
	for (uintptr_t i = 0; i < 200000; i++)
		add(&cache, i % 300, 5, i % 2 ? &what : &what_else);
	pthread_join(drainer, NULL);
	sample_cache_drain(&cache, &who, consume);
	ck_assert_double_eq(seen.sum, 200000);
	sample_cache_fini(&cache);
}
END_TEST

START_TEST(a_forked_child_starts_empty)
{
	struct sample_cache cache;
	sample_cache_init(&cache);
	add(&cache, 1, 3, &what);
	sample_cache_postfork_child(&cache);
	sample_cache_drain(&cache, &who, consume);
	ck_assert_uint_eq(seen.calls, 0);
	add(&cache, 1, 3, &what);
	sample_cache_drain(&cache, &who, consume);
	ck_assert_uint_eq(seen.calls, 1);
	sample_cache_fini(&cache);
}
END_TEST

UNIT_TESTS("sample_cache", equal_stacks_and_labels_share_a_row, put_is_find_and_add, stacks_alike_hash_apart,
	   stacks_labels_and_omitted_tell_rows_apart,
	   a_stack_without_frames_is_a_row_too, a_drain_empties_and_a_row_found_before_it_is_stale,
	   a_full_cache_says_so_and_takes_the_deepest_stack_when_drained, drains_beside_the_owner_lose_nothing,
	   a_forked_child_starts_empty)
