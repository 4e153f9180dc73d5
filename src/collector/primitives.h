/*
 * primitives.h - whose lock operation is it: the user's, or a primitive's own?
 *
 * The standard library builds Condition, Semaphore, Queue and more out of locks, in Python.
 * A user knows those, not what is inside: one semaphore taken is one acquire, on the
 * user's line.
 */
#ifndef SNECK_COLLECTOR_PRIMITIVES_H
#define SNECK_COLLECTOR_PRIMITIVES_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/py_frames.h"

enum primitive_role {
	PRIMITIVE_NONE,			/* the user's own operation */
	PRIMITIVE_TRANSPARENT,		/* likewise, through a Condition or a context manager of the library's */
	PRIMITIVE_OWNED,		/* on the lock of a Queue, a Handler, ...: record it under that object's name */
	PRIMITIVE_SEMAPHORE_ACQUIRE,	/* an acquire of the inner lock is the semaphore's acquire; a release is nothing */
	PRIMITIVE_SEMAPHORE_RELEASE,	/* a release of the inner lock is the semaphore's release; an acquire is nothing */
	PRIMITIVE_SEMAPHORE_WAIT,	/* an acquire here is time waited for the semaphore, not yet its acquire */
	PRIMITIVE_INNER,		/* nobody's business: leave it out */
};

/* The lock is inside a semaphore: what is an acquire there, semaphore.c tells. */
static inline bool primitive_is_semaphores(enum primitive_role role)
{
	return role == PRIMITIVE_SEMAPHORE_ACQUIRE || role == PRIMITIVE_SEMAPHORE_WAIT || role == PRIMITIVE_SEMAPHORE_RELEASE;
}

struct primitive_use {
	enum primitive_role role;
	size_t skip;			/* leaf frames that are the library's: the user's leaf is frames[skip] */
	size_t owner_frame;		/* its first argument is the object that owns the lock; SIZE_MAX: none */
	const char *kind;		/* class of that object, "threading.Semaphore", static; or NULL */
};

/*
 * So many of the library's frames stand before the user's leaf at most.  The longest way is twelve: logging.exception()
 * through a QueueHandler; nested handlers and adapters make it longer.
 */
enum { LIBRARY_FRAMES_MAX = 16 };

/* Resolve the modules that are imported by now.  With the GIL, outside samples. */
void primitives_init(void);

/*
 * What the operation on `lock` (0: unknown) is, seen from these frames, leaf first; the
 * answer is use->role.  is_rlock tells what Condition.wait() does with the user's RLock from
 * what it does with the lock that it makes for the one wait, which is never an RLock.
 *
 * With the GIL; may be called inside a sample.  Where the leaf is code of the user's, it costs a load;
 * at first a look at the size of sys.modules, and one probe of a table.  A module newly
 * imported is resolved when first met; that makes objects, with the collector held off.
 */
enum primitive_role primitives_classify(const struct raw_frame *frames, size_t depth, uintptr_t lock, bool is_rlock,
					struct primitive_use *use);

/*
 * Code that was looked up in vain when all modules had been looked through.  It belongs to one of
 * them, so it stays the user's: who takes a lock need not ask again what was imported since.
 * Should it be freed, and the library's code come to lie there, that is found at the next look
 * that is not for this address, which forgets it.
 */
enum { PRIMITIVE_STRANGERS = 64 };
extern uintptr_t primitive_strangers[PRIMITIVE_STRANGERS] __attribute__((visibility("hidden")));

static inline uintptr_t *primitive_stranger_slot(uintptr_t code)
{
	return &primitive_strangers[((code >> 4) * 0x9e3779b97f4a7c15u >> 32) % PRIMITIVE_STRANGERS];
}

/* False for 0, no code at all. */
static inline bool primitives_are_strangers_to(uintptr_t code)
{
	return code && __atomic_load_n(primitive_stranger_slot(code), __ATOMIC_RELAXED) == code;
}

/* Whether this code is the library's: if the leaf's is not, an operation is PRIMITIVE_NONE. */
bool primitives_knows(uintptr_t code);

/*
 * Whether the locks that this code makes are nobody's business and need no name.  It runs in
 * each child after a fork: naming what it makes would be work for each of them, 100 us and more.
 */
bool primitives_makes_inner_locks(uintptr_t code);

/* Give back what is kept of this interpreter, at its end, with its GIL. */
void primitives_forget_interpreter(int64_t interpreter);

void primitives_prefork(void);
void primitives_postfork_parent(void);
void primitives_postfork_child(void);

#endif
