/*
 * bytecode.h - where a value goes, as the bytecode says: `lock = Lock()` names it.
 *
 * One frame at a time; lock_name.h leads the question on to the caller.
 */
#ifndef SNECK_COLLECTOR_BYTECODE_H
#define SNECK_COLLECTOR_BYTECODE_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

/* How the value comes into a frame, out of the instruction that the frame is at. */
enum arrival_way {
	ARRIVES_MADE,		/* C code made it there: it is the result of a call, or unknown */
	ARRIVES_RETURNED,	/* a Python function returned it */
	ARRIVES_YIELDED,	/* a generator yielded it */
	ARRIVES_HELD,		/* a Python function returned a container that holds it */
};

struct arrival {
	enum arrival_way way;
	int position;		/* held: as which of a tuple's or list's items, or -1 */
};

enum destination_kind {
	GOES_UNKNOWN,		/* ask the frames of its first use */
	GOES_NAMED,		/* to a variable, an attribute, an item */
	GOES_RETURNED, GOES_YIELDED, GOES_HELD,	/* to the caller: the next arrival there */
	GOES_DROPPED,		/* nowhere: an expression statement */
};

struct destination {
	enum destination_kind kind;
	PyObject *name;		/* str, new reference or NULL; of the container, if in_container */
	bool in_container;	/* one of several: locks[...] */
	bool of_self;		/* an attribute of the function's first argument */
	bool is_attribute;
	int position;		/* GOES_HELD: as in struct arrival */
	PyObject *keyword;	/* str, new reference or NULL: passed on under this name, if nothing better is known */
};

/*
 * Follow the value from the instruction at this byte of the code object.  With the GIL, after opcodes_init().
 * Runs no Python code and makes no object that the garbage collector tracks; yet not for
 * use inside a sample: it decodes up to a few hundred instructions.  OK, or ERR_NOMEM.
 */
int bytecode_follow(PyObject *code, uintptr_t instruction, struct arrival arrival, struct destination *destination);
void bytecode_forget(struct destination *destination);

#endif
