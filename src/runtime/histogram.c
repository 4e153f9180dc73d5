/*
 * histogram.c - the octave is a duration's highest bit; which quarter of it, three
 * comparisons tell: no logarithm while somebody waits.
 */
#include <config.h>

#include "runtime/histogram.h"

#include <math.h>

#include "runtime/hot.h"

/* 2^63 times 2^(1/4), 2^(2/4), 2^(3/4), rounded up. */
static const uint64_t quarters[] = {0x9837f0518db8a970, 0xb504f333f9de6485, 0xd744fccad69d6af5};

SNECK_HOT_CODE unsigned histogram_bucket(int64_t duration_ns)
{
	if (duration_ns <= 1)
		return 0;
	unsigned leading_zeros = (unsigned)__builtin_clzll((uint64_t)duration_ns);
	uint64_t shifted = (uint64_t)duration_ns << leading_zeros;
	unsigned bucket = 4 * (63 - leading_zeros);
	for (unsigned i = 0; i < 3; i++)
		bucket += shifted >= quarters[i];
	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

int64_t histogram_lower_ns(unsigned bucket)
{
	return bucket ? (int64_t)ceil(exp2(bucket / 4.0)) : 0;
}

static int64_t middle_ns(unsigned bucket, int64_t max_ns)
{
	int64_t middle = llround(exp2((bucket + 0.5) / 4));
	return middle < max_ns ? middle : max_ns;
}

int64_t histogram_quantile(const uint32_t counts[HISTOGRAM_BUCKETS], double q, int64_t max_ns)
{
	uint64_t total = 0, passed = 0;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		total += counts[i];
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		passed += counts[i];
		if (counts[i] && (double)passed >= q * (double)total)
			return middle_ns(i, max_ns);
	}
	return 0;
}
