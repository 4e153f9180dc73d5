/*
 * lock_exclude.h - modules whose locks the user does not want to see (LOCK_EXCLUDE_MODULES).
 */
#ifndef SNECK_COLLECTOR_LOCK_EXCLUDE_H
#define SNECK_COLLECTOR_LOCK_EXCLUDE_H

#include <stdbool.h>
#include <stddef.h>

/* Names separated by commas; a name stands for its submodules too.  Borrows the text. */
void lock_exclude_set(const char *modules);

/* Does the frame at this index of the current thread's stack run in one of them?  With the GIL. */
bool lock_exclude_frame(const void *tstate, size_t index);

#endif
