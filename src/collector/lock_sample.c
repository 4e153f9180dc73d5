/*
 * lock_sample.c - what is done for an operation that is sampled or finds its lock taken.
 *
 *     sampled           stack and names   while the lock is not yet held
 *                       clock, original, clock
 *                       a few stores      into the thread's own cache
 *     not drawn, but    whose lock, clock, original, clock
 *     it has to wait    exact counts; stack and names of those that are kept, before the wait if
 *                       it can be told that it will be kept
 *
 * While the original runs (it may release the GIL, and run signal handlers) the thread samples
 * again as usual: all we keep stands on its C stack.
 */
#include <config.h>

#include "collector/lock_sample.h"

#include <pthread.h>

#include "collector/holds.h"
#include "collector/lock_class.h"
#include "collector/lock_hooks.h"
#include "collector/lock_operation.h"
#include "collector/lock_table.h"
#include "collector/sampling.h"
#include "collector/semaphore.h"
#include "collector/thread_state.h"
#include "runtime/fast_clock.h"
#include "runtime/fork.h"
#include "runtime/hot.h"
#include "runtime/stats.h"

#define COLD __attribute__((noinline, cold))

struct lock_sampler lock_sampler SNECK_HOT;

static bool is_running(void)
{
	return __atomic_load_n(&lock_sampler.is_running, __ATOMIC_RELAXED);
}

/* The calling thread, if a sample may be taken here and now. */
static inline struct thread *sampling_thread(void)
{
	struct thread *thread = is_running() ? thread_self() : NULL;
	if (!thread || thread_hot.is_sampling) {
		if (thread_hot.countdown <= 0)
			thread_hot.countdown = 1;	/* the next operation asks again */
		return NULL;
	}
	return thread;
}

/* ---- acquire --------------------------------------------------------------------------- */

/* acquire(blocking=True, timeout=-1): the first argument however it was given, or NULL.  Borrowed. */
static PyObject *blocking_argument(const struct lock_call *call)
{
	PyObject *key, *value;
	Py_ssize_t at = 0;
	if (call->convention == CALL_VARARGS_KEYWORDS) {
		if (PyTuple_Size(call->args) > 0)
			return PyTuple_GetItem(call->args, 0);
		while (call->keywords && PyDict_Next(call->keywords, &at, &key, &value))
			if (PyUnicode_Check(key) && !PyUnicode_CompareWithASCIIString(key, "blocking"))
				return value;
	} else if (call->convention == CALL_FASTCALL_KEYWORDS) {
		if (call->n > 0)
			return call->vector[0];
		for (; call->keywords && at < PyTuple_Size(call->keywords); at++)
			if (!PyUnicode_CompareWithASCIIString(PyTuple_GetItem(call->keywords, at), "blocking"))
				return call->vector[call->n + at];
	}
	return NULL;
}

static bool says_not_blocking(const struct lock_call *call)
{
	PyObject *blocking = blocking_argument(call);
	int is_large;	/* and no exception set: the original is still to come */
	return blocking == Py_False ||
	       (blocking && PyLong_CheckExact(blocking) && PyLong_AsLongAndOverflow(blocking, &is_large) == 0);
}

static bool is_about_arguments(PyObject *exception)
{
	return PyErr_GivenExceptionMatches(exception, PyExc_TypeError) ||
	       PyErr_GivenExceptionMatches(exception, PyExc_ValueError) ||
	       PyErr_GivenExceptionMatches(exception, PyExc_OverflowError);
}

/*
 * A call refused before it tried (wrong arguments) is no attempt; one broken off by a signal handler is.
 * That may raise the same, but in Python, where an exception gets a traceback at once.
 */
static COLD bool was_refused(void)
{
	PyObject *type, *value, *traceback;
	PyErr_Fetch(&type, &value, &traceback);
	bool is_refused = !traceback && is_about_arguments(type);
	PyErr_Restore(type, value, traceback);
	return is_refused;
}

static enum lock_event failure_of(const struct lock_call *call, PyObject *result)
{
	if (!result)
		return LOCK_EVENT_INTERRUPTED;
	return says_not_blocking(call) ? LOCK_EVENT_WOULD_BLOCK : LOCK_EVENT_TIMEOUT;
}

/* Last of all, with a clock reading of its own: what the sample took is no part of the program's hold. */
static void begin_hold(const struct operation *op, double weight, bool is_contended)
{
	struct hold hold = {
		.key = (uintptr_t)op->call->lock, .thread = op->thread->serial,
		.acquired_ns = fast_clock_ns(), .weight = weight, .is_contended = is_contended,
	};
	/* a lock is held once: what is still noted was released where we could not see it */
	if (holds_begin(&hold, 1))
		stats_count(STAT_holds_dropped);
}

/*
 * Longer than any attempt that got its lock at once, shorter than any that did not: that one
 * gave up the GIL, slept, and came back.  Tells them apart where the look cannot.
 */
enum { SLEPT_NS = 3000 };

/* In one line: after a wait each one more has to be fetched. */
struct attempt {
	bool is_drawn, is_contended, is_reentry;
	bool is_unsure;			/* the lock is being handed on: whether it was contended will show */
	bool is_counted, is_kept;	/* exactly; in the profile */
	double weight;			/* of a drawn or kept one */
	double luck;			/* decides whether a wait is kept */
	struct lock_class *lock_class;	/* NULL: a closer look has to find it */
	struct lock_counts *counts;	/* of the class, if it is to be counted */
	int64_t begin_ns, end_ns;
	PyObject *result;
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct attempt) == 64, "one line");

static bool has_succeeded(const struct attempt *a)
{
	return a->result && a->result != Py_False;
}

/* Exact counts, and whether it is kept, and for how many it stands. */
static inline void count(struct attempt *a, struct lock_counts *counts)
{
	int64_t wait_ns = a->end_ns - a->begin_ns;
	if (wait_ns < 0)	/* two processors' counters differ by a little */
		wait_ns = 0;
	a->is_counted = true;
	if (!a->result && was_refused())
		return;
	if (!a->is_contended) {
		stats_count(STAT_uncontended_sampled);
		a->is_kept = true;
		return;
	}
	thread_hot.last_wait_us = wait_ns < UINT32_MAX * INT64_C(1000) ? (uint32_t)(wait_ns / 1000) : UINT32_MAX;
	if (counts)
		lock_counts_add_wait(counts, wait_ns, has_succeeded(a));
	a->is_kept = sampling_keep_wait(wait_ns, a->luck, &a->weight);
}

static enum lock_event event_of(const struct operation *op, const struct attempt *a)
{
	if (!has_succeeded(a))
		return failure_of(op->call, a->result);
	return a->is_reentry ? LOCK_EVENT_REENTRY : LOCK_EVENT_PLAIN;
}

static void record_attempt(struct operation *op, struct attempt *a, const struct sample_row *row)
{
	double wait_ns = operation_ns(a->begin_ns, a->end_ns);
	enum lock_event event = event_of(op, a);
	bool has_it = event == LOCK_EVENT_PLAIN || event == LOCK_EVENT_REENTRY;
	double values[SAMPLE_TYPES] = {
		[SAMPLE_LOCK_ACQUIRE_WAIT] = wait_ns * a->weight,
		[SAMPLE_LOCK_ACQUIRE] = has_it ? a->weight : 0,
		[SAMPLE_LOCK_ACQUIRE_FAILED] = has_it ? 0 : a->weight,
		[SAMPLE_LOCK_CONTENDED] = a->is_contended ? a->weight : 0,
	};
	operation_add(op, event, event == LOCK_EVENT_PLAIN ? row : NULL, values);
	if (!has_it)
		stats_count(STAT_failed_acquires);
	else if (!a->is_contended)
		lock_class_count_acquires(op->lock_class, a->weight);
	if (event == LOCK_EVENT_PLAIN)
		begin_hold(op, a->weight, a->is_contended);
}

/* The original, timed; meanwhile the thread samples as usual. */
static void run_attempt(struct operation *op, struct attempt *a)
{
	thread_hot.is_sampling = false;
	a->begin_ns = fast_clock_ns();
	a->result = lock_call_original(op->call);
	a->end_ns = fast_clock_ns();
	thread_hot.is_sampling = true;
}

/* What was done since then was a sample: of a wait, or of an operation that was drawn. */
static void account(struct thread *thread, bool is_contended, int64_t since_ns)
{
	if (sampling_has_budget()) {
		int64_t now_ns = fast_clock_ns();
		(is_contended ? sampling_account_wait : sampling_account)(thread, now_ns - since_ns, now_ns);
	}
	if (fast_clock.is_warming)
		fast_clock_warm();
}

/* Which of a semaphore's or of the user's own operations was it?  a->result may be an exception. */
static void record(struct operation *op, struct attempt *a, const struct sample_row *row)
{
	if (!a->is_counted)
		count(a, primitive_is_semaphores(op->use.role) ? NULL : lock_class_counts(op->lock_class));
	switch (op->use.role) {
	case PRIMITIVE_SEMAPHORE_ACQUIRE:
		if ((a->is_kept || a->is_contended) && a->result == Py_True)
			semaphore_begin(op, a->begin_ns, a->weight, a->is_contended);
		break;
	case PRIMITIVE_SEMAPHORE_WAIT:
		if (a->is_contended)
			semaphore_waited(op, a->begin_ns);
		break;
	case PRIMITIVE_SEMAPHORE_RELEASE:
		break;
	default:
		if (a->is_kept)
			record_attempt(op, a, row);
	}
}

/* Did it wait, after all? */
static void decide(struct attempt *a)
{
	int64_t wait_ns = a->end_ns - a->begin_ns - fast_clock.cost_ns;
	if (a->is_unsure)
		a->is_contended = a->result == Py_False || wait_ns >= SLEPT_NS;
}

static bool is_handed_on(const struct lock_call *call, const struct lock_look *look)
{
	return look->is_semaphore && lock_semaphore_value(call->lock, look->at) > 0 && lock_is_busy(call->lock, look);
}

/* Is it taken, or may it be? */
static bool look_at(const struct lock_call *call, struct attempt *a)
{
	const struct lock_look *look = &lock_looks[call->method->kind];
	bool is_reentry = call->method->kind == LOCK_KIND_RLOCK && rlock_owner(call->lock) == (uintptr_t)pthread_self();
	bool is_unsure = is_handed_on(call, look);
	bool is_contended = !is_reentry && !is_unsure && lock_is_busy(call->lock, look);
	a->is_reentry = is_reentry;
	a->is_unsure = is_unsure;
	a->is_contended = is_contended;
	return is_unsure || is_contended;
}

/* What is left for those that are kept, and for those that have to be looked at closely. */
static COLD void record_afterwards(const struct lock_call *call, struct attempt *a)
{
	struct thread *thread = sampling_thread();
	struct operation op;
	PyObject *type, *value, *traceback;
	if (!thread)
		return;
	thread_hot.is_sampling = true;
	PyErr_Fetch(&type, &value, &traceback);
	operation_look_around(&op, thread, call);
	PyErr_Restore(type, value, traceback);
	if (op.lock_class)
		record(&op, a, NULL);
	if (a->is_kept)
		account(thread, a->is_contended, a->end_ns);
	thread_hot.is_sampling = false;
}

/* What operation_class_at_a_glance() finds, without a call where both were seen lately. */
static inline struct lock_class *class_at_a_glance(const struct lock_call *call)
{
	struct lock_class *c = lock_class_of(lock_table_get_first(call->lock));
	struct py_frames_mark leaf = py_frames_mark(thread_state());
	if (c && !c->unnamed && primitives_are_strangers_to(py_frames_mark_code(&leaf))) {
		fork_sampled();
		return c;
	}
	return operation_class_at_a_glance(call);
}

static SNECK_HOT_CODE void glance(const struct lock_call *call, struct attempt *a)
{
	thread_hot.is_sampling = true;
	struct lock_class *c = a->lock_class = class_at_a_glance(call);
	a->counts = c && !c->is_excluded ? lock_class_counts(c) : NULL;
	a->luck = rng_uniform(&thread_hot.rng);
	thread_hot.is_sampling = false;
}

/*
 * A wait of the library's own, for an event or a permit: the one is no wait for a lock, of the other it is
 * enough to know that it began.
 */
static COLD bool is_librarys_wait(struct thread *thread, const struct lock_call *call)
{
	struct operation op;
	thread_hot.is_sampling = true;
	bool is_told = operation_look_at_leaves(&op, thread, call);
	bool is_inner = is_told && op.use.role == PRIMITIVE_INNER;
	bool is_permit = is_told && op.use.role == PRIMITIVE_SEMAPHORE_WAIT && !says_not_blocking(call);
	if (is_permit)
		semaphore_waited(&op, fast_clock_ns());
	thread_hot.is_sampling = false;
	return is_inner || is_permit;
}

/*
 * Will it be kept, if it waits as long as this thread did the last time?  Not asked of an attempt
 * that does not wait: its time would be that of our look.
 */
static inline bool is_likely_kept(const struct lock_call *call, const struct attempt *a)
{
	double weight;
	if (a->lock_class && (a->lock_class->is_excluded ||
			      !sampling_keep_wait(thread_hot.last_wait_us * INT64_C(1000), a->luck, &weight)))
		return false;
	return !says_not_blocking(call);
}

/* After a wait nothing of ours is in the processor's cache: fetch what is needed next, all at once. */
static inline __attribute__((always_inline)) void fetch_again(struct attempt *a)
{
	hot_prefetch(a);
	hot_prefetch(&thread_hot);
	hot_prefetch(__builtin_frame_address(0));	/* the way back */
}

/*
 * The lock is taken by another, so there is time: the stack is walked and its row found now, with
 * warm caches, and while the lock is held there is little left to do.  All of that is time in which
 * the thread waits for the lock; unless it is free by then, and would have been taken earlier.
 */
static COLD PyObject *acquire_looked_at(struct thread *thread, const struct lock_call *call, struct attempt *a)
{
	struct operation op;
	struct sample_row row;
	a->begin_ns = fast_clock_ns();
	thread_hot.is_sampling = true;
	operation_look_around(&op, thread, call);
	bool is_found = op.lock_class && operation_find_row(&op, LOCK_EVENT_PLAIN, &row);
	thread_hot.is_sampling = false;
	int64_t now_ns = fast_clock_ns(), look_ns = now_ns - a->begin_ns;
	if (!lock_is_busy(call->lock, &lock_looks[call->method->kind]))
		a->begin_ns = now_ns;
	a->result = lock_call_original(call);
	fetch_again(a);
	a->end_ns = fast_clock_ns();
	if (!op.lock_class || !is_running())
		return a->result;
	thread_hot.is_sampling = true;
	record(&op, a, is_found ? &row : NULL);
	account(thread, true, a->end_ns - look_ns);
	thread_hot.is_sampling = false;
	return a->result;
}

/*
 * The lock is taken, or being handed on: a semaphore may be taken without the GIL, so there
 * only the time tells whether it waited.  Under heavy contention all acquires come by here, short
 * waits are seldom kept, and after a wait the caches are cold: so what is to be known of the thread
 * and its caller is read before, when it is at hand, and of those not kept nothing after but what
 * all threads share.  Drawn or not makes no difference before the wait: the drawn would
 * come late, wait more often than the rest, and speak for it wrongly.
 */
static SNECK_HOT_CODE PyObject *acquire_timed(const struct lock_call *call, struct attempt *a)
{
	struct thread *thread = sampling_thread();
	if (!thread)
		return lock_call_original(call);
	if (!a->is_unsure) {
		glance(call, a);
		if (!a->lock_class && is_librarys_wait(thread, call))
			return lock_call_original(call);
		if (is_likely_kept(call, a))
			return acquire_looked_at(thread, call, a);
	}
	a->begin_ns = fast_clock_ns();
	a->result = lock_call_original(call);
	fetch_again(a);
	a->end_ns = fast_clock_ns();
	decide(a);
	if (!(a->is_contended || a->is_drawn) || !is_running())
		return a->result;
	if (a->is_unsure)	/* most of these did not wait */
		glance(call, a);
	if (a->counts)
		count(a, a->counts);
	if (!a->lock_class || a->is_kept)
		record_afterwards(call, a);
	return a->result;
}

/* The lock is free.  All is looked up before it is taken: it is not held any longer for that. */
static PyObject *acquire_sampled(struct thread *thread, const struct lock_call *call, struct attempt *a)
{
	struct operation op;
	struct sample_row row;
	int64_t started_ns = sampling_has_budget() ? fast_clock_ns() : 0;

	thread_hot.is_sampling = true;
	operation_look_around(&op, thread, call);
	bool is_found = op.lock_class && !a->is_reentry && operation_find_row(&op, LOCK_EVENT_PLAIN, &row);
	run_attempt(&op, a);
	if (op.lock_class && is_running())
		record(&op, a, is_found ? &row : NULL);
	account(thread, false, started_ns + (a->end_ns - a->begin_ns));	/* but for the original */
	thread_hot.is_sampling = false;
	return a->result;
}

#define LOCK_CALL \
	{.method = method, .convention = convention, .lock = lock, .vector = arguments, .n = n, .keywords = keywords}

SNECK_HOT_CODE PyObject *lock_acquire_slow(LOCK_CALL_PARAMETERS)
{
	const struct lock_call call = LOCK_CALL;
	struct attempt a = {.is_drawn = false};
	struct thread *thread = NULL;
	/* at 0 % nothing counts down, so a thread not yet known comes by unasked */
	if (thread_hot.countdown <= 0 || !thread_hot.self) {
		if (!(thread = sampling_thread()))
			return lock_call_original(&call);
		a.is_drawn = sampling_draw(thread, &a.weight);
	}
	if (look_at(&call, &a))
		return acquire_timed(&call, &a);
	return a.is_drawn ? acquire_sampled(thread, &call, &a) : lock_call_original(&call);
}

/* ---- release --------------------------------------------------------------------------- */

static void record_release(struct thread *thread, const struct lock_call *call, const struct hold *hold, int64_t now_ns)
{
	struct operation op;
	operation_look_around(&op, thread, call);
	if (!op.lock_class)
		return;
	double hold_ns = operation_ns(hold->acquired_ns, now_ns) * hold->weight;
	double values[SAMPLE_TYPES] = {
		[SAMPLE_LOCK_RELEASE_HOLD] = hold_ns,
		[SAMPLE_LOCK_RELEASE] = hold->weight,
	};
	operation_add(&op, LOCK_EVENT_PLAIN, NULL, values);
	lock_class_count_hold(op.lock_class, hold_ns);
}

static bool still_holds(const struct thread *thread, const struct lock_call *call)
{
	return call->method->kind == LOCK_KIND_RLOCK && rlock_owner(call->lock) == thread->ident;
}

static PyObject *release_lock(struct thread *thread, const struct lock_call *call)
{
	struct hold hold;
	int64_t now_ns = fast_clock_ns();
	PyObject *result = lock_call_original(call);
	if (!result || still_holds(thread, call) || !holds_end((uintptr_t)call->lock, 0, true, &hold))
		return result;
	thread_hot.is_sampling = true;
	record_release(thread, call, &hold, now_ns);
	if (hold.weight > 1 || hold.is_contended)
		account(thread, hold.is_contended, now_ns);
	thread_hot.is_sampling = false;
	return result;
}

/* The lock is inside a semaphore: the end of its acquire, of a release, or of neither. */
static PyObject *release_semaphore(struct thread *thread, const struct lock_call *call)
{
	struct operation op;
	int64_t now_ns = fast_clock_ns();
	PyObject *result = lock_call_original(call);
	thread_hot.is_sampling = true;
	if (!operation_look_at_leaves(&op, thread, call))
		operation_look_around(&op, thread, call);
	if (op.use.role == PRIMITIVE_SEMAPHORE_ACQUIRE) {
		if (semaphore_acquire_ends(&op, result, now_ns))
			account(thread, true, now_ns);
	} else if (op.use.role == PRIMITIVE_SEMAPHORE_RELEASE) {
		semaphore_release_ends(&op, result, now_ns);
	}
	thread_hot.is_sampling = false;
	return result;
}

PyObject *lock_release_slow(LOCK_CALL_PARAMETERS)
{
	const struct lock_call call = LOCK_CALL;
	struct thread *thread = sampling_thread();
	unsigned tags = thread ? holds_tags(lock, sampling_is_complete() ? 0 : thread->serial) : 0;
	if (tags & 1u << HOLD_OF_LOCK)
		return release_lock(thread, &call);
	if (tags)
		return release_semaphore(thread, &call);
	return lock_call_original(&call);
}

PyObject *lock_reset_slow(LOCK_CALL_PARAMETERS)
{
	const struct lock_call call = LOCK_CALL;
	holds_drop(lock);
	return lock_call_original(&call);
}
