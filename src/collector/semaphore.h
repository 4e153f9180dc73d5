/*
 * semaphore.h - threading.Semaphore: an acquire, a wait and a release made of several
 * operations on an inner lock.
 *
 * Told apart by primitives.h; called by lock_sample.c with thread_hot.is_sampling set.
 */
#ifndef SNECK_COLLECTOR_SEMAPHORE_H
#define SNECK_COLLECTOR_SEMAPHORE_H

#include "collector/lock_operation.h"

/* What the object that the inner lock is in is of: both of threading's classes share one acquire(). */
const char *semaphore_kind(PyObject *semaphore);

/*
 * The inner lock was taken in acquire(), which began at begin_ns: it is sampled, for weight, or had to
 * wait for the inner lock.
 */
void semaphore_begin(const struct operation *op, int64_t begin_ns, double weight, bool is_contended);

/* acquire() has had to wait for a permit since begin_ns. */
void semaphore_waited(const struct operation *op, int64_t begin_ns);

/*
 * Releases of the inner lock: how acquire() ended (true: a wait was kept); permits given back.
 * result: of the inner call.  The operation was looked at by its leaves at least: most need no more.
 */
bool semaphore_acquire_ends(struct operation *op, PyObject *result, int64_t now_ns);
void semaphore_release_ends(struct operation *op, PyObject *result, int64_t now_ns);

#endif
