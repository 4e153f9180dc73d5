/*
 * histogram.h - durations by their size, on a logarithmic scale: four buckets an octave.
 *
 * Bucket i is for durations of [2^(i/4), 2^((i+1)/4)) nanoseconds; bucket 0 for shorter ones
 * too, the last for all that are longer.  Pure functions.
 */
#ifndef SNECK_RUNTIME_HISTOGRAM_H
#define SNECK_RUNTIME_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 160 };	/* up to 2^40 ns, 18 minutes */

/* 2^63 times 2^(1/4), 2^(2/4), 2^(3/4), rounded up. */
extern const uint64_t histogram_quarters[3] __attribute__((visibility("hidden")));

/*
 * The bucket of a duration; negative ones count as 0.  The octave is its highest bit; which quarter
 * of it, three comparisons tell: no logarithm while somebody waits.
 */
static inline unsigned histogram_bucket(int64_t duration_ns)
{
	if (duration_ns <= 1)
		return 0;
	unsigned leading_zeros = (unsigned)__builtin_clzll((uint64_t)duration_ns);
	uint64_t shifted = (uint64_t)duration_ns << leading_zeros;
	unsigned bucket = 4 * (63 - leading_zeros);
	for (unsigned i = 0; i < 3; i++)
		bucket += shifted >= histogram_quarters[i];
	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The smallest whole duration of a bucket. */
int64_t histogram_lower_ns(unsigned bucket);

/*
 * The duration that the fraction q (0 to 1) of all counted stay within: the geometric middle
 * of its bucket, so at most 9.1 % off, and never more than max_ns, the longest one seen.
 * 0 if none were counted.
 */
int64_t histogram_quantile(const uint64_t counts[HISTOGRAM_BUCKETS], double q, int64_t max_ns);

#endif
