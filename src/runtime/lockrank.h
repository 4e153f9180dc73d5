/*
 * lockrank.h - the order in which our own locks nest: a thread takes only a lock of a
 * higher rank than any it holds.  Debug builds check it (mutex.c).
 *
 * No thread waits for the GIL while it holds one of these.
 */
#ifndef SNECK_RUNTIME_LOCKRANK_H
#define SNECK_RUNTIME_LOCKRANK_H

enum lock_rank {
	LOCK_RANK_NONE,
	LOCK_RANK_CONTROL,	/* whether the profiler runs */
	LOCK_RANK_UPLOAD,	/* uploader: one upload at a time, its deadline and state */
	LOCK_RANK_HTTP,		/* libcurl, while it works; never while it waits */
	LOCK_RANK_THREADS,	/* registry of sampled threads */
	LOCK_RANK_CACHE,	/* one thread's sample cache */
	LOCK_RANK_SITES,	/* creation sites of locks */
	LOCK_RANK_TYPES,	/* types of locks that are watched, in each interpreter */
	LOCK_RANK_CLASSES,	/* lock classes and their counts */
	LOCK_RANK_TABLE,	/* growing the lock table */
	LOCK_RANK_HOLDS,	/* the holds in progress */
	LOCK_RANK_CODES,	/* functions interned by code object */
	LOCK_RANK_PUSHED,	/* texts, functions and labels that other C code brought */
	LOCK_RANK_PRIMITIVES,	/* table of the standard library's code that uses locks */
	LOCK_RANK_PROFILE,	/* the red and the black profile */
	LOCK_RANK_LOG,		/* rate limit of log lines */
	LOCK_RANKS
};

#endif
