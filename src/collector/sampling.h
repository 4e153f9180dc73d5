/*
 * sampling.h - which operations are sampled, and how many each of them stands for.
 *
 * Uncontended ones: at random, geometric distances, one in `mean` of them; each stands for
 * the mean its distance was drawn with.  Contended ones: all are timed; the stack of a short
 * wait is kept with a probability, and stands for its inverse.  Both are unbiased.
 */
#ifndef SNECK_COLLECTOR_SAMPLING_H
#define SNECK_COLLECTOR_SAMPLING_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/threads.h"

struct sampling {
	double capture_pct;	/* 0-100: upper limit, of uncontended operations */
	double budget_pct;	/* of processor time: parts of it a thread's own, and the process's, for waits; 0: no limit */
};

/* New settings; every thread draws anew. */
void sampling_set(const struct sampling *sampling);

/*
 * The calling thread's countdown has run out, or it took the slow path for another reason:
 * is this uncontended operation to be sampled?  Draws the next distance where one is due.
 * *weight: operations it stands for.
 */
bool sampling_draw(struct thread *thread, double *weight);

/* Waits at least this long are kept; of others as large a part as they are of it, but never less than this. */
extern int64_t sampling_certain_wait_ns __attribute__((visibility("hidden")));
extern double sampling_keep_min __attribute__((visibility("hidden")));

/*
 * Keep the stack of a contended operation that waited so long?  *weight as above.
 * luck: uniform in (0, 1], independent of the wait; so it may be drawn before.
 */
static inline bool sampling_keep_wait(int64_t wait_ns, double luck, double *weight)
{
	*weight = 1;
	if (wait_ns < 0)
		wait_ns = 0;
	int64_t certain_ns = __atomic_load_n(&sampling_certain_wait_ns, __ATOMIC_RELAXED);
	if (wait_ns >= certain_ns)
		return true;
	double wait = (double)wait_ns, certain = (double)certain_ns, keep_min;
	__atomic_load(&sampling_keep_min, &keep_min, __ATOMIC_RELAXED);
	if (wait < keep_min * certain)
		wait = keep_min * certain;	/* a wait of no length still stands for something */
	if (luck * certain > wait)	/* most are not kept, and pay for no division */
		return false;
	*weight = certain / wait;
	return true;
}

/* Is there a budget?  If not, what a sample costs need not be measured. */
bool sampling_has_budget(void);

/* Is every operation sampled, and will be? */
bool sampling_is_complete(void);

/* What a sample has just cost the thread: keeps it in its budget.  now_ns: monotonic. */
void sampling_account(struct thread *thread, int64_t cost_ns, int64_t now_ns);

/* The same for a contended operation that was kept. */
void sampling_account_wait(struct thread *thread, int64_t cost_ns, int64_t now_ns);

/* Around a fork; the child's after threads_postfork_child(). */
void sampling_prefork(void);
void sampling_postfork_child(void);

#endif
