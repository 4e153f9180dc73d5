/*
 * py_frames.h - the Python stack of a thread, as raw (code, instruction) pairs.
 *
 * Reads interpreter memory by the offsets of py_offsets.h; calls nothing of Python's,
 * allocates nothing.  The caller holds the GIL of the thread's interpreter and passes the
 * current thread state, so plain reads are safe.
 */
#ifndef SNECK_RUNTIME_PY_FRAMES_H
#define SNECK_RUNTIME_PY_FRAMES_H

#include <stddef.h>
#include <stdint.h>

struct raw_frame {
	uintptr_t code;		/* address of the code object */
	uintptr_t instruction;	/* byte offset of the running instruction into its bytecode */
};

/*
 * Fill frames (room for max), leaf first; *total is the stack's whole depth.  Returns how
 * many were filled: min(max, *total).  tstate is a PyThreadState *.
 */
size_t py_frames_walk(const void *tstate, struct raw_frame *frames, size_t max, size_t *total);

/* The leaf frame alone (the caller of a C function): false if there is none. */
int py_frames_leaf(const void *tstate, struct raw_frame *frame);

#endif
