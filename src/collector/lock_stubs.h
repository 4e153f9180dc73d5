/*
 * lock_stubs.h - the hot paths once more, near the interpreter's own text.
 */
#ifndef SNECK_COLLECTOR_LOCK_STUBS_H
#define SNECK_COLLECTOR_LOCK_STUBS_H

#include <stdbool.h>

/*
 * After all methods and the look are proved: map a stub for each method near the originals.
 * lock_method_function() gives the stubs from then on.  Once; with the GIL.  Where anything
 * refuses, lock_stubs_reason() says what, and the hooks in C serve.
 */
void lock_stubs_map(void);

/* NULL: the stubs are in use. */
const char *lock_stubs_reason(void);

/* Is any sampled hold in progress?  Until it is said so, release stubs go straight on. */
void lock_stubs_set_holds(bool any);

#endif
