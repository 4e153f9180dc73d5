/*
 * lock_table.h - from the address of a lock to its class: a lock has no room for our notes.
 *
 * Eight bytes a lock, at most 32 with what growing leaves empty.  Lock-free: any thread,
 * any interpreter.  A lock is put when it is made (or first met), removed when it dies.
 */
#ifndef SNECK_COLLECTOR_LOCK_TABLE_H
#define SNECK_COLLECTOR_LOCK_TABLE_H

#include <stddef.h>
#include <stdint.h>

enum { LOCK_CLASS_NONE = 0, LOCK_CLASS_ID_MAX = (1 << 20) - 1 };

/* OK; ERR_LIMIT or ERR_NOMEM: the lock stays unknown, and is looked at anew when sampled. */
int lock_table_put(const void *lock, uint32_t class_id);

/* LOCK_CLASS_NONE if the lock is unknown. */
uint32_t lock_table_get(const void *lock);

/* The class it had, or LOCK_CLASS_NONE. */
uint32_t lock_table_remove(const void *lock);

/* Forget all locks; memory goes back to the system. */
void lock_table_clear(void);

size_t lock_table_bytes(void);

void lock_table_prefork(void);
void lock_table_postfork_parent(void);
void lock_table_postfork_child(void);

#endif
