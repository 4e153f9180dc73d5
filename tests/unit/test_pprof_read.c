/*
 * test_pprof_read.c - hostile and broken files: an error and a sentence, never a crash.
 */
#include <config.h>

#include "upload/pprof_read.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "runtime/arena.h"
#include "runtime/rng.h"
#include "samples.h"
#include "unit.h"
#include "upload/pprof.h"
#include "upload/profile.pb-c.h"

enum { MEMORY = 64 << 20 };

static char message[PPROF_MESSAGE_BYTES];

static int try_to_read(const void *data, size_t size, size_t memory)
{
	struct pprof_file *file;
	memset(message, 'x', sizeof(message));
	int error = pprof_read(data, size, memory, &file, message);
	ck_assert_int_eq(error == OK, file != NULL);
	ck_assert_int_eq(error == OK, *message == '\0');
	ck_assert_ptr_nonnull(memchr(message, '\0', sizeof(message)));
	pprof_file_free(file);
	return error;
}

#define ck_assert_refused(error, words, data, size) do { \
	ck_assert_int_eq(try_to_read(data, size, MEMORY), error); \
	ck_assert_msg(strstr(message, words), "'%s' in '%s'", words, message); \
} while (0)

static struct memory_file good_file(void)
{
	struct memory_file file = {0};
	struct profile *profile = profile_new(&roomy);
	const char *comments[] = {"a comment"};
	for (int32_t i = 0; i < 20; i++)
		add_lock(profile, "main.py:5:a", i, i);
	pprof_write(profile, &(struct pprof_meta){1, 2, comments, 1, 0}, write_memory, &file);
	profile_free(profile);
	return file;
}

static struct memory_file inflated(const struct memory_file *file)
{
	struct memory_file plain = {.data = malloc(1 << 20)};
	z_stream z = {.next_in = file->data, .avail_in = (uInt)file->size, .next_out = plain.data, .avail_out = 1 << 20};
	inflateInit2(&z, 31);
	ck_assert_int_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
	plain.size = z.total_out;
	inflateEnd(&z);
	return plain;
}

static struct memory_file gzipped(const void *data, size_t size)
{
	struct memory_file file = {.data = malloc(size + 1000)};
	z_stream z = {.next_in = (unsigned char *)(uintptr_t)data, .avail_in = (uInt)size,
		      .next_out = file.data, .avail_out = (uInt)size + 1000};
	deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	file.size = z.total_out;
	deflateEnd(&z);
	return file;
}

START_TEST(pprof_read_takes_gzip_and_plain)
{
	struct memory_file file = good_file(), plain = inflated(&file);
	ck_assert_int_eq(try_to_read(file.data, file.size, MEMORY), OK);
	ck_assert_int_eq(try_to_read(plain.data, plain.size, MEMORY), OK);
	free(file.data);
	free(plain.data);
}
END_TEST

START_TEST(pprof_read_names_what_is_no_profile)
{
	struct memory_file file = good_file();
	ck_assert_refused(ERR_INVALID, "empty", "", 0);
	ck_assert_refused(ERR_INVALID, "cut short", file.data, 17);
	ck_assert_refused(ERR_INVALID, "cut short", file.data, 2);
	ck_assert_refused(ERR_INVALID, "zstd", "\x28\xb5\x2f\xfd....", 8);
	ck_assert_refused(ERR_INVALID, "no pprof", "Hello, world\n", 13);
	struct memory_file nothing = gzipped("", 0);
	ck_assert_refused(ERR_INVALID, "empty", nothing.data, nothing.size);
	file.data = realloc(file.data, file.size + 8);
	memset(file.data + file.size, 0, 8);
	ck_assert_int_eq(try_to_read(file.data, file.size + 8, MEMORY), ERR_INVALID);
	free(file.data);
	free(nothing.data);
}
END_TEST

START_TEST(pprof_read_refuses_every_truncation_of_gzip)
{
	struct memory_file file = good_file();
	for (size_t size = 0; size < file.size; size++) {
		unsigned char *part = malloc(size ? size : 1);	/* of exact size, for the sanitizer to see */
		memcpy(part, file.data, size);
		ck_assert_int_ne(try_to_read(part, size, MEMORY), OK);
		free(part);
	}
	free(file.data);
}
END_TEST

START_TEST(pprof_read_survives_every_truncation_of_plain)
{
	struct memory_file file = good_file(), plain = inflated(&file);
	for (size_t size = 0; size < plain.size; size++) {
		unsigned char *part = malloc(size ? size : 1);
		memcpy(part, plain.data, size);
		try_to_read(part, size, MEMORY);
		free(part);
	}
	free(file.data);
	free(plain.data);
}
END_TEST

START_TEST(pprof_read_survives_flipped_bytes)
{
	struct memory_file file = good_file(), plain = inflated(&file);
	struct rng rng;
	rng_seed(&rng, 1);
	for (int i = 0; i < 30000; i++) {
		unsigned char *copy = malloc(plain.size);
		memcpy(copy, plain.data, plain.size);
		for (int flips = 1 + i % 4; flips; flips--) {
			uint64_t random = rng_next(&rng);
			copy[(random >> 8) % plain.size] = (unsigned char)random;
		}
		try_to_read(copy, plain.size, MEMORY);
		free(copy);
	}
	for (int i = 0; i < 5000; i++) {
		unsigned char saved = file.data[(size_t)i % file.size];
		file.data[(size_t)i % file.size] ^= (unsigned char)(1 + i % 255);
		try_to_read(file.data, file.size, MEMORY);
		file.data[(size_t)i % file.size] = saved;
	}
	free(file.data);
	free(plain.data);
}
END_TEST

START_TEST(pprof_read_keeps_to_its_memory)
{
	/* 40 MB of samples of two bytes: 3 GB when unpacked */
	size_t size = 40 << 20;
	unsigned char *samples = malloc(size);
	for (size_t i = 0; i < size; i += 2)
		memcpy(samples + i, "\x12\x00", 2);
	ck_assert_refused(ERR_LIMIT, "needs more than", samples, size);
	struct memory_file bomb = gzipped(samples, size);
	ck_assert_uint_lt(bomb.size, 100000);
	ck_assert_refused(ERR_LIMIT, "needs more than", bomb.data, bomb.size);
	/* and one that says it is smaller than it is */
	memset(bomb.data + bomb.size - 4, 0, 3);
	ck_assert_refused(ERR_INVALID, "damaged", bomb.data, bomb.size);
	/* and one that says it is larger */
	memset(bomb.data + bomb.size - 4, 0xff, 4);
	ck_assert_refused(ERR_LIMIT, "needs more than", bomb.data, bomb.size);
	free(bomb.data);
	free(samples);
}
END_TEST

static bool no_memory;
static void *(*real_map)(size_t);
static int maps_left;

static void *failing_map(size_t size)
{
	return no_memory && maps_left-- <= 0 ? NULL : real_map(size);
}

START_TEST(pprof_read_without_memory_says_so)
{
	struct profile *profile = profile_new(&roomy);
	struct memory_file file = {0};
	for (int32_t i = 0; i < 5000; i++)
		add_lock(profile, "main.py:5:a", i, i + 1);
	pprof_write(profile, &(struct pprof_meta){0}, write_memory, &file);
	real_map = arena_map;
	arena_map = failing_map;
	no_memory = true;
	int n = 0, error;
	do {
		maps_left = n;
		error = try_to_read(file.data, file.size, MEMORY);
		ck_assert(error == OK || error == ERR_NOMEM || error == ERR_INVALID);
	} while (error != OK && ++n < 1000);
	ck_assert_int_eq(error, OK);
	ck_assert_int_gt(n, 5);
	for (size_t memory = 1000; memory < 3000000; memory += 7919)	/* the same at every limit */
		try_to_read(file.data, file.size, memory);
	no_memory = false;
	free(file.data);
	profile_free(profile);
}
END_TEST

/* ---- well-formed messages that make no sense ------------------------------------------- */

static Pprof__Profile message_of(void)
{
	return (Pprof__Profile)PPROF__PROFILE__INIT;
}

static int read_message(const Pprof__Profile *p)
{
	size_t size = pprof__profile__get_packed_size(p);
	unsigned char *data = malloc(size ? size : 1);
	pprof__profile__pack(p, data);
	int error = try_to_read(data, size, MEMORY);
	free(data);
	return error;
}

#define ck_assert_senseless(words, profile) do { \
	ck_assert_int_eq(read_message(profile), ERR_INVALID); \
	ck_assert_msg(strstr(message, words), "'%s' in '%s'", words, message); \
} while (0)

START_TEST(pprof_read_checks_every_reference)
{
	char *strings[] = {(char *)(uintptr_t)"", (char *)(uintptr_t)"count"};
	Pprof__ValueType type = PPROF__VALUE_TYPE__INIT, *types[] = {&type};
	type.type = type.unit = 1;
	Pprof__Function function = PPROF__FUNCTION__INIT, same = PPROF__FUNCTION__INIT;
	Pprof__Function *functions[] = {&function, &same};
	function.id = 7;
	function.name = 1;
	Pprof__Line line = PPROF__LINE__INIT, *lines[] = {&line};
	line.function_id = 7;
	line.line = 3;
	Pprof__Location location = PPROF__LOCATION__INIT, twin = PPROF__LOCATION__INIT;
	Pprof__Location *locations[] = {&location, &twin};
	location.id = UINT64_MAX;
	location.n_line = 1;
	location.line = lines;
	uint64_t ids[] = {UINT64_MAX, UINT64_MAX};
	int64_t values[] = {5, 6};
	Pprof__Label label = PPROF__LABEL__INIT, *labels[] = {&label};
	label.key = label.str = 1;
	Pprof__Sample sample = PPROF__SAMPLE__INIT, *samples[] = {&sample};
	sample.n_location_id = 2;
	sample.location_id = ids;
	sample.n_value = 1;
	sample.value = values;
	sample.n_label = 1;
	sample.label = labels;
	Pprof__Profile p = message_of();
	p.n_string_table = 2;
	p.string_table = strings;
	p.n_sample_type = 1;
	p.sample_type = types;
	p.n_function = 1;
	p.function = functions;
	p.n_location = 1;
	p.location = locations;
	p.n_sample = 1;
	p.sample = samples;
	int64_t comment = 1;
	p.n_comment = 1;
	p.comment = &comment;
	ck_assert_int_eq(read_message(&p), OK);

	sample.n_value = 2;
	ck_assert_senseless("2 values for 1 sample types", &p);
	sample.n_value = 0;
	ck_assert_senseless("0 values", &p);
	sample.n_value = 1;
	ids[1] = 3;
	ck_assert_senseless("location id 3", &p);
	ids[1] = 0;
	ck_assert_senseless("location id 0", &p);
	ids[1] = UINT64_MAX;
	line.function_id = 8;
	ck_assert_senseless("function id 8", &p);
	line.function_id = 7;
	function.name = 2;
	ck_assert_senseless("string 2 of 2", &p);
	function.name = 1;
	function.filename = -1;
	ck_assert_senseless("string -1", &p);
	function.filename = 0;
	label.key = INT64_MIN;
	ck_assert_senseless("string -9223372036854775808", &p);
	label.key = 1;
	label.str = 9;
	ck_assert_senseless("string 9", &p);
	label.str = 1;
	label.num_unit = 9;
	ck_assert_senseless("string 9", &p);
	label.num_unit = 0;
	type.unit = 5;
	ck_assert_senseless("string 5", &p);
	type.unit = 1;
	comment = 77;
	ck_assert_senseless("string 77", &p);
	comment = 1;
	p.default_sample_type = 6;
	ck_assert_senseless("string 6", &p);
	p.default_sample_type = 0;
	p.n_location = 2;
	twin = location;
	ck_assert_senseless("given twice", &p);
	twin.id = 0;
	ck_assert_senseless("zero", &p);
	p.n_location = 1;
	p.n_function = 2;
	same = function;
	ck_assert_senseless("given twice", &p);
	p.n_function = 1;
	strings[0] = (char *)(uintptr_t)"not empty";
	ck_assert_senseless("does not begin with", &p);
	strings[0] = (char *)(uintptr_t)"";
	strings[1] = (char *)(uintptr_t)"\xff";
	ck_assert_senseless("not UTF-8", &p);
	strings[1] = (char *)(uintptr_t)"count";
	p.n_string_table = 0;
	ck_assert_senseless("does not begin with", &p);
	p.n_string_table = 2;
	ck_assert_int_eq(read_message(&p), OK);
}
END_TEST

START_TEST(pprof_read_meets_its_limit_when_few_bytes_name_many_frames)
{
	enum { LINES = 20000, SAMPLES = 20000 };
	char *strings[] = {(char *)(uintptr_t)""};
	static Pprof__Line line;
	static Pprof__Line *lines[LINES];
	pprof__line__init(&line);
	for (size_t i = 0; i < LINES; i++)
		lines[i] = &line;
	Pprof__Location location = PPROF__LOCATION__INIT, *locations[] = {&location};
	location.id = 1;
	location.n_line = LINES;
	location.line = lines;
	uint64_t id = 1;
	Pprof__Sample sample = PPROF__SAMPLE__INIT;
	sample.n_location_id = 1;
	sample.location_id = &id;
	static Pprof__Sample *samples[SAMPLES];
	for (size_t i = 0; i < SAMPLES; i++)
		samples[i] = &sample;
	Pprof__Profile p = message_of();
	p.n_string_table = 1;
	p.string_table = strings;
	p.n_location = 1;
	p.location = locations;
	p.n_sample = SAMPLES;
	p.sample = samples;
	ck_assert_int_eq(read_message(&p), ERR_LIMIT);
}
END_TEST

START_TEST(pprof_read_expands_inlined_frames_in_order)
{
	char *strings[] = {(char *)(uintptr_t)"", (char *)(uintptr_t)"inner", (char *)(uintptr_t)"outer"};
	Pprof__Function inner = PPROF__FUNCTION__INIT, outer = PPROF__FUNCTION__INIT;
	Pprof__Function *functions[] = {&outer, &inner};
	inner.id = 1;
	inner.name = 1;
	outer.id = 900;
	outer.name = 2;
	Pprof__Line first = PPROF__LINE__INIT, second = PPROF__LINE__INIT, *lines[] = {&first, &second};
	first.function_id = 1;
	second.function_id = 900;
	Pprof__Location location = PPROF__LOCATION__INIT, *locations[] = {&location};
	location.id = 40;
	location.n_line = 2;
	location.line = lines;
	uint64_t id = 40;
	Pprof__Sample sample = PPROF__SAMPLE__INIT, *samples[] = {&sample};
	sample.n_location_id = 1;
	sample.location_id = &id;
	Pprof__Profile p = message_of();
	p.n_string_table = 3;
	p.string_table = strings;
	p.n_function = 2;
	p.function = functions;
	p.n_location = 1;
	p.location = locations;
	p.n_sample = 1;
	p.sample = samples;
	unsigned char data[512];
	struct pprof_file *file;
	ck_assert_int_eq(pprof_read(data, pprof__profile__pack(&p, data), MEMORY, &file, message), OK);
	ck_assert_uint_eq(file->samples[0].n_frames, 2);
	ck_assert_str_eq(file->samples[0].frames[0]->function, "inner");
	ck_assert_str_eq(file->samples[0].frames[1]->function, "outer");
	pprof_file_free(file);
}
END_TEST

START_TEST(pprof_read_path_reads_files_and_names_errors)
{
	char path[] = "/tmp/test_pprof_read.XXXXXX";
	int fd = mkstemp(path);
	struct memory_file file = good_file();
	struct pprof_file *read;
	ck_assert_int_eq(write(fd, file.data, file.size), (ssize_t)file.size);
	ck_assert_int_eq(pprof_read_path(path, MEMORY, &read, message), OK);
	ck_assert_uint_eq(read->n_samples, 20);
	pprof_file_free(read);
	ck_assert_int_eq(pprof_read_path(path, 100, &read, message), ERR_IO);
	ck_assert_ptr_null(read);
	close(fd);
	unlink(path);
	ck_assert_int_eq(pprof_read_path(path, MEMORY, &read, message), ERR_IO);
	ck_assert_ptr_nonnull(strstr(message, path));
	ck_assert_ptr_nonnull(strstr(message, "No such file"));
	ck_assert_int_eq(pprof_read_path("/tmp", MEMORY, &read, message), ERR_IO);
	ck_assert_ptr_nonnull(strstr(message, "directory"));
	free(file.data);
}
END_TEST

START_TEST(pprof_file_free_takes_null)
{
	pprof_file_free(NULL);
}
END_TEST

UNIT_TESTS("pprof_read", pprof_read_takes_gzip_and_plain, pprof_read_names_what_is_no_profile,
	   pprof_read_refuses_every_truncation_of_gzip, pprof_read_survives_every_truncation_of_plain,
	   pprof_read_survives_flipped_bytes, pprof_read_keeps_to_its_memory, pprof_read_without_memory_says_so,
	   pprof_read_checks_every_reference, pprof_read_meets_its_limit_when_few_bytes_name_many_frames,
	   pprof_read_expands_inlined_frames_in_order, pprof_read_path_reads_files_and_names_errors,
	   pprof_file_free_takes_null)
