/*
 * lock_search.h - what a frame calls an object: found by identity.
 *
 * For locks that were there before us, and for those whose creation does not say.
 */
#ifndef SNECK_COLLECTOR_LOCK_SEARCH_H
#define SNECK_COLLECTOR_LOCK_SEARCH_H

#include <Python.h>
#include <stdbool.h>
#include <stddef.h>

/* So many values are looked at, all in all: at the very most 50 to 70 microseconds, measured. */
enum { LOCK_SEARCH_MAX = 4096 };

struct lock_finding {
	PyObject *name;		/* str, new reference; NULL: not found */
	bool in_container;	/* it is among the items of what has that name */
	PyTypeObject *owner;	/* borrowed; class of the object whose attribute it is, or NULL */
};

/* Prove how slots are read.  With the GIL, once per process, outside samples. */
void lock_search_init(void);

/*
 * Search the frame at index (0: leaf) of the current thread: its variables, closure cells and
 * globals, and with `attributes` also attributes and items of what those hold, one level
 * deeper for an attribute's attributes.
 *
 * With the GIL; may be called inside a sample: it runs no Python code, no property and no
 * descriptor but slots, makes no object that the garbage collector tracks, and leaves no
 * exception.
 */
void lock_search(const void *tstate, size_t index, PyObject *wanted, bool attributes, struct lock_finding *finding);

/* The first argument of the function at index, borrowed; NULL if it has none. */
PyObject *lock_search_first_argument(const void *tstate, size_t index);

#endif
