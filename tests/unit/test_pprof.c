/*
 * test_pprof.c - what is written reads back the same, to the nanosecond.
 */
#include <config.h>

#include "upload/pprof.h"

#include <stdio.h>
#include <zlib.h>

#include "samples.h"
#include "unit.h"
#include "upload/pprof_read.h"

enum { MEMORY = 256 << 20 };

static struct pprof_file *write_and_read(const struct profile *profile, const struct pprof_meta *meta)
{
	struct memory_file file = {0};
	char message[PPROF_MESSAGE_BYTES];
	struct pprof_file *read;
	ck_assert_int_eq(pprof_write(profile, meta, write_memory, &file), OK);
	ck_assert_int_eq(file.data[0], 0x1f);
	ck_assert_int_eq(file.data[1], 0x8b);
	ck_assert_msg(pprof_read(file.data, file.size, MEMORY, &read, message) == OK, "%s", message);
	free(file.data);
	return read;
}

START_TEST(pprof_reads_back_every_value_and_text)
{
	struct profile *profile = profile_new(&roomy);
	const char *notes[] = {"sneck 0.1.0", "lock_stats={\"a\":1}"};
	add_lock(profile, "main.py:5:a", 12, 1234567890123.4);
	add_lock(profile, "main.py:5:a", 12, 0.2);
	add_lock(profile, "main.py:6:Schl\xc3\xbcssel", 13, 77);
	struct pprof_meta meta = {1700000000123456789, 60000000001, notes, 2, 0};
	struct pprof_file *file = write_and_read(profile, &meta);

	ck_assert_int_eq(file->time_ns, 1700000000123456789);
	ck_assert_int_eq(file->duration_ns, 60000000001);
	ck_assert_int_eq(file->period, 1);
	ck_assert_str_eq(file->period_type.name, "lock-acquire-wait");
	ck_assert_uint_eq(file->n_comments, 2);
	ck_assert_str_eq(file->comments[1], notes[1]);
	ck_assert_uint_eq(file->n_types, SAMPLE_TYPES);
	for (size_t type = 0; type < SAMPLE_TYPES; type++) {
		ck_assert_str_eq(file->types[type].name, sample_type_infos[type].name);
		ck_assert_str_eq(file->types[type].unit, sample_type_infos[type].unit);
	}
	ck_assert_uint_eq(file->default_type, SAMPLE_LOCK_ACQUIRE_WAIT);

	ck_assert_uint_eq(file->n_samples, 2);
	const struct pprof_file_sample *first = &file->samples[0], *second = &file->samples[1];
	ck_assert_int_eq(first->values[SAMPLE_LOCK_ACQUIRE_WAIT], 1234567890124);	/* .4 + .2, rounded once */
	ck_assert_int_eq(first->values[SAMPLE_LOCK_ACQUIRE], 2);
	ck_assert_int_eq(first->values[SAMPLE_LOCK_RELEASE], 0);
	ck_assert_int_eq(second->values[SAMPLE_LOCK_ACQUIRE_WAIT], 77);
	ck_assert_uint_eq(first->n_frames, 3);
	ck_assert_str_eq(first->frames[0]->function, "Cache.get");
	ck_assert_str_eq(first->frames[0]->filename, "/app/main.py");
	ck_assert_int_eq(first->frames[0]->line, 12);
	ck_assert_int_eq(first->frames[0]->start_line, 10);
	ck_assert_str_eq(first->frames[2]->function, "<module>");
	ck_assert_int_eq(second->frames[0]->line, 13);
	ck_assert_uint_eq(first->n_labels, 2);
	ck_assert_str_eq(first->labels[0].key, "lock name");
	ck_assert_str_eq(first->labels[0].string, "main.py:5:a");
	ck_assert_str_eq(second->labels[0].string, "main.py:6:Schl\xc3\xbcssel");
	ck_assert_str_eq(first->labels[1].key, "thread id");
	ck_assert_ptr_null(first->labels[1].string);
	ck_assert_int_eq(first->labels[1].number, 4711);
	pprof_file_free(file);
	profile_free(profile);
}
END_TEST

START_TEST(pprof_leaves_out_rows_that_round_to_nothing)
{
	struct profile *profile = profile_new(&roomy);
	ck_assert(!pprof_has_samples(profile, 0));
	const double nothing[SAMPLE_TYPES] = {0.4, 0.3}, something[SAMPLE_TYPES] = {0.4, 0.6};
	profile_add(profile, &(struct frame){&leaf_function, 1}, 1, 0, NULL, 0, nothing);
	ck_assert(!pprof_has_samples(profile, 0));
	profile_add(profile, &(struct frame){&leaf_function, 2}, 1, 0, NULL, 0, something);
	ck_assert(pprof_has_samples(profile, 0));
	ck_assert(!pprof_has_samples(profile, 1 << SAMPLE_LOCK_ACQUIRE_WAIT));
	struct pprof_file *file = write_and_read(profile, &(struct pprof_meta){0});
	ck_assert_uint_eq(file->n_samples, 1);
	ck_assert_int_eq(file->samples[0].frames[0]->line, 2);
	ck_assert_int_eq(file->samples[0].values[0], 0);
	ck_assert_int_eq(file->samples[0].values[1], 1);
	pprof_file_free(file);
	profile_free(profile);
}
END_TEST

START_TEST(pprof_writes_the_columns_asked_for)
{
	struct profile *profile = profile_new(&roomy);
	add_lock(profile, "main.py:5:a", 12, 50);
	struct pprof_meta meta = {.types = 1 << SAMPLE_LOCK_ACQUIRE | 1 << SAMPLE_LOCK_CONTENDED};
	struct pprof_file *file = write_and_read(profile, &meta);
	ck_assert_uint_eq(file->n_types, 2);
	ck_assert_str_eq(file->types[0].name, "lock-acquire");
	ck_assert_str_eq(file->types[1].name, "lock-contended");
	ck_assert_uint_eq(file->default_type, 0);
	ck_assert_int_eq(file->samples[0].values[0], 1);
	ck_assert_int_eq(file->samples[0].values[1], 0);
	pprof_file_free(file);
	profile_free(profile);
}
END_TEST

START_TEST(pprof_shows_the_overflow_row)
{
	struct profile *profile = profile_new(&(struct profile_limits){.rows = 2, .bytes = 1 << 20});
	for (int32_t i = 1; i <= 5; i++)
		add_lock(profile, "main.py:5:a", i, 10);
	struct pprof_file *file = write_and_read(profile, &(struct pprof_meta){0});
	ck_assert_uint_eq(file->n_samples, 3);
	int64_t sum = 0;
	for (size_t i = 0; i < 3; i++)
		sum += file->samples[i].values[SAMPLE_LOCK_ACQUIRE_WAIT];
	ck_assert_int_eq(sum, 50);
	const struct pprof_file_sample *overflow = &file->samples[2];
	ck_assert_uint_eq(overflow->n_frames, 1);
	ck_assert_str_eq(overflow->frames[0]->function, "<profile full>");
	ck_assert_int_eq(overflow->frames[0]->line, 0);
	ck_assert_int_eq(overflow->values[SAMPLE_LOCK_ACQUIRE], 3);
	ck_assert_uint_eq(overflow->n_labels, 1);
	ck_assert_str_eq(overflow->labels[0].key, "lock name");
	ck_assert_str_eq(overflow->labels[0].string, "<profile full>");
	pprof_file_free(file);
	profile_free(profile);
}
END_TEST

START_TEST(pprof_keeps_values_too_large_at_the_largest)
{
	struct profile *profile = profile_new(&roomy);
	const double values[SAMPLE_TYPES] = {1e300, 0x1p62, 0x1p53 - 1};
	profile_add(profile, &(struct frame){&leaf_function, 2}, 1, 0, NULL, 0, values);
	struct pprof_file *file = write_and_read(profile, &(struct pprof_meta){0});
	ck_assert_int_eq(file->samples[0].values[0], INT64_MAX);
	ck_assert_int_eq(file->samples[0].values[1], INT64_C(1) << 62);
	ck_assert_int_eq(file->samples[0].values[2], (INT64_C(1) << 53) - 1);
	pprof_file_free(file);
	profile_free(profile);
}
END_TEST

START_TEST(pprof_writes_deep_and_many_stacks)
{
	struct profile *profile = profile_new(&roomy);
	static struct frame deep[STACK_DEPTH_MAX];
	const double values[SAMPLE_TYPES] = {[SAMPLE_LOCK_ACQUIRE_WAIT] = 3};
	for (int32_t i = 0; i < 3000; i++) {
		for (int32_t f = 0; f < STACK_DEPTH_MAX; f++)
			deep[f] = (struct frame){&leaf_function, f * (f < 3 ? i : 1) + 1};
		profile_add(profile, deep, STACK_DEPTH_MAX, 7, NULL, 0, values);
	}
	struct pprof_file *file = write_and_read(profile, &(struct pprof_meta){0});
	ck_assert_uint_eq(file->n_samples, 3000);
	for (size_t i = 0; i < file->n_samples; i++) {
		ck_assert_uint_eq(file->samples[i].n_frames, STACK_DEPTH_MAX + 1);
		ck_assert_int_eq(file->samples[i].frames[2]->line, 2 * (int32_t)i + 1);
		ck_assert_int_eq(file->samples[i].frames[STACK_DEPTH_MAX - 1]->line, STACK_DEPTH_MAX);
		ck_assert_str_eq(file->samples[i].frames[STACK_DEPTH_MAX]->function, "<7 frames omitted>");
		ck_assert_int_eq(file->samples[i].values[0], 3);
	}
	pprof_file_free(file);
	profile_free(profile);
}
END_TEST

START_TEST(pprof_stops_at_the_first_refusal_of_the_sink)
{
	struct profile *profile = profile_new(&roomy);
	for (int32_t i = 0; i < 30000; i++)
		add_lock(profile, "main.py:5:a", i * 7919 % 1000003, i * 31 % 1009);
	struct memory_file whole = {0};
	ck_assert_int_eq(pprof_write(profile, &(struct pprof_meta){0}, write_memory, &whole), OK);
	struct memory_file file = {.refuse_after = 2};
	ck_assert_int_eq(pprof_write(profile, &(struct pprof_meta){0}, write_memory, &file), ERR_IO);
	ck_assert_uint_eq(file.writes, 3);
	ck_assert_uint_lt(file.size, whole.size);
	free(file.data);
	free(whole.data);
	profile_free(profile);
}
END_TEST

START_TEST(pprof_ids_are_sequential_from_one_and_scalars_of_zero_left_out)
{
	/* the bytes themselves: one location (field 4), {id 1, line {function 1}} and no more */
	struct profile *profile = profile_new(&roomy);
	const double values[SAMPLE_TYPES] = {5};
	profile_add(profile, &(struct frame){&main_function, 0}, 1, 0, NULL, 0, values);
	struct memory_file file = {0};
	pprof_write(profile, &(struct pprof_meta){0}, write_memory, &file);
	unsigned char plain[4096];
	z_stream z = {.next_in = file.data, .avail_in = (uInt)file.size, .next_out = plain, .avail_out = sizeof(plain)};
	ck_assert_int_eq(inflateInit2(&z, 31), Z_OK);
	ck_assert_int_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
	inflateEnd(&z);
	const unsigned char location[] = {4 << 3 | 2, 6, 1 << 3, 1, 4 << 3 | 2, 2, 1 << 3, 1};
	const unsigned char sample[] = {2 << 3 | 2, 11, 1 << 3 | 2, 1, 1, 2 << 3 | 2, 6, 5, 0, 0, 0, 0, 0};
	ck_assert_ptr_nonnull(memmem(plain, z.total_out, location, sizeof(location)));
	ck_assert_ptr_nonnull(memmem(plain, z.total_out, sample, sizeof(sample)));
	free(file.data);
	profile_free(profile);
}
END_TEST

UNIT_TESTS("pprof", pprof_reads_back_every_value_and_text, pprof_leaves_out_rows_that_round_to_nothing,
	   pprof_writes_the_columns_asked_for, pprof_shows_the_overflow_row, pprof_keeps_values_too_large_at_the_largest,
	   pprof_writes_deep_and_many_stacks, pprof_stops_at_the_first_refusal_of_the_sink,
	   pprof_ids_are_sequential_from_one_and_scalars_of_zero_left_out)
