/*
 * clocks.h - the clocks, as function pointers that a test may replace.
 */
#ifndef SNECK_RUNTIME_CLOCKS_H
#define SNECK_RUNTIME_CLOCKS_H

#include <stdint.h>

extern int64_t (*clock_monotonic_ns)(void);	/* never goes back; origin unspecified */
extern int64_t (*clock_wall_ns)(void);		/* since 1970, UTC */
extern int64_t (*clock_thread_ns)(void);	/* what the calling thread has used of a processor; a system call */
extern int64_t (*clock_process_ns)(void);	/* what all threads of the process have; a system call */

/* clock_monotonic_ns, called directly: for the sampling path, where tests measure the real one. */
int64_t clock_now_ns(void);

#endif
