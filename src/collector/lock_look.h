/*
 * lock_look.h - where a lock's state stands in memory.
 */
#ifndef SNECK_COLLECTOR_LOCK_LOOK_H
#define SNECK_COLLECTOR_LOCK_LOOK_H

#include <Python.h>

/*
 * Find and prove the places in lock_look (lock_hooks.h), on locks the two functions make
 * (new references).  Call with the GIL, before anything is redirected.  NULL, or why one of
 * them did not prove (static text): its contention is then found late, or by random samples alone.
 */
const char *lock_look_prove(PyObject *(*make_lock)(void), PyObject *(*make_rlock)(void));

#endif
