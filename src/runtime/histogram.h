/*
 * histogram.h - durations by their size, on a logarithmic scale: four buckets an octave.
 *
 * Bucket 0 is all below 64 ns; the last is open.  The others are 14 to 25 % wide, so a
 * quantile read from a bucket's middle is within 13 % of the true one.
 */
#ifndef SNECK_RUNTIME_HISTOGRAM_H
#define SNECK_RUNTIME_HISTOGRAM_H

#include <stdint.h>

/* 31.75 octaves above 64 ns: up to nearly four minutes. */
enum { HISTOGRAM_BUCKETS = 128 };

/* The bucket of a duration; negative ones count as 0.  Any thread, no lock: pure. */
unsigned histogram_bucket(int64_t duration_ns);

/* The smallest duration of a bucket. */
int64_t histogram_lower_ns(unsigned bucket);

/*
 * The duration that the fraction q (0 to 1) of all counted stay within; 0 if none are.
 * Never more than max_ns, the longest one seen.
 */
int64_t histogram_quantile(const uint32_t counts[HISTOGRAM_BUCKETS], double q, int64_t max_ns);

#endif
