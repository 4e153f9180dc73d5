/*
 * semaphore.c - what a semaphore's user did, from what its inner lock was used for.
 *
 *     acquire():  inner lock taken   an acquire is under way: noted, if it is drawn or had to wait
 *                 (waits, perhaps)   noted as one that had to wait, if it was not yet
 *                 inner lock freed   it ended: got a permit, or not; counts, is kept by what it waited in all
 *     release():  inner lock freed   permits are back: ends as many of the thread's own holds
 *
 * Whether a permit was got is in acquire()'s local `rc`, how many are given back in release()'s `n`: the
 * same in every version.
 *
 * A permit may be given back by another thread.  Where not every acquire is sampled, that cannot be told
 * from the return of one that was not: such a hold is given up rather than ended by a stranger.
 */
#include <config.h>

#include "collector/semaphore.h"

#include <limits.h>

#include "collector/holds.h"
#include "collector/lock_naming.h"
#include "collector/lock_search.h"
#include "collector/py_symbols.h"
#include "collector/sampling.h"
#include "collector/threading_module.h"
#include "runtime/fast_clock.h"
#include "runtime/fork.h"
#include "runtime/stats.h"

/* Where a thread ends nothing but its own, others' are not in its way. */
static uintptr_t key_of(const void *inner, enum hold_tag tag, const struct thread *thread)
{
	return hold_key(inner, tag, sampling_is_complete() ? 0 : thread->serial);
}

const char *semaphore_kind(PyObject *semaphore)
{
	PyObject *bounded = threading_global("BoundedSemaphore");
	bool is_bounded = semaphore && bounded && PyType_Check(bounded) &&
			  PyType_IsSubtype(Py_TYPE(semaphore), (PyTypeObject *)bounded);
	return is_bounded ? "threading.BoundedSemaphore" : "threading.Semaphore";
}

/* Of one semaphore and thread, where holds may be left behind; at 1 % these are 400 permits. */
enum { SAMPLED_HOLDS_MAX = 4 };

static void begin(const void *inner, enum hold_tag tag, const struct operation *op, int64_t ns, double weight,
		  bool is_contended)
{
	struct hold hold = {
		.key = key_of(inner, tag, op->thread), .thread = op->thread->serial,
		.acquired_ns = ns, .weight = weight, .is_contended = is_contended,
	};
	bool is_bounded = tag == HOLD_OF_SEMAPHORE && !sampling_is_complete();
	if (holds_begin(&hold, is_bounded ? SAMPLED_HOLDS_MAX : UINT_MAX))
		stats_count(STAT_holds_dropped);
}

void semaphore_begin(const struct operation *op, int64_t begin_ns, double weight, bool is_contended)
{
	struct hold stale;
	/* left by an acquire whose end was not seen */
	holds_end(key_of(op->call->lock, SEMAPHORE_BEING_ACQUIRED, op->thread), op->thread->serial, false, &stale);
	begin(op->call->lock, SEMAPHORE_BEING_ACQUIRED, op, begin_ns, weight, is_contended);
}

/* An attribute of an object whose class is the standard library's.  New reference, or NULL. */
static PyObject *plain_attribute(PyObject *object, const char *name)
{
	PyObject *key = object && py_symbols._PyObject_GenericGetAttrWithDict ? PyUnicode_FromString(name) : NULL;
	PyObject *value = key ? py_symbols._PyObject_GenericGetAttrWithDict(object, key, NULL, 1) : NULL;
	Py_XDECREF(key);
	return value;
}

/* The lock inside the condition inside the semaphore; borrowed, the semaphore keeps it. */
static PyObject *inner_lock(const struct operation *op)
{
	PyObject *type, *value, *traceback;
	PyErr_Fetch(&type, &value, &traceback);
	PyObject *semaphore = lock_search_first_argument(op->tstate, op->use.owner_frame);
	PyObject *condition = plain_attribute(semaphore, "_cond");
	PyObject *lock = plain_attribute(condition, "_lock");
	Py_XDECREF(condition);
	Py_XDECREF(lock);
	PyErr_Restore(type, value, traceback);
	return lock;
}

void semaphore_waited(const struct operation *op, int64_t begin_ns)
{
	struct hold before;
	PyObject *inner = inner_lock(op);
	if (!inner)
		return;
	/* it counts as the contended one it is, from its beginning where that was seen */
	if (holds_end(key_of(inner, SEMAPHORE_BEING_ACQUIRED, op->thread), op->thread->serial, false, &before))
		begin_ns = before.acquired_ns;
	begin(inner, SEMAPHORE_BEING_ACQUIRED, op, begin_ns, 1, true);
}

/* Of acquire() or release(); borrowed.  NULL: it cannot be read. */
static PyObject *local_variable(const struct operation *op, const char *wanted)
{
	struct py_frame_variables variables;
	if (!py_frames_variables(op->tstate, op->use.owner_frame, &variables))
		return NULL;
	for (size_t i = 0; i < variables.n_slots; i++) {
		uintptr_t name, value = py_frames_variable(&variables, i, &name);
		if (value && name && !PyUnicode_CompareWithASCIIString((PyObject *)name, wanted))
			return (PyObject *)value;
	}
	return NULL;
}

/* Where it cannot be read, acquires are believed to succeed. */
static bool has_permit(const struct operation *op)
{
	PyObject *rc = local_variable(op, "rc");
	return !rc || rc == Py_True;
}

static long permits_given_back(const struct operation *op)
{
	PyObject *n = local_variable(op, "n");
	int is_large;
	long permits = n && PyLong_CheckExact(n) ? PyLong_AsLongAndOverflow(n, &is_large) : 1;
	return permits > 1 ? permits : 1;
}

/* The inner lock's __exit__() was given an exception. */
static bool is_broken_off(const struct lock_call *call)
{
	PyObject *exception = call->convention == CALL_VARARGS && call->args ? PyTuple_GetItem(call->args, 0) :
			      call->convention == CALL_FASTCALL && call->n > 0 ? call->vector[0] : Py_None;
	return exception && exception != Py_None;
}

static enum lock_event failure_of(const struct lock_call *call, bool is_contended)
{
	if (is_broken_off(call))
		return LOCK_EVENT_INTERRUPTED;
	return is_contended ? LOCK_EVENT_TIMEOUT : LOCK_EVENT_WOULD_BLOCK;
}

/* Count one that had to wait.  Is it kept, and for how many does it stand? */
static bool count_wait(struct operation *op, int64_t wait_ns, bool has_it, double *weight)
{
	PyObject *semaphore = lock_search_first_argument(op->tstate, op->use.owner_frame);
	struct lock_class *c = lock_naming_known_semaphore(op->call->lock, semaphore);
	if (!c) {
		operation_look_around(op, op->thread, op->call);
		c = op->lock_class;
	}
	struct lock_counts *counts = c && !c->is_excluded ? lock_class_counts(c) : NULL;
	if (!counts)
		return false;
	fork_sampled();
	lock_counts_add_wait(counts, wait_ns, has_it);
	return sampling_keep_wait(wait_ns, rng_uniform(&thread_hot.rng), weight);
}

bool semaphore_acquire_ends(struct operation *op, PyObject *result, int64_t now_ns)
{
	struct hold under_way;
	uintptr_t key = key_of(op->call->lock, SEMAPHORE_BEING_ACQUIRED, op->thread);
	if (!result || !holds_end(key, op->thread->serial, false, &under_way))
		return false;
	double wait_ns = operation_ns(under_way.acquired_ns, now_ns), weight = under_way.weight;
	bool has_it = has_permit(op);
	if (under_way.is_contended && !count_wait(op, (int64_t)wait_ns, has_it, &weight))
		return false;
	if (!op->lock_class)
		operation_look_around(op, op->thread, op->call);
	if (!op->lock_class)
		return false;
	double values[SAMPLE_TYPES] = {
		[SAMPLE_LOCK_ACQUIRE_WAIT] = wait_ns * weight,
		[SAMPLE_LOCK_ACQUIRE] = has_it ? weight : 0,
		[SAMPLE_LOCK_ACQUIRE_FAILED] = has_it ? 0 : weight,
		[SAMPLE_LOCK_CONTENDED] = under_way.is_contended ? weight : 0,
	};
	operation_add(op, has_it ? LOCK_EVENT_PLAIN : failure_of(op->call, under_way.is_contended), NULL, values);
	if (!has_it)
		stats_count(STAT_failed_acquires);
	else if (!under_way.is_contended)
		lock_class_count_acquires(op->lock_class, weight);
	if (has_it)
		begin(op->call->lock, HOLD_OF_SEMAPHORE, op, fast_clock_ns(), weight, under_way.is_contended);
	return under_way.is_contended;
}

/* As many as permits are given back, where so many are noted.  How many holds they stood for, and their time. */
static double end_holds(const struct operation *op, int64_t now_ns, double *hold_ns)
{
	uintptr_t key = key_of(op->call->lock, HOLD_OF_SEMAPHORE, op->thread);
	struct hold hold;
	double n = 0;
	for (long left = permits_given_back(op);
	     left > 0 && holds_end(key, op->thread->serial, sampling_is_complete(), &hold); left--) {
		*hold_ns += operation_ns(hold.acquired_ns, now_ns) * hold.weight;
		n += hold.weight;
	}
	return n;
}

void semaphore_release_ends(struct operation *op, PyObject *result, int64_t now_ns)
{
	if (!result || is_broken_off(op->call))	/* more than a bounded one has: none is given back */
		return;
	double hold_ns = 0, n = end_holds(op, now_ns, &hold_ns);
	if (n <= 0)
		return;
	operation_look_around(op, op->thread, op->call);
	if (!op->lock_class)
		return;
	double values[SAMPLE_TYPES] = {
		[SAMPLE_LOCK_RELEASE_HOLD] = hold_ns,
		[SAMPLE_LOCK_RELEASE] = n,
	};
	operation_add(op, LOCK_EVENT_PLAIN, NULL, values);
	lock_class_count_hold(op->lock_class, hold_ns);
}
