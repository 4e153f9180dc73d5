/*
 * lock_table.c - levels of buckets, each bucket a cache line of eight slots.
 *
 * A slot is one word: the lock's address, 16-byte aligned and below 2^48, in its upper 44
 * bits, its class in the lower 20; 0 is empty.  An address has one slot in a small first
 * table and one bucket in each level, and stands in at most one slot anywhere.  When its
 * buckets are full in every level, a new level as large as all before is added: nothing ever
 * moves, so readers need no lock.
 *
 * Hot: the first table, in the header.  A lock that dies young is put and removed there by a
 * load and a store each.
 *
 *     operation          may meet             why it is safe
 *     put (store w)      put of another lock  only from interpreters with a GIL each; one of
 *                                             the two may be lost, then its lock is met as an
 *                                             unknown one: an atomic exchange at each creation
 *                                             (5 ns of 45) is not worth that
 *     get                put, remove          the asker keeps its own lock alive
 *     replace (store w)  all                  likewise
 *     remove (store 0)   put of another lock  the slot is empty only afterwards
 *     new level          all                  levels are appended, under the mutex, and
 *                                             published by n_levels (release)
 *
 * Locking: grow_lock (LOCK_RANK_TABLE) guards adding a level.
 * Fork:    prefork takes the lock; the child keeps the table, its locks have their addresses.
 */
#include <config.h>

#include "collector/lock_table.h"

#include <stdbool.h>
#include <sys/mman.h>

#include "runtime/error.h"
#include "runtime/fork.h"
#include "runtime/hot.h"
#include "runtime/mutex.h"

enum {
	CLASS_BITS = LOCK_TABLE_CLASS_BITS,
	SLOTS = 8,
	FIRST_LEVEL_BITS = 8,	/* 256 buckets, 16 KiB */
	LEVELS_MAX = 20,	/* 2^27 buckets in the last one */
};

struct bucket {
	uint64_t slots[SLOTS];
};

static struct level {
	struct bucket *buckets;
	unsigned bits;
} levels[LEVELS_MAX];
static unsigned n_levels;
uint64_t lock_table_first[LOCK_TABLE_FIRST];
static struct mutex grow_lock SNECK_AT_FORK = MUTEX_INITIALIZER(LOCK_RANK_TABLE);

/* 0 if the address does not fit a slot. */
static uint64_t slot_key(const void *lock)
{
	return lock_table_fits(lock) ? lock_table_key(lock) : 0;
}

static struct bucket *bucket_of(const struct level *level, uint64_t key)
{
	return &level->buckets[(key >> CLASS_BITS) * 0x9e3779b97f4a7c15 >> (64 - level->bits)];
}

/* Appended behind `seen` levels, unless another thread was faster. */
static int add_level(unsigned seen)
{
	int error = OK;
	mutex_lock(&grow_lock);
	if (seen == LEVELS_MAX) {
		error = ERR_LIMIT;
	} else if (n_levels == seen) {
		unsigned bits = seen < 2 ? FIRST_LEVEL_BITS : levels[seen - 1].bits + 1;
		void *buckets = mmap(NULL, sizeof(struct bucket) << bits, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (buckets == MAP_FAILED) {
			error = ERR_NOMEM;
		} else {
			levels[seen] = (struct level){buckets, bits};
			__atomic_store_n(&n_levels, seen + 1, __ATOMIC_RELEASE);
		}
	}
	mutex_unlock(&grow_lock);
	return error;
}

static bool bucket_put(struct bucket *bucket, uint64_t word)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (!__atomic_load_n(&bucket->slots[i], __ATOMIC_RELAXED)) {
			__atomic_store_n(&bucket->slots[i], word, __ATOMIC_RELAXED);
			return true;
		}
	return false;
}

int lock_table_put_elsewhere(const void *lock, uint32_t class_id)
{
	uint64_t key = slot_key(lock);
	if (!key || class_id > LOCK_CLASS_ID_MAX)
		return ERR_LIMIT;
	for (;;) {
		unsigned n = __atomic_load_n(&n_levels, __ATOMIC_ACQUIRE);
		for (unsigned i = n; i-- > 0;)
			if (bucket_put(bucket_of(&levels[i], key), key | class_id))
				return OK;
		int error = add_level(n);
		if (error)
			return error;
	}
}

static bool has_key(const uint64_t *slot, uint64_t key)
{
	return (__atomic_load_n(slot, __ATOMIC_RELAXED) ^ key) >> CLASS_BITS == 0;
}

static SNECK_HOT_CODE uint64_t *slot_find(const void *lock)
{
	uint64_t key = slot_key(lock), *first = lock_table_first_of(lock);
	if (key && has_key(first, key))
		return first;
	unsigned n = key ? __atomic_load_n(&n_levels, __ATOMIC_ACQUIRE) : 0;
	for (unsigned i = n; i-- > 0;) {
		struct bucket *bucket = bucket_of(&levels[i], key);
		for (unsigned j = 0; j < SLOTS; j++)
			if (has_key(&bucket->slots[j], key))
				return &bucket->slots[j];
	}
	return NULL;
}

SNECK_HOT_CODE uint32_t lock_table_get(const void *lock)
{
	uint64_t *slot = slot_find(lock);
	return slot ? __atomic_load_n(slot, __ATOMIC_RELAXED) & LOCK_CLASS_ID_MAX : LOCK_CLASS_NONE;
}

void lock_table_replace(const void *lock, uint32_t class_id)
{
	uint64_t *slot = slot_find(lock);
	if (slot && class_id <= LOCK_CLASS_ID_MAX)
		__atomic_store_n(slot, slot_key(lock) | class_id, __ATOMIC_RELAXED);
}

uint32_t lock_table_remove(const void *lock)
{
	uint64_t *slot = slot_find(lock);
	if (!slot)
		return LOCK_CLASS_NONE;
	uint32_t class_id = __atomic_load_n(slot, __ATOMIC_RELAXED) & LOCK_CLASS_ID_MAX;
	__atomic_store_n(slot, 0, __ATOMIC_RELAXED);
	return class_id;
}

void lock_table_clear(void)
{
	for (size_t i = 0; i < LOCK_TABLE_FIRST; i++)
		__atomic_store_n(&lock_table_first[i], 0, __ATOMIC_RELAXED);
	/* the pages read as zero again; a reader that is late finds nothing, not a fault */
	for (unsigned i = 0; i < __atomic_load_n(&n_levels, __ATOMIC_ACQUIRE); i++)
		madvise(levels[i].buckets, sizeof(struct bucket) << levels[i].bits, MADV_DONTNEED);
}

size_t lock_table_bytes(void)
{
	size_t bytes = sizeof(lock_table_first);
	for (unsigned i = 0; i < __atomic_load_n(&n_levels, __ATOMIC_ACQUIRE); i++)
		bytes += sizeof(struct bucket) << levels[i].bits;
	return bytes;
}

void lock_table_prefork(void)
{
	mutex_lock(&grow_lock);
}

void lock_table_postfork_parent(void)
{
	mutex_unlock(&grow_lock);
}

SNECK_FORK_CODE void lock_table_postfork_child(void)
{
	mutex_postfork_child(&grow_lock);
}
