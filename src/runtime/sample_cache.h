/*
 * sample_cache.h - one thread's samples, merged by raw stack, until they are drained.
 *
 * The owner finds its row before the operation it times and adds to it afterwards, a few
 * stores.  A drain may come in between, from another thread: a row is known by its epoch,
 * and looked up anew when the epoch has passed.
 */
#ifndef SNECK_RUNTIME_SAMPLE_CACHE_H
#define SNECK_RUNTIME_SAMPLE_CACHE_H

#include "runtime/mutex.h"
#include "runtime/py_frames.h"
#include "runtime/sample.h"

/* Labels that many samples share; immutable, and outlives every cache. */
struct label_set {
	size_t n;
	struct label labels[SAMPLE_LABELS_MAX];
};

/* A stack as the walker gave it, borrowed. */
struct raw_stack {
	const struct raw_frame *frames;	/* leaf first */
	size_t depth;			/* of frames; at most STACK_DEPTH_MAX */
	size_t omitted;			/* frames nearer to the root that were cut */
	uint64_t hash;			/* of frames: raw_stack_hash() */
};

uint64_t raw_stack_hash(const struct raw_frame *frames, size_t depth);

/* Gives raw frames their functions and lines: out[i] for raw[i].  Called under a cache's lock. */
typedef void (*frame_resolver)(const struct raw_frame *raw, size_t depth, struct frame *out);

/* Where drained samples go: borrows everything. */
typedef void (*sample_consumer)(const struct frame *frames, size_t depth, size_t omitted,
				const struct label *labels, size_t n_labels, const double values[SAMPLE_TYPES]);

struct sample_cache {
	struct mutex lock;		/* everything below; LOCK_RANK_CACHE */
	struct sample_tables *tables;	/* NULL until the first sample */
	struct sample_tables *spare;	/* empty ones, for the next drain to leave behind */
	uint32_t epoch;			/* of the rows: changes at each drain */
	bool is_inherited;		/* what is in the tables are the samples of the process we were forked from */
};

/* A row as the owner remembers it across the operation it times. */
struct sample_row {
	uint32_t unit, epoch;
};

void sample_cache_init(struct sample_cache *cache);
void sample_cache_fini(struct sample_cache *cache);

/*
 * The row of (stack, labels), made if need be.  Owner's thread, with the GIL.  Returns OK;
 * ERR_LIMIT: full, drain it and call again; ERR_NOMEM.
 */
int sample_cache_find(struct sample_cache *cache, const struct raw_stack *stack, const struct label_set *labels,
		      frame_resolver resolve, struct sample_row *row);

/* Add to a row found before.  False if it was drained meanwhile: find it again. */
bool sample_cache_add(struct sample_cache *cache, struct sample_row row, const double values[SAMPLE_TYPES]);

/* Find and add in one: where nothing comes between the two.  Owner's thread, with the GIL; returns as the first. */
int sample_cache_put(struct sample_cache *cache, const struct raw_stack *stack, const struct label_set *labels,
		     frame_resolver resolve, const double values[SAMPLE_TYPES]);

/*
 * Hand every row to the consumer, with more_labels behind its own, and forget it.  Any
 * thread, no GIL.
 */
void sample_cache_drain(struct sample_cache *cache, const struct label_set *more_labels, sample_consumer consume);

/*
 * The same in three steps, of which the second, the long one, needs the cache no more: take
 * its rows (NULL: none), hand them over, and give the tables back, or free them where the
 * cache has gone meanwhile.
 */
struct sample_tables *sample_cache_detach(struct sample_cache *cache);
void sample_tables_hand_over(struct sample_tables *tables, const struct label_set *more_labels,
			     sample_consumer consume);
void sample_cache_give_back(struct sample_cache *cache, struct sample_tables *tables);
void sample_tables_free(struct sample_tables *tables);

/* In a forked child: what the cache holds is the parent's to report. */
void sample_cache_postfork_child(struct sample_cache *cache);

#endif
