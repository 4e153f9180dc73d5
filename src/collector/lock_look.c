/*
 * lock_look.c - finding where a lock keeps its state, on locks of our own.
 *
 * Layouts change within a minor version, so no table of versions says it: a lock is made,
 * taken and released, and what it was is compared.  A place is proved when it is the only
 * one that tells the states apart, the same for two locks and two rounds.
 *
 * From 3.14 on (late 3.13: a Lock) a byte of it says whether it is taken.  Before, a semaphore
 * does, to which the lock has a pointer; the lock's own flag, or an RLock's owner, is set by the
 * one who got it only when he has the GIL again.  A lock that was handed on looks free by these
 * meanwhile, so they are second best, for interpreters built without semaphores.
 */
#include <config.h>

#include "collector/lock_look.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <string.h>

#include "collector/lock_hooks.h"
#include "runtime/safe_read.h"

enum { LOCK_BYTES_MAX = 256, WORD = sizeof(uintptr_t) };

/* AGAIN: an RLock taken twice, a Lock as in TAKEN. */
enum state { FREE, TAKEN, AGAIN, RELEASED, STATES };

/* A lock as it was in each state, and the words that its words point to. */
struct snapshots {
	unsigned char bytes[STATES][LOCK_BYTES_MAX];
	uint64_t behind[STATES][LOCK_BYTES_MAX / WORD];
};

/* A kind of place: its alignment, and whether it tells the states apart. */
struct place_kind {
	size_t step;
	bool (*tells)(const struct snapshots *s, size_t at);
};

static size_t basic_size(PyObject *lock)
{
	PyObject *size = PyObject_GetAttrString((PyObject *)Py_TYPE(lock), "__basicsize__");
	size_t bytes = size ? PyLong_AsSize_t(size) : 0;
	Py_XDECREF(size);
	PyErr_Clear();
	return bytes <= LOCK_BYTES_MAX && bytes % WORD == 0 ? bytes : 0;
}

static bool call(PyObject *lock, const char *method)
{
	PyObject *result = PyObject_CallMethod(lock, method, NULL);
	if (!result)
		PyErr_Clear();
	Py_XDECREF(result);
	return result;
}

static uintptr_t word_of(const struct snapshots *s, enum state state, size_t at)
{
	uintptr_t word;
	memcpy(&word, s->bytes[state] + at, WORD);
	return word;
}

/* What nothing readable stands behind is as good as a value that no lock's semaphore has. */
static void snap(struct snapshots *s, enum state state, PyObject *lock, size_t size)
{
	memcpy(s->bytes[state], lock, size);
	for (size_t at = 0; at < size; at += WORD) {
		uintptr_t pointer = word_of(s, state, at);
		uint64_t *behind = &s->behind[state][at / WORD];
		if (pointer % sizeof(*behind) || !safe_read(pointer, behind, sizeof(*behind)))
			*behind = UINT64_MAX;
	}
}

static bool take_snapshots(PyObject *lock, size_t size, bool reenters, struct snapshots *s)
{
	snap(s, FREE, lock, size);
	if (!call(lock, "acquire"))
		return false;
	snap(s, TAKEN, lock, size);
	bool again = !reenters || call(lock, "acquire");
	snap(s, AGAIN, lock, size);
	bool ok = again && (!reenters || call(lock, "release"));
	return call(lock, "release") && (snap(s, RELEASED, lock, size), ok);
}

static bool owner_tells(const struct snapshots *s, size_t at)
{
	uintptr_t self = (uintptr_t)pthread_self();
	return word_of(s, FREE, at) == 0 && word_of(s, TAKEN, at) == self && word_of(s, AGAIN, at) == self &&
	       word_of(s, RELEASED, at) == 0;
}

/* Of an owner's ident, too, a byte may be 1: by chance, in one process of sixty. */
static bool byte_tells(const struct snapshots *s, size_t at)
{
	return s->bytes[FREE][at] == 0 && s->bytes[TAKEN][at] == 1 && s->bytes[AGAIN][at] == 1 &&
	       s->bytes[RELEASED][at] == 0 && !owner_tells(s, at - at % WORD);
}

static bool semaphore_tells(const struct snapshots *s, size_t at)
{
	const size_t i = at / WORD;
	for (int state = TAKEN; state < STATES; state++)
		if (word_of(s, (enum state)state, at) != word_of(s, FREE, at))
			return false;
	return s->behind[FREE][i] == 1 && s->behind[TAKEN][i] == 0 && s->behind[AGAIN][i] == 0 && s->behind[RELEASED][i] == 1;
}

static const struct place_kind a_byte = {1, byte_tells}, an_owner = {WORD, owner_tells}, a_semaphore = {WORD, semaphore_tells};

/* The only place behind the object's header that tells; 0 if there is none or several. */
static size_t telling_place(PyObject *lock, bool reenters, const struct place_kind *kind)
{
	struct snapshots s;
	size_t size = basic_size(lock), found = 0;
	if (!size || !take_snapshots(lock, size, reenters, &s))
		return 0;
	for (size_t at = sizeof(PyObject); at + kind->step <= size; at += kind->step)
		if (kind->tells(&s, at)) {
			if (found)
				return 0;
			found = at;
		}
	return found;
}

static size_t prove(PyObject *const locks[2], bool reenters, const struct place_kind *kind)
{
	size_t at = telling_place(locks[0], reenters, kind);
	for (int round = 0; at && round < 2; round++)
		for (int i = 0; i < 2; i++)
			if (telling_place(locks[i], reenters, kind) != at)
				return 0;
	return at;
}

/* Does the C library see that semaphore too, in each lock's own memory? */
static bool is_semaphore(PyObject *const locks[2], size_t at)
{
	int value = 0;
	sem_t *of[2] = {(sem_t *)lock_word(locks[0], at), (sem_t *)lock_word(locks[1], at)};
	return of[0] != of[1] && sem_getvalue(of[0], &value) == 0 && value == 1 &&
	       sem_getvalue(of[1], &value) == 0 && value == 1;
}

/* A mask for the byte at `at` in the aligned word that it is part of. */
static struct lock_look look_at_byte(size_t at)
{
	struct lock_look look = {.at = at - at % WORD};
	unsigned char bytes[WORD] = {0};
	bytes[at % WORD] = 1;
	memcpy(&look.mask, bytes, WORD);
	return look;
}

/* The best place that proves; mask 0 if none does.  *is_sure: it is never late. */
static struct lock_look look_of(PyObject *const locks[2], bool reenters, bool *is_sure)
{
	*is_sure = true;
	size_t at = prove(locks, reenters, &a_semaphore);
	if (at && is_semaphore(locks, at))
		return (struct lock_look){.is_semaphore = true, .at = at, .mask = UINTPTR_MAX};
	at = prove(locks, reenters, &a_byte);
	/* a mutex is in the lock, not behind it */
	struct snapshots s;
	snap(&s, FREE, locks[0], basic_size(locks[0]));
	for (size_t i = sizeof(PyObject) / WORD; i < basic_size(locks[0]) / WORD; i++)
		*is_sure &= s.behind[FREE][i] == UINT64_MAX;
	return at ? look_at_byte(at) : (struct lock_look){0};
}

static const char *prove_lock(PyObject *const locks[2])
{
	bool is_sure;
	struct lock_look look = look_of(locks, false, &is_sure);
	lock_looks[LOCK_KIND_LOCK] = look;
	return !look.mask ? "the state of a Lock did not prove" :
	       !is_sure ? "the semaphore of a Lock did not prove: under heavy contention some waits are not seen" : NULL;
}

static const char *prove_rlock(PyObject *const locks[2])
{
	bool is_sure;
	struct lock_look look = look_of(locks, true, &is_sure);
	size_t owner_at = PyThread_get_thread_ident() == (unsigned long)pthread_self() ? prove(locks, true, &an_owner) : 0;
	if (!owner_at)
		return "the owner of an RLock did not prove";
	is_sure &= look.mask != 0;
	rlock_owner_look = (struct rlock_owner){.at = owner_at, .mask = UINTPTR_MAX};
	lock_looks[LOCK_KIND_RLOCK] = is_sure ? look : (struct lock_look){.at = owner_at, .mask = UINTPTR_MAX};
	return is_sure ? NULL : "the semaphore of an RLock did not prove: under heavy contention some waits are not seen";
}

static const char *prove_pair(PyObject *(*make)(void), const char *(*prove_kind)(PyObject *const locks[2]))
{
	PyObject *locks[2] = {make(), make()};
	const char *reason = locks[0] && locks[1] ? prove_kind(locks) : "_thread makes no locks";
	Py_XDECREF(locks[0]);
	Py_XDECREF(locks[1]);
	PyErr_Clear();
	return reason;
}

const char *lock_look_prove(PyObject *(*make_lock)(void), PyObject *(*make_rlock)(void))
{
	memset(lock_looks, 0, sizeof(lock_looks));
	rlock_owner_look = (struct rlock_owner){0};
	const char *of_lock = prove_pair(make_lock, prove_lock), *of_rlock = prove_pair(make_rlock, prove_rlock);
	return of_lock ? of_lock : of_rlock;
}
