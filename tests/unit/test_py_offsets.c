/*
 * test_py_offsets.c - published offsets are taken where they make sense, and refused elsewhere.
 *
 * The records are those of real interpreters, word by word.
 */
#include <config.h>

#include "runtime/error.h"
#include "runtime/py_offsets.h"
#include "unit.h"

#include <string.h>

enum { WORDS = 96 };

/* The head of _PyRuntime in 3.13.18, 3.14.10 and 3.15.2, x86-64, behind cookie and version. */
static const uint64_t of_3_13[WORDS] = {0, 0, 0, 283408, 608, 632, 194984, 7272, 7264, 7344, 7400, 7656, 7640, 7648,
	16, 7752, 0, 7768, 7760, 312, 0, 8, 16, 72, 152, 160, 232, 32, 80, 8, 0, 56, 72, 70, 208, 112, 120, 128, 136,
	68, 52, 96, 104, 200, 16, 8, 416, 24, 88, 168, 32, 24, 16, 40, 24, 16};
static const uint64_t of_3_14[WORDS] = {0, 0, 0, 316616, 784, 808, 225864, 7280, 7272, 7344, 7360, 7408, 7688, 7672,
	7680, 16, 7784, 0, 7800, 7792, 7992, 0, 832, 0, 8, 16, 72, 152, 160, 232, 32, 88, 8, 0, 56, 80, 74, 64, 0,
	216, 112, 120, 128, 136, 68, 52, 96, 104, 208, 0, 16, 8, 416, 24, 88, 168, 40, 32, 16, 40, 24, 16};
static const uint64_t of_3_15[WORDS] = {0, 0, 0, 346568, 912, 936, 226240, 7272, 7264, 7336, 7352, 7400, 7592, 7576,
	7584, 16, 7736, 0, 7752, 7744, 7944, 0, 888, 0, 8, 16, 72, 80, 88, 96, 176, 184, 256, 32, 36, 40, 136, 288, 0,
	88, 8, 0, 56, 80, 74, 64, 0, 216, 112, 120, 128, 136, 68, 52, 96, 104, 208, 0, 16, 8, 424, 24, 88, 168, 32,
	288, 944, 888, 40, 32, 16, 40, 24, 16};

static void make_record(uint64_t *words, const uint64_t *body, uint64_t version)
{
	memcpy(words, body, WORDS * sizeof(*words));
	memcpy(&words[0], "xdebugpy", 8);
	words[1] = version;
}

static int find(struct py_offsets *offsets, uint32_t version, const uint64_t *words)
{
	const char *reason;
	int error = py_offsets_find(offsets, version, words, &reason);
	ck_assert_int_eq(error == OK, reason == NULL);
	return error;
}

START_TEST(published_offsets_of_3_13_are_read)
{
	struct py_offsets o;
	uint64_t words[WORDS];
	make_record(words, of_3_13, 0x030d12f0);
	ck_assert_int_eq(find(&o, 0x030d00f0, words), OK);
	ck_assert_uint_eq(o.thread_frame, 72);
	ck_assert_uint_eq(o.frame_previous, 8);
	ck_assert_uint_eq(o.frame_code, 0);
	ck_assert_uint_eq(o.frame_instruction, 56);
	ck_assert_uint_eq(o.frame_slots, 72);
	ck_assert_uint_eq(o.frame_owner, 70);
	ck_assert_uint_eq(o.code_bytecode, 200);
	ck_assert_uint_eq(o.code_slot_names, 96);
	ck_assert_uint_eq(o.tuple_items, 24);
	ck_assert_uint_eq(o.cframe_frame, PY_OFFSET_NONE);
	ck_assert_uint_eq(o.code_first_traceable, PY_OFFSET_NONE);
	ck_assert(!o.frame_objects);
}
END_TEST

START_TEST(published_offsets_of_3_14_and_3_15_are_read)
{
	uint64_t words[WORDS];
	for (int later = 0; later < 2; later++) {
		struct py_offsets o;
		uint32_t version = later ? 0x030f0000 : 0x030e0000;
		make_record(words, later ? of_3_15 : of_3_14, version | 0x02f0);
		ck_assert_int_eq(find(&o, version, words), OK);
		ck_assert_uint_eq(o.version, version);
		ck_assert_uint_eq(o.thread_frame, 72);
		ck_assert_uint_eq(o.frame_instruction, 56);
		ck_assert_uint_eq(o.frame_slots, 80);
		ck_assert_uint_eq(o.frame_owner, 74);
		ck_assert_uint_eq(o.code_bytecode, 208);
		ck_assert_uint_eq(o.tuple_items, 32);
	}
}
END_TEST

START_TEST(a_record_of_another_layout_is_refused)
{
	struct py_offsets o;
	uint64_t words[WORDS];
	const uint64_t *bodies[] = {of_3_13, of_3_14, of_3_15};
	for (uint32_t body = 0; body < 3; body++) {
		for (uint32_t named = 0; named < 3; named++) {
			uint32_t version = 0x030d0000 + named * 0x10000;
			make_record(words, bodies[body], version);
			ck_assert_int_eq(find(&o, version, words), body == named ? OK : ERR_LAYOUT);
		}
	}
}
END_TEST

/* As an alpha or beta may have it: one word more or less, anywhere before the last group read. */
START_TEST(a_record_with_a_word_more_or_less_is_refused)
{
	struct py_offsets o;
	uint64_t words[WORDS];
	for (size_t at = 3; at <= 58; at++) {
		make_record(words, of_3_15, 0x030f00a1);
		memmove(&words[at + 1], &words[at], (WORDS - at - 1) * sizeof(*words));
		words[at] = 24;
		ck_assert_int_eq(find(&o, 0x030f0000, words), ERR_LAYOUT);
		make_record(words, of_3_15, 0x030f00a1);
		memmove(&words[at], &words[at + 1], (WORDS - at - 1) * sizeof(*words));
		ck_assert_int_eq(find(&o, 0x030f0000, words), ERR_LAYOUT);
	}
}
END_TEST

START_TEST(what_is_not_a_record_is_refused)
{
	struct py_offsets o;
	uint64_t words[WORDS];
	ck_assert_int_eq(find(&o, 0x030d0000, NULL), ERR_LAYOUT);
	make_record(words, of_3_13, 0x030d00f0);
	words[0]++;
	ck_assert_int_eq(find(&o, 0x030d0000, words), ERR_LAYOUT);
	make_record(words, of_3_13, 0x030e00f0);
	ck_assert_int_eq(find(&o, 0x030d0000, words), ERR_LAYOUT);
	make_record(words, of_3_13, 0x030d00f0);
	words[2] = 1;	/* free-threaded */
	ck_assert_int_eq(find(&o, 0x030d0000, words), ERR_LAYOUT);
}
END_TEST

START_TEST(older_versions_come_from_the_table)
{
	struct py_offsets o;
	ck_assert_int_eq(find(&o, 0x030a0df0, NULL), OK);
	ck_assert(o.frame_objects);
	ck_assert_int_eq(find(&o, 0x030b07f0, NULL), OK);
	ck_assert(!o.frame_objects);
	ck_assert_uint_ne(o.cframe_frame, PY_OFFSET_NONE);
	ck_assert_int_eq(find(&o, 0x030c01f0, NULL), OK);
	ck_assert_uint_eq(o.version, 0x030c0000);
	ck_assert_uint_eq(o.frame_globals, PY_OFFSET_NONE);
}
END_TEST

START_TEST(unknown_versions_are_refused)
{
	struct py_offsets o;
	uint64_t words[WORDS];
	make_record(words, of_3_15, 0x031000f0);
	ck_assert_int_eq(find(&o, 0x03100000, words), ERR_LAYOUT);
	ck_assert_int_eq(find(&o, 0x03090000, NULL), ERR_LAYOUT);
	ck_assert_int_eq(find(&o, 0, NULL), ERR_LAYOUT);
}
END_TEST

UNIT_TESTS("py_offsets", published_offsets_of_3_13_are_read, published_offsets_of_3_14_and_3_15_are_read,
	   a_record_of_another_layout_is_refused, a_record_with_a_word_more_or_less_is_refused,
	   what_is_not_a_record_is_refused, older_versions_come_from_the_table, unknown_versions_are_refused)
