/*
 * mutex.c - pthread mutexes with ranks.
 *
 * Debug builds keep, per thread, a set of the ranks it holds, and abort on a lock taken
 * out of order: a deadlock found at its first possibility, not its first occurrence.
 */
#include <config.h>

#include "runtime/mutex.h"

#include <stdio.h>
#include <stdlib.h>

#ifdef SNECK_DEBUG
static __thread unsigned ranks_held;

static void rank_enter(enum lock_rank rank)
{
	if (ranks_held >> rank) {
		fprintf(stderr, "sneck: lock rank %d taken while ranks %#x are held\n", rank, ranks_held);
		abort();
	}
	ranks_held |= 1u << rank;
}

static void rank_leave(enum lock_rank rank)
{
	ranks_held &= ~(1u << rank);
}
#else
static void rank_enter(enum lock_rank rank) { (void)rank; }
static void rank_leave(enum lock_rank rank) { (void)rank; }
#endif

void mutex_init(struct mutex *mutex, enum lock_rank rank)
{
	pthread_mutex_init(&mutex->pthread, NULL);
	mutex->rank = rank;
}

void mutex_lock(struct mutex *mutex)
{
	rank_enter(mutex->rank);
	pthread_mutex_lock(&mutex->pthread);
}

bool mutex_trylock(struct mutex *mutex)
{
	if (pthread_mutex_trylock(&mutex->pthread))
		return false;
	rank_enter(mutex->rank);
	return true;
}

void mutex_unlock(struct mutex *mutex)
{
	pthread_mutex_unlock(&mutex->pthread);
	rank_leave(mutex->rank);
}

void mutex_postfork_child(struct mutex *mutex)
{
	/* POSIX has no word for it; glibc and musl write the initial state, which is all we need. */
	pthread_mutex_init(&mutex->pthread, NULL);
	rank_leave(mutex->rank);
}
