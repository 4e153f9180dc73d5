/*
 * lock_naming.h - the class of the lock that an operation is on, named as well as can be.
 */
#ifndef SNECK_COLLECTOR_LOCK_NAMING_H
#define SNECK_COLLECTOR_LOCK_NAMING_H

#include <Python.h>

#include "collector/lock_class.h"
#include "collector/primitives.h"

/* Where an operation takes place, for names: all frames, leaf first, before any is skipped. */
struct lock_place {
	const void *tstate;
	const struct raw_frame *frames;
	size_t depth;
	const struct primitive_use *use;
};

/*
 * Of a lock of this kind.  One that nobody saw being made is searched for, and remembered
 * where its death will be seen.  With the GIL; may be called inside a sample.  NULL without
 * memory, or where there is nothing to call it by.
 */
struct lock_class *lock_naming_class(PyObject *lock, enum lock_kind kind, const struct lock_place *place);

/* The same for one whose name is known, used by the user's own code.  Else NULL: ask the above. */
struct lock_class *lock_naming_known(const PyObject *lock);

/* The same of the semaphore (NULL: unknown) that this lock is inside of. */
struct lock_class *lock_naming_known_semaphore(const PyObject *lock, const PyObject *semaphore);

#endif
