/*
 * py_frames.h - the Python stack of a thread, as raw (code, instruction) pairs.
 *
 * Reads interpreter memory by the offsets of py_offsets.h; calls nothing of Python's,
 * allocates nothing.  The caller holds the GIL of the thread's interpreter and passes the
 * current thread state, so plain reads are safe.
 *
 * A walk gives nothing until someone said how to walk: py_frames_use_offsets() once they
 * are proved, or py_frames_use_walker() where they are not (collector/frames.h does it).
 */
#ifndef SNECK_RUNTIME_PY_FRAMES_H
#define SNECK_RUNTIME_PY_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/py_offsets.h"

struct raw_frame {
	uintptr_t code;		/* address of the code object */
	uintptr_t instruction;	/* byte offset of the running instruction, an int as PyCode_Addr2Line takes it */
};

/*
 * Fill frames (room for max), leaf first; *total is the stack's whole depth.  Returns how
 * many were filled: min(max, *total).  tstate is a PyThreadState *.
 */
size_t py_frames_walk(const void *tstate, struct raw_frame *frames, size_t max, size_t *total);

/* The leaf frames alone, at most max: looks no further towards the root.  Returns how many were filled. */
size_t py_frames_leaves(const void *tstate, struct raw_frame *frames, size_t max);

/* The leaf frame alone (the caller of a C function): false if there is none. */
bool py_frames_leaf(const void *tstate, struct raw_frame *frame);

/*
 * What tells a frame's place from others, unchecked and cheap: the words that name its code
 * and instruction.  Compare it with a mark taken when py_frames_leaf() gave a code object
 * that was kept alive since; equal marks are equal places.
 */
struct py_frames_mark {
	uintptr_t frame;	/* for the mark of its caller */
	uintptr_t code;		/* 0: no such frame */
	uintptr_t instruction;
};

/* The code object: the word without the tag that it has in 3.14 and later. */
static inline uintptr_t py_frames_mark_code(const struct py_frames_mark *mark)
{
	return mark->code & ~(uintptr_t)3;
}

extern struct py_offsets py_frames_in_use __attribute__((visibility("hidden")));

static inline uintptr_t py_frames_word(uintptr_t address, uint16_t offset)
{
	return *(const uintptr_t *)(address + offset);
}

static inline struct py_frames_mark py_frames_mark_at(uintptr_t frame)
{
	const struct py_offsets *o = &py_frames_in_use;
	if (__builtin_expect(!frame, 0))
		return (struct py_frames_mark){0};
	uintptr_t at = frame + o->frame_instruction;
	uintptr_t instruction = __builtin_expect(o->frame_objects, 0) ? (uintptr_t)*(const int *)at : *(const uintptr_t *)at;
	return (struct py_frames_mark){frame, py_frames_word(frame, o->frame_code), instruction};
}

/* Of the leaf frame. */
static inline struct py_frames_mark py_frames_mark(const void *tstate)
{
	const struct py_offsets *o = &py_frames_in_use;
	if (__builtin_expect(!o->version, 0))
		return (struct py_frames_mark){0};
	uintptr_t frame = py_frames_word((uintptr_t)tstate, o->thread_frame);
	if (o->cframe_frame != PY_OFFSET_NONE && frame)
		frame = py_frames_word(frame, o->cframe_frame);
	return py_frames_mark_at(frame);
}

static inline struct py_frames_mark py_frames_mark_caller(const struct py_frames_mark *mark)
{
	return py_frames_mark_at(mark->frame ? py_frames_word(mark->frame, py_frames_in_use.frame_previous) : 0);
}

/* ---- the variables of a frame ---------------------------------------------------------- */

/* Addresses of Python objects, all borrowed: they live as the frame does.  0: none. */
struct py_frame_variables {
	uintptr_t code;
	uintptr_t globals;	/* dict */
	uintptr_t namespace;	/* mapping: of a module, class body or exec; 0 in a function */
	const uintptr_t *slots;	/* locals, cells, free variables; read them by py_frames_variable() */
	size_t n_slots;
	uintptr_t names[3];	/* tuples of str whose lengths add up to n_slots; 0: no such tuple */
};

/*
 * The variables of the frame at index, as py_frames_walk() counts: 0 is the leaf.  False if
 * there is no such frame, or the walk goes the slow way.
 */
bool py_frames_variables(const void *tstate, size_t index, struct py_frame_variables *variables);

/*
 * The value of slot i (< n_slots), untagged; 0 if it is unset.  Cells and free variables are
 * cell objects.  *name is the address of its name, a str.
 */
uintptr_t py_frames_variable(const struct py_frame_variables *variables, size_t i, uintptr_t *name);

/* ---- how to walk ----------------------------------------------------------------------- */

typedef size_t (*py_frames_walker)(const void *tstate, struct raw_frame *frames, size_t max, size_t *total);

/* From now on walk by these, or by this.  Once, before the first walk; offsets are copied. */
void py_frames_use_offsets(const struct py_offsets *offsets);
void py_frames_use_walker(py_frames_walker walker);

/* ---- the same, of offsets to be proved --------------------------------------------------- */

/*
 * Everything is fetched through safe_read(): a read that fails gives 0, and ends the stack.
 * At most max frames are looked at, hidden ones too.  *whole: the end was reached.
 */
size_t py_frames_walk_carefully(const struct py_offsets *offsets, const void *tstate, struct raw_frame *frames,
				size_t max, bool *whole);

/* The leaf frame's own address, be it shown or not; 0 if there is none. */
uintptr_t py_frames_address_carefully(const struct py_offsets *offsets, const void *tstate);

/* The variables of the leaf frame. */
bool py_frames_variables_carefully(const struct py_offsets *offsets, const void *tstate,
				   struct py_frame_variables *variables);
uintptr_t py_frames_variable_carefully(const struct py_offsets *offsets, const struct py_frame_variables *variables,
				       size_t i, uintptr_t *name);

#endif
