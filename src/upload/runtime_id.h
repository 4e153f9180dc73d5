/*
 * runtime_id.h - a random name for this process: a version 4 UUID as 32 hex digits.
 *
 * The same in every upload of a process, another one in each forked child.
 */
#ifndef SNECK_UPLOAD_RUNTIME_ID_H
#define SNECK_UPLOAD_RUNTIME_ID_H

#include <stdbool.h>

enum { RUNTIME_ID_LENGTH = 32 };

/* Make one, unless there is one already.  Before other threads may ask. */
void runtime_id_init(void);

/* Static; "" before runtime_id_init(). */
const char *runtime_id(void);

/* Has this process forked, and is it itself the child of a fork that was seen? */
bool runtime_has_forked(void);
bool runtime_is_forked(void);

void runtime_id_postfork_parent(void);
void runtime_id_postfork_child(void);

#endif
