/*
 * rng.c - splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators).
 */
#include <config.h>

#include "runtime/rng.h"

#include <math.h>

#include "runtime/hot.h"

void rng_seed(struct rng *rng, uint64_t seed)
{
	rng->state = seed;
	rng_next(rng);
}

uint64_t rng_next(struct rng *rng)
{
	uint64_t z = rng->state += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

SNECK_HOT_CODE double rng_uniform(struct rng *rng)
{
	return (double)((rng_next(rng) >> 11) + 1) * 0x1p-53;
}

int64_t rng_geometric(struct rng *rng, double mean)
{
	if (mean <= 1)
		return 1;
	double trials = ceil(log(rng_uniform(rng)) / log1p(-1 / mean));
	if (trials < 1)		/* log(1) / anything is -0 */
		return 1;
	return trials < 0x1p62 ? (int64_t)trials : INT64_MAX;
}
