/*
 * rng.c - splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators).
 */
#include <config.h>

#include "runtime/rng.h"

#include <math.h>

void rng_seed(struct rng *rng, uint64_t seed)
{
	rng->state = seed;
	rng_next(rng);
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
