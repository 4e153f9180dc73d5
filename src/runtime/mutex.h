/*
 * mutex.h - our own locks: pthread mutexes that know their rank and survive a fork.
 */
#ifndef SNECK_RUNTIME_MUTEX_H
#define SNECK_RUNTIME_MUTEX_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/lockrank.h"

struct mutex {
	pthread_mutex_t pthread;
	enum lock_rank rank;
};

#define MUTEX_INITIALIZER(rank) {PTHREAD_MUTEX_INITIALIZER, (rank)}

/*
 * Debug builds keep, per thread, a set of the ranks it holds, and abort on a lock taken
 * out of order: a deadlock found at its first possibility, not its first occurrence.
 */
#ifdef SNECK_DEBUG
void mutex_rank_enter(enum lock_rank rank);
void mutex_rank_leave(enum lock_rank rank);
#else
static inline void mutex_rank_enter(enum lock_rank rank) { (void)rank; }
static inline void mutex_rank_leave(enum lock_rank rank) { (void)rank; }
#endif

void mutex_init(struct mutex *mutex, enum lock_rank rank);

/* Inline: a sampled acquire and its release take six of them. */
static inline void mutex_lock(struct mutex *mutex)
{
	mutex_rank_enter(mutex->rank);
	pthread_mutex_lock(&mutex->pthread);
}

static inline void mutex_unlock(struct mutex *mutex)
{
	pthread_mutex_unlock(&mutex->pthread);
	mutex_rank_leave(mutex->rank);
}

/* False: another thread had it all that time. */
bool mutex_lock_within(struct mutex *mutex, int64_t ns);

/* In a forked child: free again, whoever held it in the parent.  Allocates nothing. */
void mutex_postfork_child(struct mutex *mutex);

#endif
