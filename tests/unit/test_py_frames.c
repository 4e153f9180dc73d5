/*
 * test_py_frames.c - walks over frames built by hand, hidden and half made ones among them.
 */
#include <config.h>

#include "runtime/py_frames.h"
#include "unit.h"

#include <string.h>

/* An interpreter of our own, in the manner of 3.14. */
struct object {
	intptr_t refcount;
	uintptr_t type;
};

struct tuple {
	struct object head;
	size_t length;
	uintptr_t items[4];
};

struct code {
	struct object head;
	struct tuple *names;
	int32_t first_traceable;
	uint16_t bytecode[32];
};

struct frame_record {
	uintptr_t code;
	struct frame_record *previous;
	uintptr_t globals, namespace;
	uint16_t *instruction;
	uint8_t owner;
	uintptr_t slots[4];
};

struct thread {
	uintptr_t other;
	struct frame_record *frame;
};

enum { BY_THREAD, BY_GENERATOR, BY_FRAME_OBJECT, BY_INTERPRETER, BY_THREAD_STATE };

static char code_type, str_type;
static struct tuple names = {.length = 3, .items = {0x1000, 0x2000, 0x3000}};
static struct code code_a = {{1, (uintptr_t)&code_type}, &names, 2, {0}};
static struct code code_b = {{1, (uintptr_t)&code_type}, &names, 0, {0}};
static struct object no_code = {1, (uintptr_t)&str_type};

static const struct py_offsets ours = {
	.version = 0x030e0000,
	.thread_frame = offsetof(struct thread, frame),
	.cframe_frame = PY_OFFSET_NONE,
	.frame_previous = offsetof(struct frame_record, previous),
	.frame_code = offsetof(struct frame_record, code),
	.frame_instruction = offsetof(struct frame_record, instruction),
	.frame_owner = offsetof(struct frame_record, owner),
	.frame_slots = offsetof(struct frame_record, slots),
	.frame_globals = offsetof(struct frame_record, globals),
	.frame_namespace = offsetof(struct frame_record, namespace),
	.code_bytecode = offsetof(struct code, bytecode),
	.code_first_traceable = offsetof(struct code, first_traceable),
	.code_slot_names = offsetof(struct code, names),
	.code_local_names = PY_OFFSET_NONE,
	.code_cell_names = PY_OFFSET_NONE,
	.code_free_names = PY_OFFSET_NONE,
	.tuple_items = offsetof(struct tuple, items),
	.code_type = (uintptr_t)&code_type,
};

static struct frame_record frame_of(struct code *code, int instruction, uint8_t owner, struct frame_record *previous)
{
	return (struct frame_record){(uintptr_t)code, previous, 0, 0, code->bytecode + instruction, owner, {0}};
}

static void assert_stack(const struct frame_record *leaf, size_t n, const struct raw_frame *expected)
{
	struct thread thread = {0, (struct frame_record *)leaf};
	struct raw_frame raw[8], carefully[8];
	size_t total;
	bool whole;
	py_frames_use_offsets(&ours);
	ck_assert_uint_eq(py_frames_walk(&thread, raw, 8, &total), n);
	ck_assert_uint_eq(total, n);
	ck_assert_uint_eq(py_frames_walk_carefully(&ours, &thread, carefully, 8, &whole), n);
	ck_assert(whole);
	for (size_t i = 0; i < n; i++) {
		ck_assert_uint_eq(raw[i].code, expected[i].code);
		ck_assert_uint_eq(raw[i].instruction, expected[i].instruction);
		ck_assert_mem_eq(&raw[i], &carefully[i], sizeof(*raw));
	}
	struct raw_frame first;
	ck_assert_int_eq(py_frames_leaf(&thread, &first), n > 0);
	if (n)
		ck_assert_mem_eq(&first, raw, sizeof(first));
}

START_TEST(nothing_is_walked_before_a_way_is_chosen)
{
	struct frame_record leaf = frame_of(&code_a, 5, BY_THREAD, NULL);
	struct thread thread = {0, &leaf};
	struct raw_frame raw;
	struct py_frame_variables variables;
	size_t total = 7;
	ck_assert_uint_eq(py_frames_walk(&thread, &raw, 1, &total), 0);
	ck_assert_uint_eq(total, 0);
	ck_assert(!py_frames_leaf(&thread, &raw));
	ck_assert(!py_frames_variables(&thread, 0, &variables));
}
END_TEST

START_TEST(frames_come_leaf_first_with_byte_offsets)
{
	struct frame_record root = frame_of(&code_b, 0, BY_THREAD, NULL);
	struct frame_record leaf = frame_of(&code_a, 7, BY_FRAME_OBJECT, &root);
	assert_stack(&leaf, 2, (struct raw_frame[]){{(uintptr_t)&code_a, 14}, {(uintptr_t)&code_b, 0}});
}
END_TEST

START_TEST(an_empty_stack_is_empty)
{
	assert_stack(NULL, 0, NULL);
	struct raw_frame raw;
	size_t total = 1;
	ck_assert_uint_eq(py_frames_walk(NULL, &raw, 1, &total), 0);
	ck_assert_uint_eq(total, 0);
}
END_TEST

START_TEST(the_interpreters_own_frames_are_hidden)
{
	struct frame_record base = {.owner = BY_THREAD_STATE};
	struct frame_record root = frame_of(&code_b, 3, BY_THREAD, &base);
	struct frame_record entry = {.owner = BY_INTERPRETER, .previous = &root};
	struct frame_record leaf = frame_of(&code_a, 4, BY_THREAD, &entry);
	struct frame_record top = {.owner = BY_INTERPRETER, .previous = &leaf};
	assert_stack(&top, 2, (struct raw_frame[]){{(uintptr_t)&code_a, 8}, {(uintptr_t)&code_b, 6}});
}
END_TEST

START_TEST(half_made_frames_are_hidden_but_for_generators)
{
	struct frame_record root = frame_of(&code_b, 3, BY_THREAD, NULL);
	struct frame_record made = frame_of(&code_a, 2, BY_THREAD, &root);
	struct frame_record half = frame_of(&code_a, 1, BY_THREAD, &made);
	struct frame_record generator = frame_of(&code_a, 1, BY_GENERATOR, &half);
	struct frame_record unborn = frame_of(&code_b, -1, BY_THREAD, &generator);
	assert_stack(&unborn, 3, (struct raw_frame[]){{(uintptr_t)&code_a, 2}, {(uintptr_t)&code_a, 4}, {(uintptr_t)&code_b, 6}});
}
END_TEST

START_TEST(what_runs_no_code_object_is_hidden)
{
	struct frame_record root = frame_of(&code_b, 3, BY_THREAD, NULL);
	struct frame_record other = {.code = (uintptr_t)&no_code, .previous = &root};
	struct frame_record none = {.code = 1, .previous = &other};
	assert_stack(&none, 1, (struct raw_frame[]){{(uintptr_t)&code_b, 6}});
}
END_TEST

START_TEST(tagged_references_are_untagged)
{
	struct frame_record leaf = frame_of(&code_a, 4, BY_THREAD, NULL);
	leaf.code |= 1;
	assert_stack(&leaf, 1, (struct raw_frame[]){{(uintptr_t)&code_a, 8}});
}
END_TEST

START_TEST(deep_stacks_are_counted_whole_and_cut)
{
	enum { DEPTH = 5000 };
	struct frame_record *frames = calloc(DEPTH, sizeof(*frames));
	struct raw_frame raw[64];
	size_t total;
	for (int i = 0; i < DEPTH; i++)
		frames[i] = frame_of(&code_b, i % 32, BY_THREAD, i ? &frames[i - 1] : NULL);
	struct thread thread = {0, &frames[DEPTH - 1]};
	py_frames_use_offsets(&ours);
	raw[63].code = 99;
	ck_assert_uint_eq(py_frames_walk(&thread, raw, 63, &total), 63);
	ck_assert_uint_eq(total, DEPTH);
	ck_assert_uint_eq(raw[62].instruction, (DEPTH - 63) % 32 * 2);
	ck_assert_uint_eq(raw[63].code, 99);
	ck_assert_uint_eq(py_frames_walk(&thread, NULL, 0, &total), 0);
	ck_assert_uint_eq(total, DEPTH);
	bool whole;
	ck_assert_uint_eq(py_frames_walk_carefully(&ours, &thread, raw, 10, &whole), 10);
	ck_assert(!whole);
	free(frames);
}
END_TEST

START_TEST(wild_pointers_end_a_careful_walk)
{
	struct frame_record leaf = frame_of(&code_a, 4, BY_THREAD, (struct frame_record *)8);
	struct frame_record wild = {.code = 16, .previous = &leaf};
	struct thread thread = {0, &wild};
	struct raw_frame raw[8];
	bool whole;
	ck_assert_uint_eq(py_frames_walk_carefully(&ours, &thread, raw, 8, &whole), 1);
	ck_assert_uint_eq(raw[0].code, (uintptr_t)&code_a);
	thread.frame = (struct frame_record *)8;
	ck_assert_uint_eq(py_frames_walk_carefully(&ours, &thread, raw, 8, &whole), 0);
	ck_assert_uint_eq(py_frames_walk_carefully(&ours, (void *)8, raw, 8, &whole), 0);
}
END_TEST

START_TEST(frame_objects_count_instructions_in_units)
{
	struct {
		uintptr_t previous, code;
		int32_t instruction;
	} root = {0, (uintptr_t)&code_b, -1}, leaf = {(uintptr_t)&root, (uintptr_t)&code_a, 21};
	struct py_offsets objects = ours;
	objects.frame_objects = true;
	objects.frame_previous = 0;
	objects.frame_code = 8;
	objects.frame_instruction = 16;
	struct thread thread = {0, (void *)&leaf};
	struct raw_frame raw[4];
	size_t total;
	py_frames_use_offsets(&objects);
	ck_assert_uint_eq(py_frames_walk(&thread, raw, 4, &total), 2);
	ck_assert_uint_eq(raw[0].instruction, 42);
	ck_assert_int_eq((int)raw[1].instruction, -2);
}
END_TEST

START_TEST(variables_are_named_and_untagged)
{
	struct frame_record root = frame_of(&code_b, 3, BY_THREAD, NULL);
	struct frame_record entry = {.owner = BY_INTERPRETER, .previous = &root};
	struct frame_record leaf = frame_of(&code_a, 4, BY_THREAD, &entry);
	root.globals = 0x70, root.namespace = 0x80;
	root.slots[0] = 0x4000 | 1, root.slots[1] = 0x5000, root.slots[2] = 1;
	struct thread thread = {0, &leaf};
	struct py_frame_variables variables;
	uintptr_t name;
	py_frames_use_offsets(&ours);
	ck_assert(py_frames_variables(&thread, 1, &variables));
	ck_assert_uint_eq(variables.globals, 0x70);
	ck_assert_uint_eq(variables.namespace, 0x80);
	ck_assert_uint_eq(variables.n_slots, 3);
	ck_assert_uint_eq(py_frames_variable(&variables, 0, &name), 0x4000);
	ck_assert_uint_eq(name, 0x1000);
	ck_assert_uint_eq(py_frames_variable(&variables, 1, &name), 0x5000);
	ck_assert_uint_eq(py_frames_variable(&variables, 2, &name), 0);
	ck_assert_uint_eq(name, 0x3000);
	root.slots[0] = 3;	/* a tagged integer is no object */
	ck_assert_uint_eq(py_frames_variable(&variables, 0, &name), 0);
	ck_assert(!py_frames_variables(&thread, 2, &variables));
}
END_TEST

static size_t two_frames(const void *tstate, struct raw_frame *frames, size_t max, size_t *total)
{
	(void)tstate;
	for (size_t i = 0; i < 2 && i < max; i++)
		frames[i] = (struct raw_frame){i + 1, 0};
	*total = 2;
	return max < 2 ? max : 2;
}

START_TEST(another_walker_is_used_when_told)
{
	struct raw_frame raw[2];
	struct py_frame_variables variables;
	size_t total;
	py_frames_use_walker(two_frames);
	ck_assert_uint_eq(py_frames_walk(NULL, raw, 2, &total), 2);
	ck_assert(py_frames_leaf(NULL, raw));
	ck_assert_uint_eq(raw[0].code, 1);
	ck_assert(!py_frames_variables(NULL, 0, &variables));
}
END_TEST

UNIT_TESTS("py_frames", nothing_is_walked_before_a_way_is_chosen, frames_come_leaf_first_with_byte_offsets,
	   an_empty_stack_is_empty, the_interpreters_own_frames_are_hidden,
	   half_made_frames_are_hidden_but_for_generators, what_runs_no_code_object_is_hidden,
	   tagged_references_are_untagged, deep_stacks_are_counted_whole_and_cut, wild_pointers_end_a_careful_walk,
	   frame_objects_count_instructions_in_units, variables_are_named_and_untagged,
	   another_walker_is_used_when_told)
