/*
 * fast_clock.h - the time of the sampling path: a processor's own counter where it can be trusted.
 *
 * clock_gettime() takes 30 ns on a machine where the counter takes 12, and it reads its code and data
 * from lines that have left the caches after a wait: it was most of what a contended acquire cost.
 * Until the counter is known to keep time, and where it does not, the kernel's clock is asked.
 */
#ifndef SNECK_RUNTIME_FAST_CLOCK_H
#define SNECK_RUNTIME_FAST_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/clocks.h"

struct fast_clock {
	uint64_t scale;		/* nanoseconds a tick, times 2^32; 0: ask the kernel */
	uint64_t first_ticks;
	int64_t first_ns;	/* clock_now_ns() at first_ticks */
	int64_t cost_ns;	/* of one reading: to be taken off each measured time */
	bool is_warming;	/* its rate is not known yet */
	int64_t ahead_ns;	/* of the kernel's clock, once it is given up; 0 until then */
};

extern struct fast_clock fast_clock __attribute__((visibility("hidden")));

#ifdef __x86_64__
enum { FAST_CLOCK_IS_WRITTEN = true };
static inline uint64_t fast_clock_ticks(void)
{
	return __builtin_ia32_rdtsc();
}
#else
enum { FAST_CLOCK_IS_WRITTEN = false };
static inline uint64_t fast_clock_ticks(void)
{
	return 0;
}
#endif

static inline int64_t fast_clock_at(uint64_t ticks, uint64_t scale)
{
	__int128 since = (int64_t)(ticks - fast_clock.first_ticks);
	return fast_clock.first_ns + (int64_t)(since * (__int128)scale >> 32);
}

/*
 * For differences between two of them, in any thread; as clock_now_ns() otherwise, to a part in a
 * thousand.  The counters of two processors may differ by some nanoseconds, so may the answers.
 */
static inline int64_t fast_clock_ns(void)
{
	uint64_t scale = __atomic_load_n(&fast_clock.scale, __ATOMIC_ACQUIRE);
	if (__builtin_expect(!scale, 0))
		return clock_now_ns() + __atomic_load_n(&fast_clock.ahead_ns, __ATOMIC_RELAXED);
	return fast_clock_at(fast_clock_ticks(), scale);
}

/* Before sampling begins; again does no harm.  The rate is known some tenths of a second later. */
void fast_clock_begin(void);

/* Now and then while is_warming: measures the rate, once enough time has passed.  Any thread. */
void fast_clock_warm(void);

/* Now and then: does it still keep time?  If not, the kernel is asked from now on. */
void fast_clock_check(void);

/* Why the kernel is asked; NULL if it is not. */
const char *fast_clock_reason(void);

/* The kernel's choice of a clock, of which "tsc" is the one that we trust too; a test may name another file. */
extern const char *fast_clock_source_file;

#endif
