/*
 * lock_stubs.h - the hot paths once more, near the interpreter's own text.
 */
#ifndef SNECK_COLLECTOR_LOCK_STUBS_H
#define SNECK_COLLECTOR_LOCK_STUBS_H

#include <stdbool.h>

/*
 * After all methods and the look are proved: map a stub for each method near the originals.
 * Once; with the GIL.  Where anything refuses, lock_stubs_reason() says what, and the hooks in C
 * serve.
 */
void lock_stubs_map(void);

/* At each start, before anything is redirected: set the methods' stubs, for sampling or for 0 %. */
void lock_stubs_choose(bool samples);

/* NULL: the stubs are in use. */
const char *lock_stubs_reason(void);

/* Is any sampled hold in progress?  Until it is said so, release stubs go straight on. */
void lock_stubs_set_holds(bool any);

#endif
