/*
 * intern.c - one hash table for all that a profile keeps once.
 *
 *     slots      [0][3][0][1][2]...      open addressing, at most half full
 *                    |
 *     segments   [entry 0 | entry 1 | ...8] [...16] [...32]   entry: hash, size, key, payload
 *
 * Entries live in segments of doubling size, so growing copies none of them and an entry's
 * address stays; only the slots are made anew, and the old ones are left to the arena (less
 * than the new ones' size in all).
 */
#include <config.h>

#include "runtime/intern.h"

#include <string.h>

#include "runtime/error.h"

struct entry {
	const void *key;
	uint32_t size, hash;
	/* the payload follows */
};

enum { FIRST_SLOTS = 2 * INTERN_FIRST_SEGMENT };

/* Multiply and fold, eight bytes at a time: keys are short, and nobody sends them to hurt us. */
static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15;
	return hash ^ hash >> 32;
}

static uint32_t hash_bytes(const void *bytes, size_t size)
{
	const char *at = bytes;
	uint64_t hash = size, word;
	for (; size >= sizeof(word); at += sizeof(word), size -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		hash = mix(hash, word);
	}
	word = 0;
	memcpy(&word, at, size);
	return (uint32_t)mix(mix(hash, word), 0);
}

void intern_init(struct intern *table, struct arena *arena, size_t payload_bytes)
{
	*table = (struct intern){
		.arena = arena,
		.stride = sizeof(struct entry) + (payload_bytes + 7) / 8 * 8,
	};
}

/* Segment s begins at id 8 * (2^s - 1). */
static unsigned segment_of(uint32_t id)
{
	return 31 - (unsigned)__builtin_clz(id / INTERN_FIRST_SEGMENT + 1);
}

static uint32_t segment_start(unsigned segment)
{
	return INTERN_FIRST_SEGMENT * ((UINT32_C(1) << segment) - 1);
}

static struct entry *entry_at(const struct intern *table, uint32_t id)
{
	unsigned segment = segment_of(id);
	return (struct entry *)(void *)(table->segments[segment] + (id - segment_start(segment)) * table->stride);
}

/* The slot that holds the key, or the free one where it belongs. */
static uint32_t *slot_of(const struct intern *table, const void *key, size_t size, uint32_t hash)
{
	uint32_t mask = table->n_slots - 1;
	for (uint32_t at = hash & mask;; at = (at + 1) & mask) {
		uint32_t *slot = &table->slots[at];
		if (!*slot)
			return slot;
		const struct entry *entry = entry_at(table, *slot - 1);
		if (entry->hash == hash && entry->size == size && memcmp(entry->key, key, size) == 0)
			return slot;
	}
}

static int grow_slots(struct intern *table)
{
	uint32_t n = table->n_slots ? table->n_slots * 2 : FIRST_SLOTS, mask = n - 1;
	uint32_t *slots = arena_alloc(table->arena, n * sizeof(*slots));
	if (!slots)
		return arena_error(table->arena);
	for (uint32_t id = 0; id < table->count; id++) {
		uint32_t at = entry_at(table, id)->hash & mask;
		while (slots[at])
			at = (at + 1) & mask;
		slots[at] = id + 1;
	}
	table->slots = slots;
	table->n_slots = n;
	return OK;
}

/* Room for one entry more: in the slots and in its segment. */
static int make_room(struct intern *table)
{
	if (table->count >= segment_start(INTERN_SEGMENTS))
		return ERR_LIMIT;
	if (table->count * 2 >= table->n_slots) {
		int error = grow_slots(table);
		if (error)
			return error;
	}
	unsigned segment = segment_of(table->count);
	if (!table->segments[segment])
		table->segments[segment] = arena_alloc(table->arena,
						       ((size_t)INTERN_FIRST_SEGMENT << segment) * table->stride);
	return table->segments[segment] ? OK : arena_error(table->arena);
}

int intern_find(const struct intern *table, const void *key, size_t size, uint32_t *id)
{
	if (!table->n_slots)
		return ERR_STATE;
	uint32_t slot = *slot_of(table, key, size, hash_bytes(key, size));
	if (!slot)
		return ERR_STATE;
	*id = slot - 1;
	return OK;
}

static int insert(struct intern *table, const void *key, size_t size, uint32_t hash, uint32_t *id)
{
	int error = size > UINT32_MAX ? ERR_LIMIT : make_room(table);
	if (error)
		return error;
	void *copy = arena_alloc(table->arena, size);
	if (!copy)
		return arena_error(table->arena);
	memcpy(copy, key, size);
	*id = table->count++;
	*entry_at(table, *id) = (struct entry){copy, (uint32_t)size, hash};
	*slot_of(table, key, size, hash) = *id + 1;
	return OK;
}

int intern_add(struct intern *table, const void *key, size_t size, uint32_t *id)
{
	uint32_t hash = hash_bytes(key, size);
	uint32_t slot = table->n_slots ? *slot_of(table, key, size, hash) : 0;
	if (!slot)
		return insert(table, key, size, hash, id);
	*id = slot - 1;
	return OK;
}

const void *intern_key(const struct intern *table, uint32_t id, size_t *size)
{
	const struct entry *entry = entry_at(table, id);
	if (size)
		*size = entry->size;
	return entry->key;
}

void *intern_payload(const struct intern *table, uint32_t id)
{
	return entry_at(table, id) + 1;
}
