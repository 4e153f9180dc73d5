/*
 * lock_table.h - from the address of a lock to its class: a lock has no room for our notes.
 *
 * Eight bytes a lock, at most 32 with what growing leaves empty.  Lock-free: any thread,
 * any interpreter.  A lock is put when it is made (or first met), removed when it dies.
 */
#ifndef SNECK_COLLECTOR_LOCK_TABLE_H
#define SNECK_COLLECTOR_LOCK_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LOCK_CLASS_NONE = 0, LOCK_CLASS_ID_MAX = (1 << 20) - 1 };

/* ---- the first place of an address ------------------------------------------------------ */

/* A slot: the lock's address above, its class in the lower bits; 0 is empty. */
enum { LOCK_TABLE_CLASS_BITS = 20, LOCK_TABLE_FIRST = 2048 };
extern uint64_t lock_table_first[LOCK_TABLE_FIRST] __attribute__((visibility("hidden")));

static inline uint64_t *lock_table_first_of(const void *lock)
{
	return &lock_table_first[(uintptr_t)lock >> 4 & (LOCK_TABLE_FIRST - 1)];
}

/* What the slot of an aligned address below 2^48 has above its class. */
static inline uint64_t lock_table_key(const void *lock)
{
	return (uint64_t)(uintptr_t)lock << (LOCK_TABLE_CLASS_BITS - 4);
}

static inline bool lock_table_fits(const void *lock)
{
	return !((uintptr_t)lock & 0xffff00000000000f);
}

/* ---- what callers see ------------------------------------------------------------------- */

/* Where its first place is not free, or it has none. */
int lock_table_put_elsewhere(const void *lock, uint32_t class_id);

/* OK; ERR_LIMIT or ERR_NOMEM: the lock stays unknown, and is looked at anew when sampled. */
static inline int lock_table_put(const void *lock, uint32_t class_id)
{
	uint64_t *slot = lock_table_first_of(lock);
	bool is_free = !__atomic_load_n(slot, __ATOMIC_RELAXED) && lock_table_fits(lock);
	if (__builtin_expect(!is_free || class_id > LOCK_CLASS_ID_MAX, 0))
		return lock_table_put_elsewhere(lock, class_id);
	__atomic_store_n(slot, lock_table_key(lock) | class_id, __ATOMIC_RELAXED);
	return 0;
}

/* Its class, if it stands at its first place. */
static inline uint32_t lock_table_get_first(const void *lock)
{
	uint64_t word = __atomic_load_n(lock_table_first_of(lock), __ATOMIC_RELAXED) ^ lock_table_key(lock);
	return word <= LOCK_CLASS_ID_MAX && lock_table_fits(lock) ? (uint32_t)word : LOCK_CLASS_NONE;
}

/* LOCK_CLASS_NONE if the lock is unknown. */
uint32_t lock_table_get(const void *lock);

/* Another class for a lock that has one; an unknown one stays so. */
void lock_table_replace(const void *lock, uint32_t class_id);

/* The class it had, or LOCK_CLASS_NONE. */
uint32_t lock_table_remove(const void *lock);

/* Remove it if it stands at its first place; false: it does not, and may stand elsewhere. */
static inline bool lock_table_remove_first(const void *lock)
{
	uint64_t *slot = lock_table_first_of(lock);
	if (__builtin_expect((__atomic_load_n(slot, __ATOMIC_RELAXED) ^ lock_table_key(lock)) > LOCK_CLASS_ID_MAX ||
			     !lock_table_fits(lock), 0))
		return false;
	__atomic_store_n(slot, 0, __ATOMIC_RELAXED);
	return true;
}

/* Forget all locks; memory goes back to the system. */
void lock_table_clear(void);

size_t lock_table_bytes(void);

void lock_table_prefork(void);
void lock_table_postfork_parent(void);
void lock_table_postfork_child(void);

#endif
