/*
 * test_histogram.c - buckets follow each other without a gap, and quantiles are near the truth.
 */
#include <config.h>

#include "runtime/histogram.h"
#include "unit.h"

#include <math.h>

START_TEST(histogram_buckets_begin_where_they_say)
{
	for (unsigned i = 1; i < HISTOGRAM_BUCKETS; i++) {
		int64_t lower = histogram_lower_ns(i);
		ck_assert_uint_eq(histogram_bucket(lower), i);
		ck_assert_uint_eq(histogram_bucket(lower - 1), i - 1);
	}
}
END_TEST

START_TEST(histogram_takes_every_duration)
{
	ck_assert_uint_eq(histogram_bucket(INT64_MIN), 0);
	ck_assert_uint_eq(histogram_bucket(-1), 0);
	ck_assert_uint_eq(histogram_bucket(0), 0);
	ck_assert_uint_eq(histogram_bucket(63), 0);
	ck_assert_uint_eq(histogram_bucket(64), 1);
	ck_assert_uint_eq(histogram_bucket(INT64_MAX), HISTOGRAM_BUCKETS - 1);
}
END_TEST

START_TEST(histogram_quantiles_are_within_13_percent)
{
	/* durations 1 us, 2 us, ... 10,000 us: the quantile q is q * 10 ms */
	uint32_t counts[HISTOGRAM_BUCKETS] = {0};
	for (int64_t us = 1; us <= 10000; us++)
		counts[histogram_bucket(us * 1000)]++;
	const double fractions[] = {0.01, 0.1, 0.5, 0.9, 0.99, 1};
	for (int i = 0; i < 6; i++) {
		double truth = fractions[i] * 1e7;
		double found = (double)histogram_quantile(counts, fractions[i], 10000000);
		ck_assert_double_le(fabs(found - truth) / truth, 0.13);
	}
}
END_TEST

START_TEST(histogram_quantile_is_never_above_the_longest)
{
	uint32_t counts[HISTOGRAM_BUCKETS] = {0};
	counts[histogram_bucket(1000)] = 3;
	ck_assert_int_eq(histogram_quantile(counts, 0.5, 1000), histogram_lower_ns(histogram_bucket(1000)) + 52);
	ck_assert_int_le(histogram_quantile(counts, 0.99, 1000), 1000);
	uint32_t open[HISTOGRAM_BUCKETS] = {[HISTOGRAM_BUCKETS - 1] = 1};
	int64_t hour = INT64_C(3600000000000);
	ck_assert_int_le(histogram_quantile(open, 0.5, hour), hour);
}
END_TEST

START_TEST(histogram_of_nothing_has_quantile_zero)
{
	uint32_t counts[HISTOGRAM_BUCKETS] = {0};
	ck_assert_int_eq(histogram_quantile(counts, 0.5, 100), 0);
}
END_TEST

UNIT_TESTS("histogram", histogram_buckets_begin_where_they_say, histogram_takes_every_duration,
	   histogram_quantiles_are_within_13_percent, histogram_quantile_is_never_above_the_longest,
	   histogram_of_nothing_has_quantile_zero)
