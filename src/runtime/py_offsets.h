/*
 * py_offsets.h - where CPython keeps what a stack walk needs, in bytes.
 *
 * Found, in order of trust: published by the interpreter itself (3.13 on), or in a table
 * compiled from each version's headers (3.10 to 3.12).  What neither tells is measured.
 * Nothing here is believed before collector/frames.c has proved it on a stack of our own.
 */
#ifndef SNECK_RUNTIME_PY_OFFSETS_H
#define SNECK_RUNTIME_PY_OFFSETS_H

#include <stdbool.h>
#include <stdint.h>

/* A place that this version does not have, or that is not known yet. */
enum { PY_OFFSET_NONE = UINT16_MAX };

struct py_offsets {
	uint32_t version;		/* major and minor alone: 0x030b0000 */
	bool frame_objects;		/* 3.10: the stack is of frame objects */

	uint16_t thread_frame;		/* PyThreadState: its leaf frame, or the _PyCFrame that has it */
	uint16_t cframe_frame;		/* _PyCFrame: the leaf frame (3.11, 3.12) */

	uint16_t frame_previous;	/* towards the root */
	uint16_t frame_code;		/* the code object, tagged from 3.14 on */
	uint16_t frame_instruction;	/* 3.10: int, in code units; later: pointer into the bytecode */
	uint16_t frame_owner;		/* a byte: who owns the frame's memory (3.11 on) */
	uint16_t frame_slots;		/* locals, cells, free variables, then the value stack */
	uint16_t frame_globals;		/* measured */
	uint16_t frame_namespace;	/* f_locals: NULL but in a module, a class body, an exec; measured */

	uint16_t code_bytecode;		/* its first instruction (3.11 on) */
	uint16_t code_first_traceable;	/* int: index of the first RESUME (3.11 on); measured */
	uint16_t code_slot_names;	/* tuple: one name for each of frame_slots (3.11 on) */
	uint16_t code_local_names;	/* 3.10: tuples of names, of locals, */
	uint16_t code_cell_names;	/* cells */
	uint16_t code_free_names;	/* and free variables */

	uint16_t tuple_items;		/* its first item */

	uintptr_t code_type;		/* address of the type of code objects; measured */
};

/*
 * Fill offsets for an interpreter of this version (as Py_Version, only major and minor are
 * looked at).  runtime is the address of _PyRuntime, or NULL; it is read from 3.13 on.
 * Measured members are left PY_OFFSET_NONE.  OK, or ERR_LAYOUT: *reason then says why, static.
 */
int py_offsets_find(struct py_offsets *offsets, uint32_t version, const void *runtime, const char **reason);

#endif
