/*
 * stats.c - the table stats.def as counters.
 *
 * Fork:    the child counts from zero; what its parent counted is its parent's.
 */
#include <config.h>

#include "runtime/stats.h"

#include "runtime/fork.h"

const struct stat_info stat_infos[STATS] = {
#define STAT(identifier, doc) [STAT_##identifier] = {#identifier, doc},
#include "runtime/stats.def"
#undef STAT
};

_Atomic uint64_t stat_counters[STATS] SNECK_AT_FORK;

static uint64_t (*_Atomic sources[STATS])(void);

void stats_set_source(enum stat_id stat, uint64_t (*more)(void))
{
	sources[stat] = more;
}

void stats_read(uint64_t values[STATS])
{
	for (enum stat_id stat = 0; stat < STATS; stat++) {
		uint64_t (*more)(void) = sources[stat];
		values[stat] = atomic_load_explicit(&stat_counters[stat], memory_order_relaxed) + (more ? more() : 0);
	}
}

SNECK_FORK_CODE void stats_postfork_child(void)
{
	for (enum stat_id stat = 0; stat < STATS; stat++)
		atomic_store_explicit(&stat_counters[stat], 0, memory_order_relaxed);
}
