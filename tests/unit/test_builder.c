/*
 * test_builder.c - comments reach the file, outcomes reach the status.
 */
#include <config.h>

#include "upload/builder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "samples.h"
#include "unit.h"
#include "upload/pprof_read.h"

START_TEST(builder_writes_its_comments_and_period)
{
	struct profile *profile = profile_new(&roomy);
	struct builder *builder = builder_new(profile, 0);
	ck_assert(!builder_has_samples(builder));
	add_lock(profile, "a.py:1:x", 1, 5);
	ck_assert(builder_has_samples(builder));
	char text[32];
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "comment %d", i);
		ck_assert_int_eq(builder_add_note(builder, text), OK);
	}
	ck_assert_int_eq(builder_add_note(builder, "bad \xff byte"), OK);
	profile_end(profile);
	for (int times = 0; times < 2; times++) {	/* a sink may try again */
		struct memory_file bytes = {0};
		struct pprof_file *file;
		char message[PPROF_MESSAGE_BYTES];
		ck_assert_int_eq(builder_encode(builder, write_memory, &bytes), OK);
		ck_assert_int_eq(pprof_read(bytes.data, bytes.size, 1 << 24, &file, message), OK);
		ck_assert_uint_eq(file->n_comments, 101);
		ck_assert_str_eq(file->comments[42], "comment 42");
		ck_assert_str_eq(file->comments[100], "bad ? byte");
		ck_assert_int_eq(file->time_ns, profile_start_ns(profile));
		ck_assert_int_eq(file->duration_ns, profile_duration_ns(profile));
		pprof_file_free(file);
		free(bytes.data);
	}
	builder_free(builder);
	profile_free(profile);
}
END_TEST

START_TEST(builder_keeps_payloads_and_period_beyond_its_profile)
{
	struct profile *profile = profile_new(&roomy);
	struct builder *builder = builder_new(profile, 0);
	add_lock(profile, "a.py:1:x", 1, 5);
	profile_end(profile);
	int64_t start_ns = profile_start_ns(profile), end_ns = start_ns + profile_duration_ns(profile);
	ck_assert_int_eq(builder_keep(builder, "first", strdup("one"), 3), OK);
	ck_assert_int_eq(builder_keep(builder, "second", strdup("two"), 3), OK);
	builder_release_profile(builder);
	profile_free(profile);
	size_t n;
	struct payload *payloads = builder_payloads(builder, &n);
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(payloads[1].name, "second");
	ck_assert_mem_eq(payloads[1].data, "two", 3);
	ck_assert(!payloads[1].is_sent);
	ck_assert_int_eq(builder_start_ns(builder), start_ns);
	ck_assert_int_eq(builder_end_ns(builder), end_ns);
	builder_free(builder);
}
END_TEST

START_TEST(builder_keeps_how_it_went)
{
	struct profile *profile = profile_new(&roomy);
	struct builder *builder = builder_new(profile, 0);
	ck_assert_str_eq(builder_target(builder), "");
	ck_assert_str_eq(builder_error(builder), "");
	errno = ENOSPC;
	ck_assert_int_eq(builder_failed(builder, ERR_IO, "cannot write %s: %m", "x"), ERR_IO);
	ck_assert_str_eq(builder_error(builder), "cannot write x: No space left on device");
	builder_sent(builder, "here", 12);
	builder_sent(builder, "there", 34);
	ck_assert_str_eq(builder_target(builder), "there");
	ck_assert_uint_eq(builder_bytes(builder), 34);
	builder_free(builder);
	builder_free(NULL);
	profile_free(profile);
}
END_TEST

UNIT_TESTS("builder", builder_writes_its_comments_and_period, builder_keeps_payloads_and_period_beyond_its_profile,
	   builder_keeps_how_it_went)
