/*
 * lock_look.c - finding where a lock keeps its state, on locks of our own.
 *
 * Layouts change within a minor version, so no table of versions says it: a lock is made,
 * taken and released, and its bytes are compared.  A place is proved when it is the only
 * one that tells the states apart, the same for two locks and two rounds.
 */
#include <config.h>

#include "collector/lock_look.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "collector/lock_hooks.h"
#include "runtime/error.h"

enum { LOCK_BYTES_MAX = 256 };

struct snapshots {
	unsigned char free[LOCK_BYTES_MAX], taken[LOCK_BYTES_MAX], released[LOCK_BYTES_MAX];
};

static size_t basic_size(PyObject *lock)
{
	PyObject *size = PyObject_GetAttrString((PyObject *)Py_TYPE(lock), "__basicsize__");
	size_t bytes = size ? PyLong_AsSize_t(size) : 0;
	Py_XDECREF(size);
	PyErr_Clear();
	return bytes <= LOCK_BYTES_MAX ? bytes : 0;
}

static bool call(PyObject *lock, const char *method)
{
	PyObject *result = PyObject_CallMethod(lock, method, NULL);
	if (!result)
		PyErr_Clear();
	Py_XDECREF(result);
	return result;
}

static bool take_snapshots(PyObject *lock, size_t size, struct snapshots *s)
{
	memcpy(s->free, lock, size);
	if (!call(lock, "acquire"))
		return false;
	memcpy(s->taken, lock, size);
	bool ok = call(lock, "release");
	memcpy(s->released, lock, size);
	return ok;
}

static bool byte_tells(const struct snapshots *s, size_t at)
{
	return s->free[at] == 0 && s->taken[at] == 1 && s->released[at] == 0;
}

static bool word_tells(const struct snapshots *s, size_t at)
{
	uintptr_t before, owner, after;
	memcpy(&before, s->free + at, sizeof(before));
	memcpy(&owner, s->taken + at, sizeof(owner));
	memcpy(&after, s->released + at, sizeof(after));
	return before == 0 && owner == (uintptr_t)pthread_self() && after == 0;
}

/* The only place, in steps of `step` behind the object's header, that tells; 0 if there is none or several. */
static size_t telling_place(PyObject *lock, size_t step, bool (*tells)(const struct snapshots *, size_t))
{
	struct snapshots s;
	size_t size = basic_size(lock), found = 0;
	if (!size || !take_snapshots(lock, size, &s))
		return 0;
	for (size_t at = sizeof(PyObject); at + step <= size; at += step)
		if (tells(&s, at)) {
			if (found)
				return 0;
			found = at;
		}
	return found;
}

static size_t prove(PyObject *(*make)(void), size_t step, bool (*tells)(const struct snapshots *, size_t))
{
	PyObject *locks[2] = {make(), make()};
	size_t at = locks[0] && locks[1] ? telling_place(locks[0], step, tells) : 0;
	for (int round = 0; at && round < 2; round++)
		for (int i = 0; i < 2; i++)
			if (telling_place(locks[i], step, tells) != at)
				at = 0;
	Py_XDECREF(locks[0]);
	Py_XDECREF(locks[1]);
	PyErr_Clear();
	return at;
}

int lock_look_prove(PyObject *(*make_lock)(void), PyObject *(*make_rlock)(void), const char **reason)
{
	size_t lock_at = prove(make_lock, 1, byte_tells);
	size_t rlock_at = prove(make_rlock, sizeof(uintptr_t), word_tells);
	if (PyThread_get_thread_ident() != (unsigned long)pthread_self())
		rlock_at = 0;
	lock_look = (struct lock_look){
		.lock_at = lock_at, .lock_mask = lock_at ? UINTPTR_MAX : 0,
		.rlock_at = rlock_at, .rlock_mask = rlock_at ? UINTPTR_MAX : 0,
	};
	*reason = !lock_at ? "the state of a Lock did not prove" : !rlock_at ? "the owner of an RLock did not prove" : NULL;
	return *reason ? ERR_LAYOUT : OK;
}
