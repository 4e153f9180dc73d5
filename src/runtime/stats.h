/*
 * stats.h - counters of what happened and what was lost, for status().
 *
 * Process-wide and lock-free.  Rare events only: whatever happens at every lock operation
 * is counted by its thread.
 */
#ifndef SNECK_RUNTIME_STATS_H
#define SNECK_RUNTIME_STATS_H

#include <stdatomic.h>
#include <stdint.h>

enum stat_id {
#define STAT(identifier, doc) STAT_##identifier,
#include "runtime/stats.def"
#undef STAT
	STATS
};

struct stat_info {
	const char *name, *doc;
};

extern const struct stat_info stat_infos[STATS];
extern _Atomic uint64_t stat_counters[STATS];

/* Relaxed: a counter orders nothing and is read alone. */
static inline void stats_add(enum stat_id stat, uint64_t n)
{
	atomic_fetch_add_explicit(&stat_counters[stat], n, memory_order_relaxed);
}

static inline void stats_count(enum stat_id stat)
{
	stats_add(stat, 1);
}

/* What is counted elsewhere anyway, as waits are, is not counted here once more: `more` is added to the row. */
void stats_set_source(enum stat_id stat, uint64_t (*more)(void));

/* All of them, each as of some moment during the call. */
void stats_read(uint64_t values[STATS]);

/* In a forked child: from zero.  Allocates nothing. */
void stats_postfork_child(void);

#endif
