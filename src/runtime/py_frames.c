/*
 * py_frames.c - walk the interpreter's chain of frames.
 *
 * Each frame knows its code object, the instruction it is at, and the frame that called it:
 *
 *	thread -> frame -> frame -> frame -> 0
 *	            |        |        |
 *	          code     code     code
 *
 * In 3.10 these are frame objects.  From 3.11 on they are records on a stack of the
 * interpreter's own, some of which are no Python function's: entries from C, and frames
 * whose function has not reached its first RESUME.  The interpreter hides those from
 * sys._getframe(), and so do we.
 *
 * Hot path: py_frames_walk, py_frames_leaf (and py_frames_mark, in the header).  Loads and compares alone.
 */
#include <config.h>

#include "runtime/py_frames.h"

#include "runtime/hot.h"
#include "runtime/safe_read.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* Values of frame_owner.  From OWNED_BY_C_STACK on, the frame is the interpreter's (3.12 on). */
enum { OWNED_BY_GENERATOR = 1, OWNED_BY_C_STACK = 3 };

/* The low bits of a _PyStackRef (3.14 on): a reference not counted is 1; 2 and 3 are no objects. */
enum { TAG_UNCOUNTED = 1, TAG_BITS = 3 };

enum { CODE_UNIT_BYTES = 2, OBJECT_TYPE = sizeof(void *), TUPLE_LENGTH = 2 * sizeof(void *) };

struct py_offsets py_frames_in_use SNECK_HOT;

/* ---- reading --------------------------------------------------------------------------- */

/* `careful` is a constant in every caller: plain loads, or loads that may fail. */
static ALWAYS_INLINE bool load(bool careful, uintptr_t address, void *out, size_t size)
{
	if (careful)
		return safe_read(address, out, size);
	__builtin_memcpy(out, (const void *)address, size);
	return true;
}

static ALWAYS_INLINE uintptr_t load_word(bool careful, uintptr_t address)
{
	uintptr_t word;
	return load(careful, address, &word, sizeof(word)) ? word : 0;
}

static ALWAYS_INLINE int32_t load_int(bool careful, uintptr_t address)
{
	int32_t number;
	return load(careful, address, &number, sizeof(number)) ? number : 0;
}

static ALWAYS_INLINE uint8_t load_byte(bool careful, uintptr_t address)
{
	uint8_t byte;
	return load(careful, address, &byte, sizeof(byte)) ? byte : OWNED_BY_C_STACK;
}

static ALWAYS_INLINE uintptr_t untag(uintptr_t reference)
{
	return (reference & TAG_BITS) <= TAG_UNCOUNTED ? reference & ~(uintptr_t)TAG_BITS : 0;
}

/* ---- one frame ------------------------------------------------------------------------- */

static ALWAYS_INLINE bool is_code(bool careful, const struct py_offsets *o, uintptr_t object)
{
	return object && load_word(careful, object + OBJECT_TYPE) == o->code_type;
}

static ALWAYS_INLINE bool read_frame_object(bool careful, const struct py_offsets *o, uintptr_t frame,
					    struct raw_frame *raw)
{
	raw->code = load_word(careful, frame + o->frame_code);
	raw->instruction = (uintptr_t)((intptr_t)load_int(careful, frame + o->frame_instruction) * CODE_UNIT_BYTES);
	return is_code(careful, o, raw->code);
}

/* False for a frame that sys._getframe() does not show. */
static ALWAYS_INLINE bool read_frame_record(bool careful, const struct py_offsets *o, uintptr_t frame,
					    struct raw_frame *raw)
{
	uint8_t owner = load_byte(careful, frame + o->frame_owner);
	if (owner >= OWNED_BY_C_STACK)
		return false;
	raw->code = untag(load_word(careful, frame + o->frame_code));
	if (!is_code(careful, o, raw->code))
		return false;
	raw->instruction = load_word(careful, frame + o->frame_instruction) - (raw->code + o->code_bytecode);
	int32_t first = load_int(careful, raw->code + o->code_first_traceable);
	return owner == OWNED_BY_GENERATOR || (intptr_t)raw->instruction >= (intptr_t)first * CODE_UNIT_BYTES;
}

static ALWAYS_INLINE bool read_frame(bool careful, const struct py_offsets *o, uintptr_t frame, struct raw_frame *raw)
{
	return o->frame_objects ? read_frame_object(careful, o, frame, raw) : read_frame_record(careful, o, frame, raw);
}

/* ---- the chain ------------------------------------------------------------------------- */

static ALWAYS_INLINE uintptr_t leaf_address(bool careful, const struct py_offsets *o, const void *tstate)
{
	if (!tstate)
		return 0;
	uintptr_t frame = load_word(careful, (uintptr_t)tstate + o->thread_frame);
	if (o->cframe_frame != PY_OFFSET_NONE && frame)
		frame = load_word(careful, frame + o->cframe_frame);
	return frame;
}

/* The first frame shown, from this one on towards the root; 0 at the end of the stack. */
static ALWAYS_INLINE uintptr_t find_shown(bool careful, const struct py_offsets *o, uintptr_t frame,
					  struct raw_frame *raw)
{
	while (frame && !read_frame(careful, o, frame, raw))
		frame = load_word(careful, frame + o->frame_previous);
	return frame;
}

static ALWAYS_INLINE uintptr_t next_shown(bool careful, const struct py_offsets *o, uintptr_t frame,
					  struct raw_frame *raw)
{
	return find_shown(careful, o, load_word(careful, frame + o->frame_previous), raw);
}

/* ---- ways to walk ---------------------------------------------------------------------- */

static size_t walk_nothing(const void *tstate, struct raw_frame *frames, size_t max, size_t *total)
{
	(void)tstate, (void)frames, (void)max;
	*total = 0;
	return 0;
}

/* The copy of the offsets tells the compiler that storing a frame does not change them. */
static ALWAYS_INLINE size_t walk(struct py_offsets o, const void *tstate, struct raw_frame *frames, size_t max,
				 size_t *total)
{
	size_t depth = 0;
	struct raw_frame raw;
	uintptr_t frame = find_shown(false, &o, leaf_address(false, &o, tstate), &raw);
	for (; frame; frame = next_shown(false, &o, frame, &raw)) {
		if (depth < max)
			frames[depth] = raw;
		depth++;
	}
	*total = depth;
	return depth < max ? depth : max;
}

static size_t walk_frame_objects(const void *tstate, struct raw_frame *frames, size_t max, size_t *total)
{
	struct py_offsets offsets = py_frames_in_use;
	offsets.frame_objects = true;
	return walk(offsets, tstate, frames, max, total);
}

static size_t walk_frame_records(const void *tstate, struct raw_frame *frames, size_t max, size_t *total)
{
	struct py_offsets offsets = py_frames_in_use;
	offsets.frame_objects = false;
	return walk(offsets, tstate, frames, max, total);
}

static py_frames_walker walker SNECK_HOT = walk_nothing;

void py_frames_use_offsets(const struct py_offsets *offsets)
{
	py_frames_in_use = *offsets;
	walker = offsets->frame_objects ? walk_frame_objects : walk_frame_records;
}

void py_frames_use_walker(py_frames_walker slow)
{
	py_frames_in_use = (struct py_offsets){0};
	walker = slow;
}

static bool have_offsets(void)
{
	return py_frames_in_use.version != 0;
}

/* ---- what callers see ------------------------------------------------------------------ */

size_t py_frames_walk(const void *tstate, struct raw_frame *frames, size_t max, size_t *total)
{
	return walker(tstate, frames, max, total);
}

size_t py_frames_leaves(const void *tstate, struct raw_frame *frames, size_t max)
{
	const struct py_offsets *o = &py_frames_in_use;
	size_t depth = 0, total;
	if (!have_offsets())
		return walker(tstate, frames, max, &total);
	uintptr_t frame = leaf_address(false, o, tstate);
	while (depth < max && (frame = find_shown(false, o, frame, &frames[depth])) != 0) {
		frame = load_word(false, frame + o->frame_previous);
		depth++;
	}
	return depth;
}

SNECK_HOT_CODE bool py_frames_leaf(const void *tstate, struct raw_frame *frame)
{
	if (have_offsets())
		return find_shown(false, &py_frames_in_use, leaf_address(false, &py_frames_in_use, tstate), frame) != 0;
	size_t total;
	return walker(tstate, frame, 1, &total) == 1;
}

/* ---- variables ------------------------------------------------------------------------- */

static ALWAYS_INLINE size_t tuple_length(bool careful, uintptr_t tuple)
{
	return tuple ? load_word(careful, tuple + TUPLE_LENGTH) : 0;
}

static ALWAYS_INLINE uintptr_t code_tuple(bool careful, uintptr_t code, uint16_t offset)
{
	return offset == PY_OFFSET_NONE ? 0 : load_word(careful, code + offset);
}

static ALWAYS_INLINE void read_variables(bool careful, const struct py_offsets *o, uintptr_t frame, uintptr_t code,
					 struct py_frame_variables *variables)
{
	*variables = (struct py_frame_variables){
		.code = code,
		.globals = load_word(careful, frame + o->frame_globals),
		.namespace = load_word(careful, frame + o->frame_namespace),
		.slots = (const uintptr_t *)(frame + o->frame_slots),
	};
	if (o->frame_objects) {
		variables->names[0] = code_tuple(careful, code, o->code_local_names);
		variables->names[1] = code_tuple(careful, code, o->code_cell_names);
		variables->names[2] = code_tuple(careful, code, o->code_free_names);
	} else {
		variables->names[0] = code_tuple(careful, code, o->code_slot_names);
	}
	for (size_t i = 0; i < 3; i++)
		variables->n_slots += tuple_length(careful, variables->names[i]);
}

static ALWAYS_INLINE uintptr_t read_variable(bool careful, const struct py_offsets *o,
					     const struct py_frame_variables *variables, size_t i, uintptr_t *name)
{
	size_t at = i, tuple = 0, length;
	while (tuple < 2 && at >= (length = tuple_length(careful, variables->names[tuple]))) {
		at -= length;
		tuple++;
	}
	*name = load_word(careful, variables->names[tuple] + o->tuple_items + at * sizeof(uintptr_t));
	return untag(load_word(careful, (uintptr_t)&variables->slots[i]));
}

bool py_frames_variables(const void *tstate, size_t index, struct py_frame_variables *variables)
{
	if (!have_offsets())
		return false;
	struct raw_frame raw;
	uintptr_t frame = find_shown(false, &py_frames_in_use, leaf_address(false, &py_frames_in_use, tstate), &raw);
	while (frame && index--)
		frame = next_shown(false, &py_frames_in_use, frame, &raw);
	if (!frame)
		return false;
	read_variables(false, &py_frames_in_use, frame, raw.code, variables);
	return true;
}

uintptr_t py_frames_variable(const struct py_frame_variables *variables, size_t i, uintptr_t *name)
{
	return read_variable(false, &py_frames_in_use, variables, i, name);
}

/* ---- the same, of offsets to be proved --------------------------------------------------- */

size_t py_frames_walk_carefully(const struct py_offsets *offsets, const void *tstate, struct raw_frame *frames,
				size_t max, bool *whole)
{
	size_t depth = 0, looked_at = 0;
	uintptr_t frame = leaf_address(true, offsets, tstate);
	for (; frame && looked_at < max; looked_at++) {
		if (read_frame(true, offsets, frame, &frames[depth]))
			depth++;
		frame = load_word(true, frame + offsets->frame_previous);
	}
	*whole = frame == 0;
	return depth;
}

uintptr_t py_frames_address_carefully(const struct py_offsets *offsets, const void *tstate)
{
	return leaf_address(true, offsets, tstate);
}

bool py_frames_variables_carefully(const struct py_offsets *offsets, const void *tstate,
				   struct py_frame_variables *variables)
{
	struct raw_frame raw;
	uintptr_t frame = leaf_address(true, offsets, tstate);
	if (!frame || !read_frame(true, offsets, frame, &raw))
		return false;
	read_variables(true, offsets, frame, raw.code, variables);
	return true;
}

uintptr_t py_frames_variable_carefully(const struct py_offsets *offsets, const struct py_frame_variables *variables,
				       size_t i, uintptr_t *name)
{
	return read_variable(true, offsets, variables, i, name);
}
