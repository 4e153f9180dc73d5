/*
 * lock_owner.h - whose lock it is: the qualified name of a class or function.
 */
#ifndef SNECK_COLLECTOR_LOCK_OWNER_H
#define SNECK_COLLECTOR_LOCK_OWNER_H

#include <Python.h>
#include <stdbool.h>

#include "runtime/py_frames.h"

/*
 * With the GIL; may be called inside a sample: nothing of the user's runs, no object is made
 * that the garbage collector tracks.  Both give (free()), or NULL for no owner.
 */
char *lock_owner_of_type(PyTypeObject *type);

/*
 * From the frame at index i of the current thread's stack.  An attribute of self (or cls)
 * belongs to the class whose method this is, a variable to the function or class body.  A
 * module's have no owner.
 */
char *lock_owner_of_frame(const void *tstate, const struct raw_frame *frames, size_t i, bool of_self);

#endif
