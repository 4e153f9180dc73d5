/*
 * test_pprof_part.c - all parts together are the profile, each within its limits.
 */
#include <config.h>

#include "upload/pprof_part.h"

#include <stdio.h>
#include <zlib.h>

#include "samples.h"
#include "unit.h"
#include "upload/pprof_read.h"

enum { MEMORY = 256 << 20, PLAIN_MAX = 64 << 20 };

static const struct pprof_column two_columns[] = {{SAMPLE_LOCK_ACQUIRE, "taken"}, {SAMPLE_LOCK_ACQUIRE_WAIT, "waited"}};
static const char *const keys[LABEL_KEYS] = {[LABEL_LOCK_NAME] = "lock_name", [LABEL_THREAD_ID] = "thread_id"};
static const struct pprof_form plain_form = {
	.columns = two_columns, .n_columns = 2, .period_type = "lock", .period_unit = "count", .label_keys = keys,
	.rows_max = 1 << 20, .bytes_max = 1 << 30, .text_bytes_max = PROFILE_TEXT_BYTES,
};

static size_t plain_bytes(const struct memory_file *file)
{
	static unsigned char plain[PLAIN_MAX];
	z_stream z = {.next_in = file->data, .avail_in = (uInt)file->size, .next_out = plain, .avail_out = PLAIN_MAX};
	ck_assert_int_eq(inflateInit2(&z, 31), Z_OK);
	ck_assert_int_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
	inflateEnd(&z);
	return z.total_out;
}

static struct pprof_file *read_part(const struct profile *profile, const struct pprof_form *form, size_t *position)
{
	const struct pprof_meta meta = {.start_ns = 1700000000123456789, .duration_ns = 60000000001};
	struct memory_file file = {0};
	char message[PPROF_MESSAGE_BYTES];
	struct pprof_file *read;
	ck_assert_int_eq(pprof_part_write(profile, form, &meta, position, write_memory, &file), OK);
	ck_assert_msg(pprof_read(file.data, file.size, MEMORY, &read, message) == OK, "%s", message);
	if (read->n_samples > 1)
		ck_assert_uint_le(plain_bytes(&file), form->bytes_max);
	free(file.data);
	return read;
}

static struct pprof_file *read_whole(const struct profile *profile, const struct pprof_form *form)
{
	size_t position = 0;
	struct pprof_file *file = read_part(profile, form, &position);
	ck_assert(!pprof_part_find(profile, form, &position));
	return file;
}

START_TEST(part_has_the_columns_labels_and_names_of_its_form)
{
	struct profile *profile = profile_new(&roomy);
	add_lock(profile, "main.py:5:a", 12, 1234567890123.4);
	add_lock(profile, "main.py:6:Schl\xc3\xbcssel", 13, 77);
	struct pprof_file *file = read_whole(profile, &plain_form);
	ck_assert_int_eq(file->time_ns, 1700000000123456789);
	ck_assert_int_eq(file->duration_ns, 60000000001);
	ck_assert_uint_eq(file->n_types, 2);
	ck_assert_str_eq(file->types[0].name, "taken");
	ck_assert_str_eq(file->types[0].unit, "count");
	ck_assert_str_eq(file->types[1].name, "waited");
	ck_assert_str_eq(file->types[1].unit, "nanoseconds");
	ck_assert_uint_eq(file->default_type, 1);
	ck_assert_str_eq(file->period_type.name, "lock");
	ck_assert_str_eq(file->period_type.unit, "count");
	ck_assert_uint_eq(file->n_samples, 2);
	const struct pprof_file_sample *first = &file->samples[0];
	ck_assert_int_eq(first->values[0], 1);
	ck_assert_int_eq(first->values[1], 1234567890123);
	ck_assert_uint_eq(first->n_frames, 3);
	ck_assert_str_eq(first->frames[0]->function, "Cache.get");
	ck_assert_str_eq(first->frames[0]->filename, "/app/main.py");
	ck_assert_int_eq(first->frames[0]->line, 12);
	ck_assert_int_eq(first->frames[0]->start_line, 10);
	ck_assert_str_eq(first->frames[2]->function, "<module>");
	ck_assert_uint_eq(first->n_labels, 2);
	ck_assert_str_eq(first->labels[0].key, "lock_name");
	ck_assert_str_eq(first->labels[0].string, "main.py:5:a");
	ck_assert_str_eq(first->labels[1].key, "thread_id");
	ck_assert_str_eq(first->labels[1].string, "4711");
	ck_assert_str_eq(file->samples[1].labels[0].string, "main.py:6:Schl\xc3\xbcssel");
	ck_assert_str_eq(file->samples[1].labels[1].string, "4711");
	pprof_file_free(file);
	profile_free(profile);
}
END_TEST

START_TEST(part_names_the_lock_in_a_leaf)
{
	struct profile *profile = profile_new(&roomy);
	const double values[SAMPLE_TYPES] = {5, 1};
	add_lock(profile, "main.py:5:a", 12, 1);
	add_lock(profile, "main.py:5:a", 13, 1);
	add_lock(profile, "main.py:6:b", 12, 1);
	profile_add(profile, &(struct frame){&main_function, 3}, 1, 0, NULL, 0, values);
	struct pprof_form form = plain_form;
	form.lock_filename = "<lock>";
	struct pprof_file *file = read_whole(profile, &form);
	ck_assert_uint_eq(file->samples[0].n_frames, 4);
	ck_assert_str_eq(file->samples[0].frames[0]->function, "main.py:5:a");
	ck_assert_str_eq(file->samples[0].frames[0]->filename, "<lock>");
	ck_assert_int_eq(file->samples[0].frames[0]->line, 0);
	ck_assert_str_eq(file->samples[0].frames[1]->function, "Cache.get");
	ck_assert_ptr_eq(file->samples[0].frames[0], file->samples[1].frames[0]);
	ck_assert_str_eq(file->samples[2].frames[0]->function, "main.py:6:b");
	ck_assert_uint_eq(file->samples[3].n_frames, 1);	/* no lock, no frame */
	ck_assert_str_eq(file->samples[3].frames[0]->function, "<module>");
	pprof_file_free(file);
	profile_free(profile);
}
END_TEST

START_TEST(part_leaves_out_rows_and_labels_that_are_not_wanted)
{
	struct profile *profile = profile_new(&roomy);
	const double other[SAMPLE_TYPES] = {[SAMPLE_LOCK_RELEASE] = 5};
	const char *const no_keys[LABEL_KEYS] = {0};
	struct pprof_form form = plain_form;
	form.label_keys = no_keys;
	size_t position = 0;
	ck_assert(!pprof_part_find(profile, &form, &position));
	profile_add(profile, &(struct frame){&leaf_function, 1}, 1, 0, NULL, 0, other);
	ck_assert(!pprof_part_find(profile, &form, &position));
	add_lock(profile, "main.py:5:a", 12, 7);
	struct pprof_file *file = read_whole(profile, &form);
	ck_assert_uint_eq(file->n_samples, 1);
	ck_assert_uint_eq(file->samples[0].n_labels, 0);
	pprof_file_free(file);
	profile_free(profile);
}
END_TEST

/* Rows of many stacks, threads and locks; what row i holds is a function of i. */
static struct profile *big_profile(int32_t n)
{
	struct profile *profile = profile_new(&roomy);
	struct frame frames[3];
	char lock[64];
	for (int32_t i = 0; i < n; i++) {
		snprintf(lock, sizeof(lock), "main.py:%d:lock_%d", i % 997, i % 997);
		const struct label labels[] = {{LABEL_LOCK_NAME, .string = lock}, {LABEL_THREAD_ID, .number = 1 + i % 700}};
		const double values[SAMPLE_TYPES] = {[SAMPLE_LOCK_ACQUIRE_WAIT] = i + 1, [SAMPLE_LOCK_ACQUIRE] = 2};
		fill_stack(frames, i + 1);
		ck_assert_int_eq(profile_add(profile, frames, 3, 0, labels, 2, values), OK);
	}
	return profile;
}

/* Every row once, in order, as big_profile made it.  Gives the number of parts. */
static size_t check_parts(const struct profile *profile, const struct pprof_form *form, int32_t n)
{
	size_t position = 0, parts = 0;
	int32_t row = 0;
	char lock[64], thread[16];
	for (; pprof_part_find(profile, form, &position); parts++) {
		struct pprof_file *file = read_part(profile, form, &position);
		ck_assert_uint_ge(file->n_samples, 1);
		ck_assert_uint_le(file->n_samples, form->rows_max);
		for (size_t i = 0; i < file->n_samples; i++, row++) {
			const struct pprof_file_sample *sample = &file->samples[i];
			snprintf(lock, sizeof(lock), "main.py:%d:lock_%d", row % 997, row % 997);
			snprintf(thread, sizeof(thread), "%d", 1 + row % 700);
			ck_assert_int_eq(sample->values[0], 2);
			ck_assert_int_eq(sample->values[1], row + 1);
			ck_assert_int_eq(sample->frames[0]->line, row + 1);
			ck_assert_str_eq(sample->labels[0].string, lock);
			ck_assert_str_eq(sample->labels[1].string, thread);
		}
		pprof_file_free(file);
	}
	ck_assert_int_eq(row, n);
	return parts;
}

START_TEST(parts_have_no_more_rows_than_allowed_and_lose_none)
{
	struct profile *profile = big_profile(32001);
	struct pprof_form form = plain_form;
	form.rows_max = 16000;
	ck_assert_uint_eq(check_parts(profile, &form, 32001), 3);
	form.rows_max = 32001;
	ck_assert_uint_eq(check_parts(profile, &form, 32001), 1);
	profile_free(profile);
}
END_TEST

START_TEST(parts_are_no_larger_than_allowed_and_lose_no_row)
{
	struct profile *profile = big_profile(20000);
	struct pprof_form form = plain_form;
	const size_t limits[] = {500000, 100000, 5000};
	size_t parts = 1;
	for (size_t i = 0; i < 3; i++) {
		form.bytes_max = limits[i];
		size_t more = check_parts(profile, &form, 20000);
		ck_assert_uint_gt(more, parts);
		parts = more;
	}
	profile_free(profile);
}
END_TEST

START_TEST(parts_use_the_room_they_have)
{
	struct profile *profile = big_profile(20000);
	struct pprof_form form = plain_form;
	struct memory_file file = {0};
	size_t position = 0;
	form.bytes_max = 500000;
	ck_assert_int_eq(pprof_part_write(profile, &form, &(struct pprof_meta){0}, &position, write_memory, &file), OK);
	ck_assert_uint_ge(plain_bytes(&file), 499000);
	free(file.data);
	profile_free(profile);
}
END_TEST

START_TEST(part_takes_a_row_that_is_larger_than_all)
{
	struct profile *profile = profile_new(&roomy);
	add_lock(profile, "main.py:5:a", 12, 1);
	add_lock(profile, "main.py:5:a", 13, 1);
	struct pprof_form form = plain_form;
	form.bytes_max = 10;
	size_t position = 0;
	for (int i = 0; i < 2; i++) {
		ck_assert(pprof_part_find(profile, &form, &position));
		struct pprof_file *file = read_part(profile, &form, &position);
		ck_assert_uint_eq(file->n_samples, 1);
		pprof_file_free(file);
	}
	ck_assert(!pprof_part_find(profile, &form, &position));
	profile_free(profile);
}
END_TEST

START_TEST(part_takes_the_deepest_stacks)
{
	struct profile *profile = profile_new(&roomy);
	static struct frame deep[STACK_DEPTH_MAX];
	const struct label label = {LABEL_LOCK_NAME, .string = "main.py:5:a"};
	const double values[SAMPLE_TYPES] = {[SAMPLE_LOCK_ACQUIRE_WAIT] = 3};
	for (int32_t i = 0; i < 100; i++) {
		for (int32_t f = 0; f < STACK_DEPTH_MAX; f++)
			deep[f] = (struct frame){&leaf_function, f * 1000 + i + 1};
		profile_add(profile, deep, STACK_DEPTH_MAX, 7, &label, 1, values);
	}
	struct pprof_form form = plain_form;
	form.lock_filename = "<lock>";
	form.bytes_max = 300000;
	size_t position = 0, rows = 0;
	while (pprof_part_find(profile, &form, &position)) {
		struct pprof_file *file = read_part(profile, &form, &position);
		for (size_t i = 0; i < file->n_samples; i++, rows++) {
			ck_assert_uint_eq(file->samples[i].n_frames, STACK_DEPTH_MAX + 2);
			ck_assert_str_eq(file->samples[i].frames[STACK_DEPTH_MAX + 1]->function, "<7 frames omitted>");
			ck_assert_int_eq(file->samples[i].frames[3]->line, 2000 + (int32_t)rows + 1);
		}
		pprof_file_free(file);
	}
	ck_assert_uint_eq(rows, 100);
	profile_free(profile);
}
END_TEST

START_TEST(part_shows_the_overflow_row)
{
	struct profile *profile = profile_new(&(struct profile_limits){.rows = 2, .bytes = 1 << 20});
	for (int32_t i = 1; i <= 5; i++)
		add_lock(profile, "main.py:5:a", i, 10);
	struct pprof_file *file = read_whole(profile, &plain_form);
	ck_assert_uint_eq(file->n_samples, 3);
	ck_assert_str_eq(file->samples[2].frames[0]->function, "<profile full>");
	ck_assert_int_eq(file->samples[2].values[1], 30);
	pprof_file_free(file);
	profile_free(profile);
}
END_TEST

START_TEST(part_cuts_long_texts_between_characters)
{
	struct profile *profile = profile_new(&roomy);
	char lock[64] = "x";
	for (int i = 0; i < 20; i++)
		strcat(lock, "\xc3\xbc");
	add_lock(profile, lock, 12, 7);
	struct pprof_form form = plain_form;
	form.text_bytes_max = 20;
	struct pprof_file *file = read_whole(profile, &form);
	ck_assert_uint_eq(strlen(file->samples[0].labels[0].string), 19);
	ck_assert_int_eq(strncmp(file->samples[0].labels[0].string, lock, 19), 0);
	pprof_file_free(file);
	profile_free(profile);
}
END_TEST

START_TEST(part_stops_at_the_first_refusal_of_the_sink)
{
	struct profile *profile = big_profile(20000);
	struct memory_file file = {.refuse_after = 2};
	size_t position = 0;
	ck_assert_int_eq(pprof_part_write(profile, &plain_form, &(struct pprof_meta){0}, &position, write_memory, &file),
			 ERR_IO);
	ck_assert_uint_eq(file.writes, 3);
	free(file.data);
	profile_free(profile);
}
END_TEST

UNIT_TESTS("pprof_part", part_has_the_columns_labels_and_names_of_its_form, part_names_the_lock_in_a_leaf,
	   part_leaves_out_rows_and_labels_that_are_not_wanted, parts_have_no_more_rows_than_allowed_and_lose_none,
	   parts_are_no_larger_than_allowed_and_lose_no_row, parts_use_the_room_they_have,
	   part_takes_a_row_that_is_larger_than_all, part_takes_the_deepest_stacks, part_shows_the_overflow_row,
	   part_cuts_long_texts_between_characters, part_stops_at_the_first_refusal_of_the_sink)
