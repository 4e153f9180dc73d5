/*
 * intern.h - equal things get equal ids: 0, 1, 2, ... in the order of their first sight.
 *
 * A thing is a run of bytes (a string with its NUL, a struct without padding, an array of
 * ids); an entry may carry a payload of fixed size beside it.  Strings, functions,
 * locations, stacks, label sets and rows of a profile are all such tables.  Memory is an
 * arena's: nothing is freed one by one.  No lock: its owner guards it.
 */
#ifndef SNECK_RUNTIME_INTERN_H
#define SNECK_RUNTIME_INTERN_H

#include <stdint.h>

#include "runtime/arena.h"

enum { INTERN_SEGMENTS = 28, INTERN_FIRST_SEGMENT = 8 };

struct intern {
	struct arena *arena;
	uint32_t count;			/* entries so far */
	uint32_t n_slots;		/* a power of two, or 0 before the first entry */
	uint32_t *slots;		/* id + 1, or 0 */
	size_t stride;			/* bytes of an entry, payload included */
	char *segments[INTERN_SEGMENTS];/* segment s: 8 << s entries, which never move */
};

void intern_init(struct intern *table, struct arena *arena, size_t payload_bytes);

/* The id of what is already there.  ERR_STATE: it is not. */
int intern_find(const struct intern *table, const void *key, size_t size, uint32_t *id);

/* The id of the key, copied into the table when new.  ERR_LIMIT or ERR_NOMEM: no room for it. */
int intern_add(struct intern *table, const void *key, size_t size, uint32_t *id);

/* Borrowed until the arena's release; size may be NULL.  id < table->count. */
const void *intern_key(const struct intern *table, uint32_t id, size_t *size);

/* The entry's payload: aligned to 8, zero at first, at the same place for good. */
void *intern_payload(const struct intern *table, uint32_t id);

#endif
