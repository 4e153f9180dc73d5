/*
 * arena.c - chunks of pages, cut from the front.
 *
 *     first block   [used|....]                     the owner's
 *     chunks        [head|used.....|free]  64 KiB, then larger up to 1 MiB
 *                   [head|one large piece]           pieces over a quarter of a chunk
 *
 * mmap and not malloc: memory goes back at arena_release for certain, the program's heap
 * is not fragmented, and a forked child may give pages back whatever malloc's locks hold.
 */
#include <config.h>

#include "runtime/arena.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "runtime/error.h"

enum {
	PAGE = 4096,			/* a larger page of the machine's only rounds up further */
	CHUNK_MIN = 64 << 10,		/* an idle profile costs no more than this */
	CHUNK_MAX = 1 << 20,		/* at the default limits: a few dozen mappings at most */
};

struct arena_chunk {
	struct arena_chunk *older;
	size_t size;
};

static void *map_pages(size_t size)
{
	void *block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return block == MAP_FAILED ? NULL : block;
}

static void unmap_pages(void *block, size_t size)
{
	munmap(block, size);
}

void *(*arena_map)(size_t size) = map_pages;
void (*arena_unmap)(void *block, size_t size) = unmap_pages;

static size_t round_up(size_t size, size_t unit)
{
	return (size + unit - 1) / unit * unit;
}

void arena_init(struct arena *arena, void *first, size_t first_bytes, size_t limit_bytes)
{
	*arena = (struct arena){
		.next = first,
		.end = (char *)first + first_bytes,
		.first = first,
		.first_bytes = first_bytes,
		.limit_bytes = limit_bytes,
	};
}

/* A chunk with room for size bytes or, near the limit, just as large as still allowed. */
static struct arena_chunk *chunk_new(struct arena *arena, size_t need, size_t wish)
{
	size_t left = arena->limit_bytes > arena->mapped_bytes ? arena->limit_bytes - arena->mapped_bytes : 0;
	size_t size = wish <= left ? wish : left / PAGE * PAGE;
	arena->refused_by_limit = size < need;
	if (size < need)
		return NULL;
	struct arena_chunk *chunk = arena_map(size);
	if (!chunk)
		return NULL;
	*chunk = (struct arena_chunk){arena->chunks, size};
	arena->chunks = chunk;
	arena->mapped_bytes += size;
	return chunk;
}

/* A large piece has a chunk to itself, and the chunk in use goes on. */
static void *alloc_large(struct arena *arena, size_t size)
{
	size_t need = round_up(sizeof(struct arena_chunk) + size, PAGE);
	struct arena_chunk *chunk = chunk_new(arena, need, need);
	return chunk ? chunk + 1 : NULL;
}

static size_t next_chunk_size(const struct arena *arena)
{
	size_t size = arena->mapped_bytes / 2 / CHUNK_MIN * CHUNK_MIN;
	return size < CHUNK_MIN ? CHUNK_MIN : size > CHUNK_MAX ? CHUNK_MAX : size;
}

/* Pages come zeroed; the owner's block may have been used before. */
static bool in_first_block(const struct arena *arena, const char *piece)
{
	return arena->first && piece >= arena->first && piece < arena->first + arena->first_bytes;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	if (size > SIZE_MAX / 2) {
		arena->refused_by_limit = true;
		return NULL;
	}
	size = round_up(size ? size : 1, 8);
	if ((size_t)(arena->end - arena->next) < size) {
		if (size > CHUNK_MIN / 4)
			return alloc_large(arena, size);
		size_t need = round_up(sizeof(struct arena_chunk) + size, PAGE);
		struct arena_chunk *chunk = chunk_new(arena, need, next_chunk_size(arena));
		if (!chunk)
			return NULL;
		arena->next = (char *)(chunk + 1);
		arena->end = (char *)chunk + chunk->size;
	}
	void *piece = arena->next;
	arena->next += size;
	if (in_first_block(arena, piece))
		memset(piece, 0, size);
	return piece;
}

void arena_release(struct arena *arena)
{
	for (struct arena_chunk *chunk = arena->chunks, *older; chunk; chunk = older) {
		older = chunk->older;
		arena_unmap(chunk, chunk->size);
	}
	arena_init(arena, arena->first, arena->first_bytes, arena->limit_bytes);
}

int arena_error(const struct arena *arena)
{
	return arena->refused_by_limit ? ERR_LIMIT : ERR_NOMEM;
}
