/*
 * rng.h - random numbers for sampling: fast, one generator a thread, no lock.
 */
#ifndef SNECK_RUNTIME_RNG_H
#define SNECK_RUNTIME_RNG_H

#include <stdint.h>

struct rng {
	uint64_t state;
};

/* Seed from the thread's address, the clock and the process, so that no two threads agree. */
void rng_seed(struct rng *rng, uint64_t seed);

uint64_t rng_next(struct rng *rng);

/* Uniform in (0, 1]. */
double rng_uniform(struct rng *rng);

/* Trials up to and with the first success, when one trial in `mean` succeeds; mean >= 1. */
int64_t rng_geometric(struct rng *rng, double mean);

#endif
