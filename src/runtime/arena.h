/*
 * arena.h - memory handed out piece by piece and given back all at once.
 *
 * No lock: its owner guards it.  Pages come from the kernel and go back to the kernel, so
 * what a profile grew to in a busy minute does not stay with the program.
 */
#ifndef SNECK_RUNTIME_ARENA_H
#define SNECK_RUNTIME_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks;	/* mapped, newest first */
	char *next, *end;		/* what is left of the chunk in use */
	char *first;			/* the owner's block: used first, never given back */
	size_t first_bytes;
	size_t mapped_bytes;
	size_t limit_bytes;		/* of mapped_bytes */
	bool refused_by_limit;		/* why the last arena_alloc gave NULL: the limit, or the kernel */
};

/* An empty arena on a block of the caller's, which it keeps (8-aligned; NULL, 0: none). */
void arena_init(struct arena *arena, void *first, size_t first_bytes, size_t limit_bytes);

/* size bytes, zeroed, aligned to 8; NULL at the limit or without memory. */
void *arena_alloc(struct arena *arena, size_t size);

/* Everything back; the arena is empty and usable again. */
void arena_release(struct arena *arena);

/* The code (error.h) that stands for the last NULL. */
int arena_error(const struct arena *arena);

/* mmap and munmap, for tests to replace.  map gives NULL without memory. */
extern void *(*arena_map)(size_t size);
extern void (*arena_unmap)(void *block, size_t size);

#endif
