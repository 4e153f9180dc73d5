/*
 * lock_operation.h - one operation under way: where it happens, on which lock, and its way
 * into the thread's sample cache.
 */
#ifndef SNECK_COLLECTOR_LOCK_OPERATION_H
#define SNECK_COLLECTOR_LOCK_OPERATION_H

#include <Python.h>

#include "collector/lock_class.h"
#include "collector/lock_hooks.h"
#include "collector/primitives.h"
#include "runtime/threads.h"

/* Lives on the C stack: an operation may be interrupted by a signal handler's own. */
struct operation {
	const struct lock_call *call;
	struct thread *thread;
	const void *tstate;
	struct primitive_use use;
	struct lock_class *lock_class;	/* NULL: the operation adds nothing to the profile */
	struct raw_stack stack;		/* as the profile shows it */
	struct raw_frame frames[STACK_DEPTH_MAX + LIBRARY_FRAMES_MAX];
};

/* Walk the stack, tell whose operation it is, name the lock.  thread_hot.is_sampling must be set. */
void operation_look_around(struct operation *op, struct thread *thread, const struct lock_call *call);

/*
 * Whose operation it is (op->use), by the leaf frames alone; without stack and class.  False: it takes
 * more of them to tell.  thread_hot.is_sampling must be set.
 */
bool operation_look_at_leaves(struct operation *op, struct thread *thread, const struct lock_call *call);

/*
 * The class that operation_look_around() would find, if nothing has to be looked up for it: the
 * caller is the user's own code, the lock is known by its name.  Else NULL.  No exception may be set.
 */
struct lock_class *operation_class_at_a_glance(const struct lock_call *call);

/* The row it will add to.  False: there is none to be had now. */
bool operation_find_row(struct operation *op, enum lock_event event, struct sample_row *row);

/* Add values, to the row found before or (row NULL, or drained since) to a new one. */
void operation_add(struct operation *op, enum lock_event event, const struct sample_row *row,
		   const double values[SAMPLE_TYPES]);

/* A measured time without what the clock itself took. */
double operation_ns(int64_t begin_ns, int64_t end_ns);

#endif
