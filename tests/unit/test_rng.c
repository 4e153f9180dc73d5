/*
 * test_rng.c - the distances between samples have the mean and the spread they promise.
 */
#include <config.h>

#include "runtime/rng.h"
#include "unit.h"

#include <math.h>

START_TEST(rng_geometric_has_the_mean_asked_for)
{
	const double means[] = {1, 1.5, 10, 100, 12345};
	for (size_t m = 0; m < sizeof(means) / sizeof(*means); m++) {
		struct rng rng;
		rng_seed(&rng, 42 + m);
		const int n = 200000;
		double sum = 0;
		for (int i = 0; i < n; i++)
			sum += (double)rng_geometric(&rng, means[m]);
		double sigma = sqrt(means[m] * (means[m] - 1) / n);
		ck_assert_double_le(fabs(sum / n - means[m]), 4 * sigma + 1e-9);
	}
}
END_TEST

START_TEST(rng_geometric_is_memoryless)
{
	/* of the distances beyond 50, the rest beyond 50 has the same mean */
	struct rng rng;
	rng_seed(&rng, 7);
	double rest = 0;
	int beyond = 0;
	for (int i = 0; i < 400000; i++) {
		int64_t d = rng_geometric(&rng, 100);
		if (d > 50) {
			rest += (double)(d - 50);
			beyond++;
		}
	}
	ck_assert_double_eq_tol(rest / beyond, 100, 1);
}
END_TEST

START_TEST(rng_uniform_stays_in_its_interval)
{
	struct rng rng;
	rng_seed(&rng, 0);
	for (int i = 0; i < 100000; i++) {
		double u = rng_uniform(&rng);
		ck_assert(u > 0 && u <= 1);
	}
}
END_TEST

UNIT_TESTS("rng", rng_geometric_has_the_mean_asked_for, rng_geometric_is_memoryless, rng_uniform_stays_in_its_interval)
