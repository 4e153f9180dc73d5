/*
 * histogram.c - what is asked of durations once they are counted.
 */
#include <config.h>

#include "runtime/histogram.h"

#include <math.h>

const uint64_t histogram_quarters[3] = {0x9837f0518db8a970, 0xb504f333f9de6485, 0xd744fccad69d6af5};

int64_t histogram_lower_ns(unsigned bucket)
{
	return bucket ? (int64_t)ceil(exp2(bucket / 4.0)) : 0;
}

static int64_t middle_ns(unsigned bucket, int64_t max_ns)
{
	int64_t middle = llround(exp2((bucket + 0.5) / 4));
	return middle < max_ns ? middle : max_ns;
}

int64_t histogram_quantile(const uint64_t counts[HISTOGRAM_BUCKETS], double q, int64_t max_ns)
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
