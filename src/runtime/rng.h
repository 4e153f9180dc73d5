/*
 * rng.h - random numbers for sampling: fast, one generator a thread, no lock.
 */
#ifndef SNECK_RUNTIME_RNG_H
#define SNECK_RUNTIME_RNG_H

#include <stdint.h>

struct rng {
	uint64_t state;
};

/* Equal seeds give equal numbers; any other, other ones. */
void rng_seed(struct rng *rng, uint64_t seed);

static inline uint64_t rng_next(struct rng *rng)
{
	uint64_t z = rng->state += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Uniform in (0, 1]. */
static inline double rng_uniform(struct rng *rng)
{
	return (double)((rng_next(rng) >> 11) + 1) * 0x1p-53;
}

/* Trials up to and with the first success, when one trial in `mean` succeeds; mean >= 1. */
int64_t rng_geometric(struct rng *rng, double mean);

#endif
