/*
 * lock_class.h - locks of one kind made at one place under one name, counted together.
 *
 * (As in Linux's lockdep: what is said of a lock is said of its class.)  A class is never
 * freed: caches and profiles point to its labels.  Their number is bounded by the code.
 */
#ifndef SNECK_COLLECTOR_LOCK_CLASS_H
#define SNECK_COLLECTOR_LOCK_CLASS_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/histogram.h"
#include "runtime/sample_cache.h"

struct lock_name;

/* CPython's own types of lock. */
enum lock_kind {
	LOCK_KIND_LOCK,
	LOCK_KIND_RLOCK,
	LOCK_KINDS
};

/* What a sample says of an operation; each has its own set of labels. */
enum lock_event {
	LOCK_EVENT_PLAIN,		/* acquired, or released */
	LOCK_EVENT_REENTRY,
	LOCK_EVENT_TIMEOUT,
	LOCK_EVENT_WOULD_BLOCK,
	LOCK_EVENT_INTERRUPTED,
	LOCK_EVENTS
};

/* What is counted since the last upload, by all threads at once. */
struct lock_counts {
	double acquires, hold_ns;		/* estimated; without contended acquires */
	uint64_t wait_ns, wait_max_ns;		/* exact, of attempts that found the lock taken */
	uint64_t no_acquires;			/* those of them that failed */
	uint32_t wait_histogram[HISTOGRAM_BUCKETS];	/* short, to be few lines: 2^32 waits from one upload to the next */
};

/* What that amounts to, since then or since the start. */
struct lock_sums {
	double acquires, hold_ns;		/* estimated; but contended acquires are counted */
	uint64_t contended, wait_ns, wait_max_ns;	/* exact, of attempts that found the lock taken */
	uint64_t wait_histogram[HISTOGRAM_BUCKETS];	/* contended is its sum */
};

/*
 * What tells classes apart.  The module is not shown, but is part of it: files of the same name in two
 * packages may have the same lock in the same line, and one of the packages be left out.
 */
struct lock_class_key {
	const char *kind;		/* threading.Lock; static */
	const char *name;		/* file.py:12:lock */
	const char *owner;		/* "" if there is none */
	const char *module;		/* where it is made or, unknown that, first used; "" if that is not known either */
	bool is_unnamed;		/* its locks are still to be searched for: it counts nothing itself */
};

struct lock_class {
	/* what every wait reads, in one line */
	struct lock_history *history;	/* its counts and what was taken of them before; NULL: all zero */
	struct lock_name *unnamed;	/* creation gave no name: what is known; a lock's first sample looks for the rest */
	uint32_t successor;		/* what its locks belong to where they are searched for no more, or 0 */
	bool is_excluded;		/* of a module the user does not want to see: its samples are left out */

	uint32_t id;
	uint32_t of_primitive;		/* the class of the primitive that these locks are inside of, or 0 */
	const void *of_type;		/* of a semaphore: of which type it is the class; to be compared, never read */
	uint32_t misses;		/* searches in a row that found no name */
	struct lock_class_key key;	/* texts of its own, but for kind */
	struct label_set labels[LOCK_EVENTS];
};

const char *lock_kind_name(enum lock_kind kind);

/*
 * The class of this key; made if new.  Borrows the texts, but keeps kind.
 * NULL without memory; when there are too many, one class that says so.
 */
struct lock_class *lock_class_intern(const struct lock_class_key *key);

/*
 * The same by what naming found.  Where that is not a name yet, the class remembers it for a
 * search at the first sample.
 */
struct lock_class *lock_class_named(const char *kind, const struct lock_name *name, const char *module);

/* The list of modules to leave out has changed: apply it to all classes, and to those to come. */
void lock_class_exclude(bool (*is_excluded)(const char *module));

enum { LOCK_CLASSES_MAX = 65536 };
extern struct lock_class *lock_classes[LOCK_CLASSES_MAX] __attribute__((visibility("hidden")));	/* from 1 */

/* By id; NULL for 0. */
static inline struct lock_class *lock_class_of(uint32_t id)
{
	return id < LOCK_CLASSES_MAX ? __atomic_load_n(&lock_classes[id], __ATOMIC_ACQUIRE) : NULL;
}

/* Highest id in use. */
uint32_t lock_class_last(void);

/* Its counts, which stay where they are; made at the first call.  NULL without memory. */
struct lock_counts *lock_class_counts(struct lock_class *lock_class);

/* Count one wait of an attempt that found the lock taken; is_acquire: and got it, for its caller. */
void lock_counts_add_wait(struct lock_counts *counts, int64_t wait_ns, bool is_acquire);

/* Count what a sample stands for; acquires that were not counted as waits. */
void lock_class_count_acquires(struct lock_class *lock_class, double n);
void lock_class_count_hold(struct lock_class *lock_class, double hold_ns);

/* Move the counts since the last call out, and into the totals.  False: there were none. */
bool lock_class_take(struct lock_class *lock_class, struct lock_sums *sums);

/* Totals and what came since. */
void lock_class_read(struct lock_class *lock_class, struct lock_sums *sums);

/* How many attempts found their lock taken, of all classes since the last reset; the rest is in STAT_contended. */
uint64_t lock_class_contended(void);

/* Forget all counts (a new start), not the classes. */
void lock_class_reset_counts(void);

void lock_class_prefork(void);
void lock_class_postfork_parent(void);
void lock_class_postfork_child(void);

#endif
