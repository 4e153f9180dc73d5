/*
 * mutex.h - our own locks: pthread mutexes that know their rank and survive a fork.
 */
#ifndef SNECK_RUNTIME_MUTEX_H
#define SNECK_RUNTIME_MUTEX_H

#include <pthread.h>
#include <stdbool.h>

#include "runtime/lockrank.h"

struct mutex {
	pthread_mutex_t pthread;
	enum lock_rank rank;
};

#define MUTEX_INITIALIZER(rank) {PTHREAD_MUTEX_INITIALIZER, (rank)}

void mutex_init(struct mutex *mutex, enum lock_rank rank);
void mutex_lock(struct mutex *mutex);
bool mutex_trylock(struct mutex *mutex);
void mutex_unlock(struct mutex *mutex);

/* In a forked child: free again, whoever held it in the parent.  Allocates nothing. */
void mutex_postfork_child(struct mutex *mutex);

#endif
