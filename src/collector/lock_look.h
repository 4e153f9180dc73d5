/*
 * lock_look.h - where a lock's state stands in memory.
 */
#ifndef SNECK_COLLECTOR_LOCK_LOOK_H
#define SNECK_COLLECTOR_LOCK_LOOK_H

#include <Python.h>

/*
 * Find and prove the places in lock_look (lock_hooks.h), on locks the two functions make
 * (new references).  Call with the GIL, before anything is redirected.  OK, or ERR_LAYOUT
 * with a reason (static text): contention is then found by random samples alone.
 */
int lock_look_prove(PyObject *(*make_lock)(void), PyObject *(*make_rlock)(void), const char **reason);

#endif
