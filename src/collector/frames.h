/*
 * frames.h - make py_frames_walk() work in this interpreter.
 */
#ifndef SNECK_COLLECTOR_FRAMES_H
#define SNECK_COLLECTOR_FRAMES_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Find the offsets, prove them, and use them; where they do not prove, use frame objects.
 * With the GIL, not inside a sample: it runs Python code of our own.  The first call counts,
 * in whatever interpreter; later ones return at once.
 */
void frames_init(void);

/* The same as if the offsets did not prove: refused says why, static.  For tests. */
void frames_init_slowly(const char *refused);

void frames_postfork_child(void);

/* Why stacks are walked the slow way, static; NULL when they are walked by offsets. */
const char *frames_slow_reason(void);

/*
 * What the proof says when one offset is off by delta bytes: member is its place among those
 * of struct py_offsets that this version has.  *reason as frames_slow_reason().  False: no
 * such member.  For tests; changes nothing.
 */
bool frames_prove_shifted(size_t member, int delta, const char **reason);

#endif
