/*
 * threads.h - the threads that take samples: what each keeps for itself, and a list of all.
 */
#ifndef SNECK_RUNTIME_THREADS_H
#define SNECK_RUNTIME_THREADS_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/rng.h"
#include "runtime/sample_cache.h"

/*
 * How far a thread-local may ask to be aligned.  glibc keeps room for those of libraries that are
 * loaded later, aligned as its own record of a thread is, and refuses what asks for more ("cannot
 * allocate memory in static TLS block"): on x86-64 it grants 64, on aarch64 (2.36, 2.43) 32 and not 64.
 * 16 is what malloc() gives as well.
 */
#ifdef __x86_64__
#define THREAD_HOT_ALIGNMENT 64
#else
#define THREAD_HOT_ALIGNMENT 16
#endif

/*
 * What the hot paths read and write, and an operation that waited: nothing but this line, beside
 * the stack that runs anyway.  Where threads take turns, all else has left the processor's cache.
 */
struct thread_hot {
	int64_t countdown;	/* operations until the next sample; 1 in a thread not yet known */
	uintptr_t ident;	/* pthread_self(); 0 in a thread not yet known */
	void *sites;		/* where it lately made locks, or NULL (collector/lock_site.c); freed with it */
	struct thread *self;	/* NULL in a thread not yet known */
	struct rng rng;
	unsigned sampling_generation;	/* 0: draw anew */
	uint32_t last_wait_us;		/* of an operation that found its lock taken */
	bool is_sampling;	/* our own code runs: nested calls pass straight on */
} __attribute__((aligned(THREAD_HOT_ALIGNMENT)));

extern __thread struct thread_hot thread_hot SNECK_TLS __attribute__((visibility("hidden")));

struct thread {
	struct sample_cache cache;
	struct thread_hot *hot;
	unsigned name_period;		/* period in which threading last told the name */
	unsigned name_misses;		/* look-ups since that found none */

	/* how often this thread samples; see collector/sampling.c */
	double mean_distance;		/* the one the current countdown was drawn with */
	int64_t distance;		/* that was drawn */
	double thinning;		/* times the mean asked for, to stay in the budget */
	int64_t window_start_ns, window_start_used_ns, window_operations;
	int window_draws, window_costs;	/* a sample may cost at its acquire and at its release */
	int64_t usual_cost_ns, usual_wait_cost_ns;	/* of one of these; 0: none yet */

	uint64_t serial;		/* from 1; unlike ident, no later thread's */

	/* who it is, for the labels; guarded by cache.lock once listed */
	uintptr_t ident;
	long native_id;
	char name[256];			/* valid UTF-8, cut to fit; "" if unknown */

	uint64_t drain;			/* the last drain of all that came by */
	struct thread *next, *previous;
};

int threads_init(void);

/* Where it is not listed yet. */
struct thread *thread_enter(void);

/*
 * The calling thread's, made and listed at its first call.  NULL without memory, or where another
 * used the list for a tenth of a second: counted, and tried again at the next operation.
 */
static inline struct thread *thread_self(void)
{
	return __builtin_expect(thread_hot.self != NULL, 1) ? thread_hot.self : thread_enter();
}

/* The same for who may wait a moment: NULL without memory alone. */
struct thread *thread_self_wait(void);

/* Hand the samples of one thread, or of all, to the consumer given by threads_set_consumer(). */
void thread_drain(struct thread *thread);
void threads_drain(void);
void threads_set_consumer(sample_consumer consume);

/* sample_cache_put() of the calling thread's; where its cache is full, that is handed over first. */
int thread_put(struct thread *thread, const struct raw_stack *stack, const struct label_set *labels,
	       frame_resolver resolve, const double values[SAMPLE_TYPES]);

/* Make every thread draw anew at its next operation. */
void threads_reset_countdowns(void);

/* How many periods have been drained: a thread looks its name up once in each. */
unsigned threads_period(void);

size_t threads_count(void);

void threads_prefork(void);
void threads_postfork_parent(void);
void threads_postfork_child(void);

#endif
