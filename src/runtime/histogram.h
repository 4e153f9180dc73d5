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

/* The bucket of a duration; negative ones count as 0. */
unsigned histogram_bucket(int64_t duration_ns);

/* The smallest whole duration of a bucket. */
int64_t histogram_lower_ns(unsigned bucket);

/*
 * The duration that the fraction q (0 to 1) of all counted stay within: the geometric middle
 * of its bucket, so at most 9.1 % off, and never more than max_ns, the longest one seen.
 * 0 if none were counted.
 */
int64_t histogram_quantile(const uint32_t counts[HISTOGRAM_BUCKETS], double q, int64_t max_ns);

#endif
