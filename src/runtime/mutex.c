/*
 * mutex.c - pthread mutexes with ranks.
 */
#include <config.h>

#include "runtime/mutex.h"

#include <stdio.h>
#include <stdlib.h>

#include "runtime/clocks.h"
#include "runtime/fork.h"

#ifdef SNECK_DEBUG
static __thread unsigned ranks_held;

void mutex_rank_enter(enum lock_rank rank)
{
	if (ranks_held >> rank) {
		fprintf(stderr, "sneck: lock rank %d taken while ranks %#x are held\n", rank, ranks_held);
		abort();
	}
	ranks_held |= 1u << rank;
}

void mutex_rank_leave(enum lock_rank rank)
{
	ranks_held &= ~(1u << rank);
}
#endif

void mutex_init(struct mutex *mutex, enum lock_rank rank)
{
	pthread_mutex_init(&mutex->pthread, NULL);
	mutex->rank = rank;
}

bool mutex_lock_within(struct mutex *mutex, int64_t ns)
{
	const int64_t second_ns = 1000000000, until_ns = clock_wall_ns() + ns;	/* it goes by that clock, everywhere */
	const struct timespec until = {until_ns / second_ns, until_ns % second_ns};
	if (pthread_mutex_timedlock(&mutex->pthread, &until))
		return false;
	mutex_rank_enter(mutex->rank);
	return true;
}

SNECK_FORK_CODE void mutex_postfork_child(struct mutex *mutex)
{
	/* POSIX has no word for it; the initial state is all we need, and no call to where it is written */
	mutex->pthread = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	mutex_rank_leave(mutex->rank);
}
