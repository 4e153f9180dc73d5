/*
 * lock_hooks.h - the functions that stand in for CPython's own, and the table of both.
 */
#ifndef SNECK_COLLECTOR_LOCK_HOOKS_H
#define SNECK_COLLECTOR_LOCK_HOOKS_H

#include <Python.h>

#include "collector/instrument.h"
#include "collector/lock_class.h"

enum lock_method_id {
#define LOCK_METHOD(identifier, kind, name, role) METHOD_##identifier,
#include "collector/lock_methods.def"
#undef LOCK_METHOD
	LOCK_METHODS
};

enum lock_role { ROLE_ACQUIRE, ROLE_RELEASE, ROLE_RESET };

/* The calling conventions we have functions for; NOARGS serves METH_O too: the same C type. */
enum lock_convention {
	CALL_VARARGS_KEYWORDS,
	CALL_FASTCALL_KEYWORDS,
	CALL_VARARGS,
	CALL_FASTCALL,
	CALL_NOARGS,
	CALL_CONVENTIONS
};

struct lock_method {
	const char *name;
	enum lock_kind kind;
	enum lock_role role;
	struct place place;
	void *hooks[CALL_CONVENTIONS], *slow[CALL_CONVENTIONS];
	void *stub;			/* the hook once more, near the original; NULL for none (lock_stubs.c) */
};

extern struct lock_method lock_methods[LOCK_METHODS] __attribute__((visibility("hidden")));

/* A call as it came in, to be made once more on the original. */
struct lock_call {
	const struct lock_method *method;
	enum lock_convention convention;
	PyObject *lock;
	PyObject *args;			/* VARARGS: a tuple; NOARGS: the argument, or NULL */
	PyObject *keywords;		/* VARARGS_KEYWORDS: a dict; FASTCALL_KEYWORDS: a tuple of names; or NULL */
	PyObject *const *vector;	/* FASTCALL: n arguments, then the keywords' values */
	Py_ssize_t n;
};

PyObject *lock_call_original(const struct lock_call *call);

/* The convention of a method's flags, or -1: we have no function for it. */
int lock_convention_of(int flags);

/* ---- what the hot path looks at ----------------------------------------------------- */

/*
 * Where a lock's state stands, proved by lock_look.c: the byte of a Lock that is nonzero
 * while it is held; the word of an RLock that is its owner's ident.  Not proved: mask 0.
 */
struct lock_look {
	size_t lock_at, rlock_at;	/* offsets into the object */
	uintptr_t lock_mask, rlock_mask;	/* all ones if proved, else 0 */
};

extern struct lock_look lock_look __attribute__((visibility("hidden")));

static inline uintptr_t lock_state(const PyObject *lock)
{
	return *((const volatile unsigned char *)lock + lock_look.lock_at) & lock_look.lock_mask;
}

static inline uintptr_t rlock_owner(const PyObject *lock)
{
	return *(const volatile uintptr_t *)((const char *)lock + lock_look.rlock_at) & lock_look.rlock_mask;
}

/* ---- the slow paths, in lock_sample.c ------------------------------------------------ */

PyObject *lock_acquire_slow(const struct lock_call *call);
PyObject *lock_release_slow(const struct lock_call *call);
PyObject *lock_reset_slow(const struct lock_call *call);

#endif
