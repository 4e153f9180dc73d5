/*
 * lock_hooks.h - the functions that stand in for CPython's own, and the table of both.
 */
#ifndef SNECK_COLLECTOR_LOCK_HOOKS_H
#define SNECK_COLLECTOR_LOCK_HOOKS_H

#include <Python.h>

#include <stdbool.h>
#include <stdint.h>

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
	union {
		PyObject *args;			/* VARARGS: a tuple; NOARGS: the argument, or NULL */
		PyObject *const *vector;	/* FASTCALL: n arguments, then the keywords' values */
	};
	Py_ssize_t n;
	PyObject *keywords;		/* VARARGS_KEYWORDS: a dict; FASTCALL_KEYWORDS: a tuple of names; or NULL */
};

PyObject *lock_call_original(const struct lock_call *call);

/* The convention of a method's flags, or -1: we have no function for it. */
int lock_convention_of(int flags);

/* ---- what the hot path looks at ----------------------------------------------------- */

/*
 * Where a kind of lock keeps whether it is taken, found and proved by lock_look.c:
 *
 *     a word of the lock    any bit of the mask set: taken                   (a mutex byte of 3.14)
 *     a semaphore           the lock has its address.  Its 64 bits are       (before)
 *                           value | waiters << 32: 1 is free, and nobody waits
 *
 * Not proved: a word, with mask 0.
 */
struct lock_look {
	bool is_semaphore;
	size_t at;		/* offset into the lock: the word, or the semaphore's address */
	uintptr_t mask;
};

/* An RLock's owner, as PyThread_get_thread_ident() has it; 0 for none.  Not proved: mask 0. */
struct rlock_owner {
	size_t at;
	uintptr_t mask;
};

extern struct lock_look lock_looks[LOCK_KINDS] __attribute__((visibility("hidden")));	/* by enum lock_kind */
extern struct rlock_owner rlock_owner_look __attribute__((visibility("hidden")));

static inline uintptr_t lock_word(const PyObject *lock, size_t at)
{
	return *(const volatile uintptr_t *)((const char *)lock + at);
}

/* The semaphore behind the lock.  One load: value and waiters are of the same moment. */
static inline uint64_t lock_semaphore(const PyObject *lock, size_t at)
{
	return *(const volatile uint64_t *)lock_word(lock, at);
}

/* 0: taken.  (The top bit of the 32 is musl's: there are waiters.) */
static inline unsigned lock_semaphore_value(const PyObject *lock, size_t at)
{
	return lock_semaphore(lock, at) & INT32_MAX;
}

/* False: the lock is free.  True: taken, or being handed on. */
static inline bool lock_is_busy(const PyObject *lock, const struct lock_look *look)
{
	if (look->is_semaphore)
		return lock_semaphore(lock, look->at) != 1;
	return lock_word(lock, look->at) & look->mask;
}

static inline uintptr_t rlock_owner(const PyObject *lock)
{
	return lock_word(lock, rlock_owner_look.at) & rlock_owner_look.mask;
}

/* ---- the slow paths, in lock_sample.c ------------------------------------------------ */

/* A struct lock_call in six registers, so that they can be jumped to; arguments: args, or vector. */
#define LOCK_CALL_PARAMETERS const struct lock_method *method, enum lock_convention convention, PyObject *lock, \
			     const void *arguments, Py_ssize_t n, PyObject *keywords

PyObject *lock_acquire_slow(LOCK_CALL_PARAMETERS);
PyObject *lock_release_slow(LOCK_CALL_PARAMETERS);
PyObject *lock_reset_slow(LOCK_CALL_PARAMETERS);

#endif
