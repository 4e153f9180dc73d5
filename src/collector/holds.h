/*
 * holds.h - the sampled holds in progress: who took which lock when, for how many it stands.
 *
 * A release asks holds_maybe() first, one load; only locks with a sampled hold (and a few
 * others, by chance) go further.  A key is the lock's address, a tag, and perhaps a thread.
 */
#ifndef SNECK_COLLECTOR_HOLDS_H
#define SNECK_COLLECTOR_HOLDS_H

#include <stdbool.h>
#include <stdint.h>

struct hold {
	uintptr_t key;
	uint64_t thread;		/* serial of the thread that acquired (threads.h) */
	int64_t acquired_ns;		/* monotonic */
	double weight;			/* acquisitions this one stands for */
	bool is_contended;		/* it had to wait */
};

/* What a key says besides the lock's address. */
enum hold_tag {
	HOLD_OF_LOCK = 0,
	HOLD_OF_SEMAPHORE = 1,		/* the lock is a semaphore's inner one */
	SEMAPHORE_BEING_ACQUIRED = 2,	/* no hold yet: since when its acquire is under way */
	HOLD_TAGS
};

/*
 * thread: 0 if holds of the lock stand in one row; else its holds are found without passing by those of
 * other threads.  In the bits that no address of a program's has.
 */
static inline uintptr_t hold_key(const void *lock, enum hold_tag tag, uint64_t thread)
{
	return (uintptr_t)lock | (uintptr_t)tag | (uintptr_t)thread << 48;
}

/* Counts of holds by the hash of their address; what the release path reads. */
enum { HOLD_FILTER_SIZE = 4096 };
extern uint16_t hold_filter[HOLD_FILTER_SIZE] __attribute__((visibility("hidden")));

static inline unsigned hold_filter_index(uintptr_t address)
{
	/* locks are 16 bytes apart at least; their bits 4 to 27 folded to 12 */
	return (unsigned)(address >> 4 ^ address >> 16) & (HOLD_FILTER_SIZE - 1);
}

/* False: the lock has no sampled hold.  True: perhaps. */
static inline bool holds_maybe(const void *lock)
{
	return __atomic_load_n(&hold_filter[hold_filter_index((uintptr_t)lock)], __ATOMIC_RELAXED) != 0;
}

/*
 * Called, under the holds' lock, when the first hold begins and when the last one has
 * ended: while there is none, nobody need ask.  NULL: nobody wants to know.
 */
void holds_on_change(void (*changed)(bool any));

/*
 * Begin a hold.  A key has at most `most` of them: the oldest gives way, and counts as lost.
 * OK, or ERR_LIMIT/ERR_NOMEM: it is not followed.
 */
int holds_begin(const struct hold *hold, unsigned most);

/* The tags under which the lock has holds, with the thread in their keys or with none: bit 1 << tag for each. */
unsigned holds_tags(const void *lock, uint64_t thread);

/* End the thread's own hold of this key, or else (thread 0, or any_thread) the oldest one. */
bool holds_end(uintptr_t key, uint64_t thread, bool any_thread, struct hold *hold);

/* The lock died or was reset: drop all its holds, of every tag.  How many there were. */
unsigned holds_drop(const void *lock);

void holds_clear(void);
unsigned holds_count(void);

void holds_prefork(void);
void holds_postfork_parent(void);
/* Keeps the holds of the forking thread alone: the others' threads are not there. */
void holds_postfork_child(void);

#endif
