/*
 * lock_site.h - from the place where a lock is made to its class.
 *
 * A site is the stack of a creation, as far up as its name needs: one frame for
 * `self.lock = Lock()`, two where a helper function returns the lock it made.  Looked up
 * at every creation, so a known site costs one probe a frame; a new one is named once.
 */
#ifndef SNECK_COLLECTOR_LOCK_SITE_H
#define SNECK_COLLECTOR_LOCK_SITE_H

#include "collector/lock_class.h"
#include "runtime/py_frames.h"
#include "runtime/threads.h"

/* ---- where this thread lately made locks -------------------------------------------------- */

/*
 * By the marks of py_frames_mark(): most creations are found here, by a handful of loads.  The
 * tag says of what kind and since which end of an interpreter (addresses may be another's
 * after), so one comparison tells that an entry is of use.
 */
struct recent_site {
	uintptr_t code, instruction;			/* of the leaf */
	uint64_t tag;
	uint32_t class_id;
	uintptr_t caller_code, caller_instruction;	/* where the leaf does not tell, else 0 */
} __attribute__((aligned(64)));

enum {
	RECENT_SITES = 64,
	SITE_TELLS = 2,		/* the leaf's own entry; below it the kind */
	SITE_DEEPER = 4,	/* the leaf does not tell: its caller does */
	SITE_OF_TWO = 6,	/* the entry of leaf and caller together */
	SITE_ENDS = 8,		/* the rest counts the interpreters that ended */
};

extern uint64_t lock_site_ends __attribute__((visibility("hidden")));

static inline uint64_t recent_site_tag(enum lock_kind kind, unsigned what)
{
	return __atomic_load_n(&lock_site_ends, __ATOMIC_RELAXED) + ((unsigned)kind | what);
}

/* Instructions lie two bytes apart, code objects 16. */
static inline size_t mark_hash(uintptr_t code, uintptr_t instruction)
{
	return instruction << 5 ^ code << 2;
}

static inline struct recent_site *recent_site_at(size_t hash)
{
	size_t mask = (RECENT_SITES - 1) * sizeof(struct recent_site);
	return (struct recent_site *)((char *)thread_hot.sites + (hash & mask));
}

static inline bool recent_site_is(const struct recent_site *recent, uintptr_t code, uintptr_t instruction, uint64_t tag)
{
	return __builtin_expect(recent->instruction == instruction && recent->code == code && recent->tag == tag, 1);
}

/* Where the leaf is not among the recent ones, or does not tell: its mark, in registers. */
uint32_t lock_site_class_elsewhere(const void *tstate, enum lock_kind kind, uintptr_t frame, uintptr_t code,
				   uintptr_t instruction);

/*
 * The id of the class of a lock of this kind being made by the calling thread (tstate: its
 * PyThreadState *, GIL held).  LOCK_CLASS_NONE: no Python frame, no memory.  Never inside a
 * sample: a new site reads bytecode through Python objects.
 */
static inline uint32_t lock_site_class(const void *tstate, enum lock_kind kind)
{
	struct py_frames_mark leaf = py_frames_mark(tstate);
	if (__builtin_expect(thread_hot.sites != NULL, 1)) {
		const struct recent_site *recent = recent_site_at(mark_hash(leaf.code, leaf.instruction));
		if (recent_site_is(recent, leaf.code, leaf.instruction, recent_site_tag(kind, SITE_TELLS)))
			return recent->class_id;
	}
	return lock_site_class_elsewhere(tstate, kind, leaf.frame, leaf.code, leaf.instruction);
}

/* Give back the code objects of this interpreter, at its end, with its GIL. */
void lock_site_forget_interpreter(int64_t interpreter);

void lock_site_prefork(void);
void lock_site_postfork_parent(void);
void lock_site_postfork_child(void);

#endif
