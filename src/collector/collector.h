/*
 * collector.h - the samplers as one: what module/ starts, stops and asks.
 *
 * All with the GIL held, except where said.
 */
#ifndef SNECK_COLLECTOR_COLLECTOR_H
#define SNECK_COLLECTOR_COLLECTOR_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/histogram.h"
#include "runtime/options.h"
#include "runtime/status.h"

/*
 * Begin to sample.  Borrows the options.  ERR_LAYOUT: nothing in this interpreter could be
 * proved, and nothing was changed; reason says what, in a sentence without an end.
 */
int collector_start(const struct options *options, char *reason, size_t reason_size);

/* Leave the interpreter as it was found.  What was sampled stays, to be drained. */
void collector_stop(void);

/* Bring what the threads keep for themselves into the profile.  With or without the GIL. */
void collector_drain(void);

/* One lock's sums since the start.  Texts live as long as the process. */
struct lock_stats {
	const char *name;		/* file.py:12:lock */
	const char *kind;		/* threading.Lock */
	const char *owner;		/* "" if there is none */
	double acquires, hold_ns;	/* estimated; but contended acquires are counted */
	uint64_t contended, wait_ns, wait_max_ns;	/* exact, of attempts that found the lock taken */
	uint64_t wait_histogram[HISTOGRAM_BUCKETS];
};

/* Show each lock that has something to tell; what the visitor gets is borrowed until it returns. */
void collector_lock_stats(void (*visit)(void *context, const struct lock_stats *lock), void *context);

/*
 * What a file's notes should say of the period that ends, one text each: exact counts a
 * lock, for `sneck report`.  Called by the uploader, after a drain, without the GIL.
 */
void collector_notes(void (*add)(void *context, const char *text), void *context);

/* What runs and how: what was proved, what was refused and why. */
void collector_status(struct status *status);

/* Around a fork: all locks of the collector and of what it stands on, LOCK_RANK_THREADS to PRIMITIVES. */
void collector_prefork(void);
void collector_postfork_parent(void);
void collector_postfork_child(void);

#endif
