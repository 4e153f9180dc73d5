/*
 * lock.h - the lock sampler: redirects the functions of _thread.lock and _thread.RLock.
 *
 * All with the GIL held.
 */
#ifndef SNECK_COLLECTOR_LOCK_H
#define SNECK_COLLECTOR_LOCK_H

#include "runtime/options.h"

/*
 * Prove every place, then redirect them.  OK; ERR_LAYOUT: nothing was touched, reason
 * (static text) says why.
 */
int lock_start(const struct options *options, const char **reason);

/* Put every pointer back.  Holds in progress are forgotten. */
void lock_stop(void);

bool lock_is_running(void);

/* What contention is found by: NULL if by the lock's own state, else why not. */
const char *lock_look_reason(void);

/*
 * What became of threading.Lock, if it is CPython's own no more (gevent's patches): what such a
 * one makes need not come by here.  Gives; NULL if it is, or nothing is sampled.
 */
char *lock_replacement(void);

/* Let go of the types of this interpreter, at its end, with its GIL. */
void lock_forget_interpreter(int64_t interpreter);

void lock_prefork(void);
void lock_postfork_parent(void);
void lock_postfork_child(void);

#endif
