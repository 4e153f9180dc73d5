/*
 * semaphore.h - threading.Semaphore: an acquire, a wait and a release made of several
 * operations on an inner lock.
 *
 * Told apart by primitives.h; called by lock_sample.c with thread_hot.is_sampling set.
 */
#ifndef SNECK_COLLECTOR_SEMAPHORE_H
#define SNECK_COLLECTOR_SEMAPHORE_H

#include "collector/lock_operation.h"

/* The inner lock was taken in acquire(), which began at begin_ns: it is sampled, for weight. */
void semaphore_begin(const struct operation *op, int64_t begin_ns, double weight);

/* acquire() had to wait for a permit, until now: kept for weight, or (0) not at all. */
void semaphore_waited(const struct operation *op, int64_t begin_ns, double weight);

/* Releases of the inner lock: how acquire() ended; a permit given back.  result: of the inner call. */
void semaphore_acquire_ends(struct operation *op, PyObject *result, int64_t now_ns);
void semaphore_release_ends(struct operation *op, PyObject *result, int64_t now_ns);

#endif
