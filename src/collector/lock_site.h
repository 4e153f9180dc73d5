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

/*
 * The id of the class of a lock of this kind being made by the calling thread (tstate: its
 * PyThreadState *, GIL held).  LOCK_CLASS_NONE: no Python frame, no memory.  Never inside a
 * sample: a new site reads bytecode through Python objects.
 */
uint32_t lock_site_class(const void *tstate, enum lock_kind kind);

/* Give back the code objects of this interpreter, at its end, with its GIL. */
void lock_site_forget_interpreter(int64_t interpreter);

void lock_site_prefork(void);
void lock_site_postfork_parent(void);
void lock_site_postfork_child(void);

#endif
