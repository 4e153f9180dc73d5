/*
 * lock_exclude.h - modules whose locks the user does not want to see (LOCK_EXCLUDE_MODULES).
 */
#ifndef SNECK_COLLECTOR_LOCK_EXCLUDE_H
#define SNECK_COLLECTOR_LOCK_EXCLUDE_H

#include <stdbool.h>
#include <stddef.h>

/* Names separated by commas; a name stands for its submodules too.  Borrows the text. */
void lock_exclude_set(const char *modules);

/* Is this module one of them, or within one? */
bool lock_exclude_has(const char *module);

/* The module that the frame at this index of the current thread's stack runs in; "" if it has none.  With the GIL. */
enum { MODULE_NAME_MAX = 256 };
void lock_exclude_module(const void *tstate, size_t index, char module[MODULE_NAME_MAX]);

#endif
