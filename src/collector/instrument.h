/*
 * instrument.h - redirecting C functions inside CPython's own types, and putting them back.
 *
 * A place is a pointer in the interpreter's memory that it calls through.  It is proved
 * before it is written to: what stands there must be what the limited API says of it, and
 * the page must take a write.  Call with the GIL.
 */
#ifndef SNECK_COLLECTOR_INSTRUMENT_H
#define SNECK_COLLECTOR_INSTRUMENT_H

#include <Python.h>
#include <stdbool.h>

struct place {
	void **at;		/* NULL: not proved */
	void *original;		/* what stood there when it was proved */
	int flags;		/* of a method: its calling convention, METH_... */
};

/*
 * The function of the builtin method object `owner.name` (a bound method, or a function of
 * a module): shared by every object of the type.  OK; ERR_STATE if there is no such
 * attribute; ERR_LAYOUT with a reason (static text).  No exception is left set.
 */
int place_of_method(PyObject *owner, const char *name, struct place *place, const char **reason);

/* The slot (Py_tp_new, ...) of a heap type: found by value, which must stand there exactly once. */
int place_of_slot(PyTypeObject *type, int slot, struct place *place, const char **reason);

/* Write our function there, or the original back.  A place not proved is left alone. */
void place_redirect(struct place *place, void *function);
void place_restore(struct place *place);

#endif
