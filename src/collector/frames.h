/*
 * frames.h - make py_frames_walk() work in this interpreter.
 */
#ifndef SNECK_COLLECTOR_FRAMES_H
#define SNECK_COLLECTOR_FRAMES_H

/*
 * Find the offsets, prove them, and use them; where they do not prove, use frame objects.
 * With the GIL, not inside a sample: it runs Python code of our own.  The first call counts,
 * in whatever interpreter; later ones return at once.
 */
void frames_init(void);

/* Why stacks are walked the slow way, static; NULL when they are walked by offsets. */
const char *frames_slow_reason(void);

#endif
