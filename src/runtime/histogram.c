/*
 * histogram.c - the octave is the highest bit of a duration, the quarter its next two.
 */
#include <config.h>

#include "runtime/histogram.h"

enum { LOWEST_BIT = 6 };	/* 64 ns: a clock reading and a half */

unsigned histogram_bucket(int64_t duration_ns)
{
	if (duration_ns < INT64_C(1) << LOWEST_BIT)
		return 0;
	unsigned bit = 63 - (unsigned)__builtin_clzll((uint64_t)duration_ns);
	unsigned quarter = (unsigned)(duration_ns >> (bit - 2)) & 3;
	unsigned bucket = 1 + (bit - LOWEST_BIT) * 4 + quarter;
	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

int64_t histogram_lower_ns(unsigned bucket)
{
	if (bucket == 0)
		return 0;
	unsigned bit = LOWEST_BIT + (bucket - 1) / 4;
	return (int64_t)(4 + (bucket - 1) % 4) << (bit - 2);
}

static int64_t middle_ns(unsigned bucket, int64_t max_ns)
{
	int64_t lower = histogram_lower_ns(bucket);
	int64_t upper = bucket + 1 < HISTOGRAM_BUCKETS ? histogram_lower_ns(bucket + 1) : max_ns;
	if (upper > max_ns)
		upper = max_ns;
	return upper > lower ? lower + (upper - lower) / 2 : upper;
}

int64_t histogram_quantile(const uint32_t counts[HISTOGRAM_BUCKETS], double q, int64_t max_ns)
{
	uint64_t total = 0, below = 0;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		total += counts[i];
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		below += counts[i];
		if (counts[i] && (double)below >= q * (double)total)
			return middle_ns(i, max_ns);
	}
	return 0;
}
