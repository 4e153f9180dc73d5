/*
 * test_profile.c - equal samples add up, bounds hold, nothing is lost.
 */
#include <config.h>

#include "runtime/profile.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/arena.h"
#include "runtime/clocks.h"
#include "runtime/utf8.h"
#include "samples.h"
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

START_TEST(profile_adds_equal_samples_up)
{
	struct profile *profile = profile_new(&roomy);
	ck_assert(profile_is_empty(profile));
	for (int i = 0; i < 1000; i++) {
		ck_assert_int_eq(add_lock(profile, "main.py:5:a", 12, 2.5), OK);
		ck_assert_int_eq(add_lock(profile, "main.py:5:a", 13, 1), OK);
		ck_assert_int_eq(add_lock(profile, "main.py:6:b", 12, 0.25), OK);
	}
	ck_assert(!profile_is_empty(profile));
	ck_assert_uint_eq(profile_n_rows(profile), 1 + 3);
	ck_assert_double_eq(profile_row(profile, 1).values[SAMPLE_LOCK_ACQUIRE_WAIT], 2500);
	ck_assert_double_eq(profile_row(profile, 1).values[SAMPLE_LOCK_ACQUIRE], 1000);
	ck_assert_double_eq(profile_row(profile, 2).values[SAMPLE_LOCK_ACQUIRE_WAIT], 1000);
	ck_assert_double_eq(profile_row(profile, 3).values[SAMPLE_LOCK_ACQUIRE_WAIT], 250);
	ck_assert_double_eq(profile_row(profile, 3).values[SAMPLE_LOCK_RELEASE], 0);
	/* four places in three functions, and the overflow's */
	ck_assert_uint_eq(profile_n_locations(profile), 1 + 4);
	ck_assert_uint_eq(profile_n_functions(profile), 1 + 3);
	profile_free(profile);
}
END_TEST

START_TEST(profile_reads_back_what_went_in)
{
	struct profile *profile = profile_new(&roomy);
	add_lock(profile, "main.py:5:a", 12, 7);
	struct profile_row row = profile_row(profile, 1);
	ck_assert_uint_eq(row.depth, 3);
	const char *names[] = {"Cache.get", "serve", "<module>"};
	const int32_t lines[] = {12, 33, 99}, starts[] = {10, 30, 1};
	for (size_t i = 0; i < 3; i++) {
		struct profile_location location = profile_location(profile, row.locations[i]);
		struct profile_function function = profile_function(profile, location.function);
		ck_assert_int_eq(location.line, lines[i]);
		ck_assert_int_eq(function.start_line, starts[i]);
		ck_assert_str_eq(frame_name(profile, 1, i), names[i]);
		ck_assert_str_eq(profile_string(profile, function.filename, NULL), "/app/main.py");
	}
	ck_assert_uint_eq(row.n_labels, 2);
	size_t length;
	ck_assert_uint_eq(row.labels[0].key, LABEL_LOCK_NAME);
	ck_assert_str_eq(profile_string(profile, row.labels[0].string, &length), "main.py:5:a");
	ck_assert_uint_eq(length, 11);
	ck_assert_uint_eq(row.labels[1].key, LABEL_THREAD_ID);
	ck_assert_int_eq(row.labels[1].number, 4711);
	ck_assert_str_eq(profile_string(profile, 0, &length), "");
	ck_assert_uint_eq(length, 0);
	profile_free(profile);
}
END_TEST

START_TEST(profile_takes_functions_by_content_too)
{
	struct profile *profile = profile_new(&roomy);
	char name[] = "serve", file[] = "/app/main.py";
	struct function twin = {name, file, 30}, other_start = {name, file, 31};
	const double values[SAMPLE_TYPES] = {1};
	const struct function *functions[] = {&middle_function, &twin, &other_start};
	for (size_t i = 0; i < 3; i++)
		profile_add(profile, &(struct frame){functions[i], 3}, 1, 0, NULL, 0, values);
	ck_assert_uint_eq(profile_n_functions(profile), 1 + 2);
	ck_assert_uint_eq(profile_n_rows(profile), 1 + 2);
	ck_assert_double_eq(profile_row(profile, 1).values[0], 2);
	profile_free(profile);
}
END_TEST

START_TEST(profile_sorts_labels_and_leaves_out_empty_ones)
{
	struct profile *profile = profile_new(&roomy);
	const struct label one[] = {
		{LABEL_THREAD_NAME, .string = "worker"}, {LABEL_LOCK_NAME, .string = "a.py:1:x"},
		{LABEL_OUTCOME, .string = ""}, {LABEL_THREAD_ID, .number = 0},
	};
	const struct label other[] = {
		{LABEL_LOCK_NAME, .string = "a.py:1:x"}, {LABEL_LOCK_KIND, .string = NULL},
		{LABEL_THREAD_NAME, .string = "worker"}, {(enum label_key)LABEL_KEYS, .string = "nobody's"},
	};
	const double values[SAMPLE_TYPES] = {1};
	profile_add(profile, NULL, 0, 0, one, 4, values);
	profile_add(profile, NULL, 0, 0, other, 4, values);
	ck_assert_uint_eq(profile_n_rows(profile), 1 + 1);
	struct profile_row row = profile_row(profile, 1);
	ck_assert_double_eq(row.values[0], 2);
	ck_assert_uint_eq(row.depth, 0);
	ck_assert_uint_eq(row.n_labels, 2);
	ck_assert_uint_eq(row.labels[0].key, LABEL_LOCK_NAME);
	ck_assert_uint_eq(row.labels[1].key, LABEL_THREAD_NAME);
	profile_free(profile);
}
END_TEST

START_TEST(profile_says_how_many_frames_were_left_out)
{
	struct profile *profile = profile_new(&roomy);
	const double values[SAMPLE_TYPES] = {1};
	struct frame frames[3];
	fill_stack(frames, 5);
	profile_add(profile, frames, 2, 1, NULL, 0, values);
	profile_add(profile, frames, 2, 17, NULL, 0, values);
	ck_assert_uint_eq(profile_row(profile, 1).depth, 3);
	ck_assert_str_eq(frame_name(profile, 1, 0), "Cache.get");
	ck_assert_str_eq(frame_name(profile, 1, 2), "<1 frame omitted>");
	ck_assert_str_eq(frame_name(profile, 2, 2), "<17 frames omitted>");

	static struct frame deep[STACK_DEPTH_MAX + 10];
	for (size_t i = 0; i < STACK_DEPTH_MAX + 10; i++)
		deep[i] = (struct frame){&leaf_function, (int32_t)i + 1};
	ck_assert_int_eq(profile_add(profile, deep, STACK_DEPTH_MAX + 10, 5, NULL, 0, values), OK);
	ck_assert_uint_eq(profile_row(profile, 3).depth, STACK_DEPTH_MAX + 1);
	ck_assert_str_eq(frame_name(profile, 3, STACK_DEPTH_MAX), "<15 frames omitted>");
	profile_free(profile);
}
END_TEST

START_TEST(profile_mends_texts)
{
	struct profile *profile = profile_new(&roomy);
	static char endless[3 * PROFILE_TEXT_BYTES];
	for (size_t i = 0; i + 2 < sizeof(endless); i += 2)
		memcpy(endless + i, "\xc3\xbc", 2);
	const struct function odd = {"\xed\xa0\x80name", NULL, -5}, huge = {endless, "f", 0};
	const struct frame frames[] = {{&odd, -1}, {&huge, 1}};
	const struct label label = {LABEL_LOCK_NAME, .string = "a\xff.py:1"};
	const double values[SAMPLE_TYPES] = {1};
	ck_assert_int_eq(profile_add(profile, frames, 2, 0, &label, 1, values), OK);
	ck_assert_str_eq(frame_name(profile, 1, 0), "???name");
	ck_assert_uint_eq(strlen(frame_name(profile, 1, 1)), PROFILE_TEXT_BYTES);
	struct profile_location location = profile_location(profile, profile_row(profile, 1).locations[0]);
	ck_assert_int_eq(location.line, 0);
	ck_assert_int_eq(profile_function(profile, location.function).start_line, 0);
	ck_assert_str_eq(profile_string(profile, profile_function(profile, location.function).filename, NULL), "");
	ck_assert_str_eq(profile_string(profile, profile_row(profile, 1).labels[0].string, NULL), "a?.py:1");
	for (size_t i = 0; i < profile_n_strings(profile); i++) {
		size_t length;
		const char *text = profile_string(profile, i, &length);
		ck_assert(utf8_valid(text, length));
	}
	profile_free(profile);
}
END_TEST

START_TEST(profile_counts_senseless_values_as_nothing)
{
	struct profile *profile = profile_new(&roomy);
	const double odd[SAMPLE_TYPES] = {(double)NAN, -1, -(double)INFINITY, 3};
	profile_add(profile, NULL, 0, 0, NULL, 0, odd);
	profile_add(profile, NULL, 0, 0, NULL, 0, odd);
	const double *values = profile_row(profile, 1).values;
	for (size_t type = 0; type < SAMPLE_TYPES; type++)
		ck_assert_double_eq(values[type], type == 3 ? 6 : 0);
	profile_free(profile);
}
END_TEST

START_TEST(profile_full_of_rows_overflows_visibly_and_loses_nothing)
{
	struct profile *profile = profile_new(&(struct profile_limits){.rows = 10, .bytes = 1 << 20});
	for (int round = 0; round < 2; round++)
		for (int32_t i = 0; i < 25; i++)
			ck_assert_int_eq(add_lock(profile, "main.py:5:a", i + 1, i), i < 10 ? OK : ERR_LIMIT);
	ck_assert_uint_eq(profile_n_rows(profile), 1 + 10);
	ck_assert_uint_eq(profile_overflowed(profile), 30);
	ck_assert_uint_le(profile_n_locations(profile), 1 + 10 + 2);	/* places of no row are not kept */
	ck_assert_double_eq(column_sum(profile, SAMPLE_LOCK_ACQUIRE_WAIT), 2 * 300);
	ck_assert_double_eq(column_sum(profile, SAMPLE_LOCK_ACQUIRE), 50);
	struct profile_row overflow = profile_row(profile, 0);
	ck_assert_double_eq(overflow.values[SAMPLE_LOCK_ACQUIRE], 30);
	ck_assert_double_eq(overflow.values[SAMPLE_LOCK_ACQUIRE_WAIT], 2 * (300 - 45));
	ck_assert_uint_eq(overflow.depth, 1);
	ck_assert_uint_eq(overflow.n_labels, 1);
	ck_assert_uint_eq(overflow.labels->key, LABEL_LOCK_NAME);
	ck_assert_str_eq(profile_string(profile, overflow.labels->string, NULL), "<profile full>");
	ck_assert_str_eq(frame_name(profile, 0, 0), "<profile full>");
	profile_free(profile);
}
END_TEST

START_TEST(profile_full_of_bytes_keeps_to_its_limit)
{
	count_mappings();
	const size_t limit = 1 << 20;
	struct profile *profile = profile_new(&(struct profile_limits){.rows = 1 << 20, .bytes = limit});
	for (int32_t i = 0; i < 50000; i++)
		add_lock(profile, "main.py:5:a", i, 1);
	ck_assert_uint_gt(profile_overflowed(profile), 0);
	ck_assert_uint_gt(profile_n_rows(profile), 2000);
	ck_assert_uint_le(mapped_now, limit);
	ck_assert_uint_le(profile_size_bytes(profile), limit + (16 << 10));
	ck_assert_double_eq(column_sum(profile, SAMPLE_LOCK_ACQUIRE), 50000);
	profile_free(profile);
	ck_assert_uint_eq(mapped_now, 0);
}
END_TEST

START_TEST(profile_without_memory_still_adds_up)
{
	count_mappings();
	no_memory = true;
	struct profile *profile = profile_new(&roomy);
	for (int32_t i = 0; i < 1000; i++)
		add_lock(profile, "main.py:5:a", i, 1);
	ck_assert_double_eq(column_sum(profile, SAMPLE_LOCK_ACQUIRE), 1000);
	ck_assert_str_eq(frame_name(profile, 0, 0), "<profile full>");
	ck_assert_uint_gt(profile_overflowed(profile), 900);
	struct frame frame = {&middle_function, 1};
	static char name[PROFILE_TEXT_BYTES];
	memset(name, 'n', sizeof(name) - 1);
	const struct function huge = {name, "f", 0};
	frame.function = &huge;
	const double values[SAMPLE_TYPES] = {1};
	ck_assert_int_eq(profile_add(profile, &frame, 1, 0, NULL, 0, values), ERR_NOMEM);
	no_memory = false;
	ck_assert_int_eq(profile_add(profile, &frame, 1, 0, NULL, 0, values), OK);
	profile_free(profile);
}
END_TEST

START_TEST(profile_takes_a_hundred_thousand_stacks_in_bounded_memory)
{
	count_mappings();
	struct profile *profile = profile_new(&roomy);
	struct frame frames[10];
	const double values[SAMPLE_TYPES] = {1};
	const struct label label = {LABEL_LOCK_NAME, .string = "main.py:5:a"};
	for (int round = 0; round < 2; round++)
		for (int32_t i = 0; i < 100000; i++) {
			for (int32_t f = 0; f < 10; f++)	/* 10 frames from 400 places */
				frames[f] = (struct frame){&leaf_function, f * 40 + (f < 4 ? i / (int32_t[]){1, 18, 324, 5832}[f] % 18 : 0)};
			ck_assert_int_eq(profile_add(profile, frames, 10, 0, &label, 1, values), OK);
		}
	ck_assert_uint_eq(profile_n_rows(profile), 1 + 100000);
	ck_assert_double_eq(column_sum(profile, 0), 200000);
	/* 64 bytes a row and 8 for its key, 16 a stack and 40 for its ids, up to 16 for the slots of each */
	ck_assert_uint_le(mapped_now, 30 << 20);
	ck_assert_uint_ge(mapped_now, 10 << 20);
	profile_clear(profile);
	ck_assert_uint_eq(mapped_now, 0);
	profile_free(profile);
}
END_TEST

START_TEST(profile_clear_forgets_functions_by_address)
{
	struct profile *profile = profile_new(&roomy);
	struct function function = {"before", "f.py", 1};
	const double values[SAMPLE_TYPES] = {1};
	profile_add(profile, &(struct frame){&function, 1}, 1, 0, NULL, 0, values);
	profile_clear(profile);
	ck_assert(profile_is_empty(profile));
	ck_assert_uint_eq(profile_overflowed(profile), 0);
	function.name = "after";	/* as freed and made anew at the same address */
	profile_add(profile, &(struct frame){&function, 1}, 1, 0, NULL, 0, values);
	ck_assert_uint_eq(profile_n_rows(profile), 1 + 1);
	ck_assert_str_eq(frame_name(profile, 1, 0), "after");
	profile_free(profile);
}
END_TEST

START_TEST(profile_abandon_touches_nothing_of_what_was)
{
	count_mappings();
	struct profile *profile = profile_new(&roomy);
	for (int32_t i = 0; i < 5000; i++)
		add_lock(profile, "main.py:5:a", i, 1);
	size_t left = mapped_now;
	ck_assert_uint_gt(left, 0);
	profile_abandon(profile);
	ck_assert(profile_is_empty(profile));
	ck_assert_uint_eq(mapped_now, left);
	ck_assert_int_eq(add_lock(profile, "main.py:5:a", 1, 1), OK);
	ck_assert_uint_eq(profile_n_rows(profile), 1 + 1);
	profile_free(profile);
}
END_TEST

static int64_t wall, monotonic;
static int64_t fake_wall(void) { return wall; }
static int64_t fake_monotonic(void) { return monotonic; }

START_TEST(profile_period_is_not_moved_by_a_step_of_the_wall_clock)
{
	clock_wall_ns = fake_wall;
	clock_monotonic_ns = fake_monotonic;
	wall = 1000;
	monotonic = 50;
	struct profile *profile = profile_new(&roomy);
	wall = 10;
	monotonic = 70;
	ck_assert_int_eq(profile_start_ns(profile), 1000);
	ck_assert_int_eq(profile_duration_ns(profile), 20);
	profile_end(profile);
	monotonic = 500;
	ck_assert_int_eq(profile_duration_ns(profile), 20);
	profile_begin(profile);
	ck_assert_int_eq(profile_start_ns(profile), 10);
	ck_assert_int_eq(profile_duration_ns(profile), 0);
	profile_free(profile);
}
END_TEST

UNIT_TESTS("profile", profile_adds_equal_samples_up, profile_reads_back_what_went_in,
	   profile_takes_functions_by_content_too, profile_sorts_labels_and_leaves_out_empty_ones,
	   profile_says_how_many_frames_were_left_out, profile_mends_texts, profile_counts_senseless_values_as_nothing,
	   profile_full_of_rows_overflows_visibly_and_loses_nothing, profile_full_of_bytes_keeps_to_its_limit,
	   profile_without_memory_still_adds_up, profile_takes_a_hundred_thousand_stacks_in_bounded_memory,
	   profile_clear_forgets_functions_by_address, profile_abandon_touches_nothing_of_what_was,
	   profile_period_is_not_moved_by_a_step_of_the_wall_clock)
