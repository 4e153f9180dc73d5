/*
 * lock_name.h - what to call a lock: "cache.py:17:_lock", of CacheManager.
 *
 * In order: the bytecode of its creation, a search by identity at its first use, nothing but
 * the place.
 */
#ifndef SNECK_COLLECTOR_LOCK_NAME_H
#define SNECK_COLLECTOR_LOCK_NAME_H

#include <Python.h>
#include <stdbool.h>

#include "collector/primitives.h"
#include "runtime/py_frames.h"

enum {
	LOCK_NAME_BYTES = 128,
	LOCK_LABEL_BYTES = 2 * LOCK_NAME_BYTES + 16,
};

/* Texts are valid UTF-8, cut at a character's border where too long. */
struct lock_name {
	char file[LOCK_NAME_BYTES];	/* base name; "" when nothing is known */
	int line;			/* 0: unknown */
	char name[LOCK_NAME_BYTES];	/* "lock", "locks[...]"; "" for none */
	char owner[LOCK_NAME_BYTES];	/* qualified name of class or function, "" for a module or none */
	bool is_guess;			/* the name is but that of an argument: a search may find a better one */
	size_t place;			/* of a creation: index of the frame whose file and line these are */
	size_t frames_used;		/* of a creation: on how many frames the name depends; 0: on more than there are */
};

/* Once per process, with the GIL, after frames_init(); prepares all naming. */
void lock_name_init(void);

/*
 * The name of a lock that C code is making now, in this stack of the current thread (leaf
 * first).  With the GIL.  Runs no Python code and makes nothing that the garbage collector
 * tracks, but takes microseconds: once per creation site.
 */
void lock_name_from_creation(const void *tstate, const struct raw_frame *frames, size_t depth, struct lock_name *name);

/*
 * Complete *name at a use of the lock: what is known already (creation's place, or all zero)
 * stays.  use is primitives_classify()'s answer for these frames.  attributes: whether to
 * look into objects too (LOCK_NAME_INSPECT_DIR).  With the GIL; may be called inside a sample.
 */
void lock_name_from_search(const void *tstate, PyObject *lock, const struct raw_frame *frames, size_t depth,
			   const struct primitive_use *use, bool attributes, struct lock_name *name);

/* Whether a search could still help. */
bool lock_name_wants_search(const struct lock_name *name);

/* "file.py:12:name", or without a name "file.py:12". */
void lock_name_label(const struct lock_name *name, char label[LOCK_LABEL_BYTES]);

#endif
