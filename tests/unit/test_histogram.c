/*
 * test_histogram.c - buckets follow each other without a gap, and quantiles are near the truth.
 */
#include <config.h>

#include "runtime/histogram.h"
#include "unit.h"

#include <math.h>

START_TEST(histogram_buckets_are_quarters_of_an_octave)
{
	for (int64_t ns = 1; ns < 1000000; ns++)
		ck_assert_uint_eq(histogram_bucket(ns), (unsigned)floor(4 * log2((double)ns)));
}
END_TEST

START_TEST(histogram_buckets_begin_where_they_say)
{
	/* below 16 ns some are narrower than a nanosecond, and share their beginning */
	for (unsigned i = 16; i < HISTOGRAM_BUCKETS; i++) {
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
	ck_assert_uint_eq(histogram_bucket(1), 0);
	ck_assert_uint_eq(histogram_bucket(2), 4);
	ck_assert_uint_eq(histogram_bucket(1000), 39);
	ck_assert_uint_eq(histogram_bucket(INT64_C(1) << 39), 156);
	ck_assert_uint_eq(histogram_bucket(INT64_MAX), HISTOGRAM_BUCKETS - 1);
}
END_TEST

START_TEST(histogram_quantiles_are_within_ten_percent)
{
	/* durations 1 us, 2 us, ... 10,000 us: the quantile q is q * 10 ms */
	uint64_t counts[HISTOGRAM_BUCKETS] = {0};
	for (int64_t us = 1; us <= 10000; us++)
		counts[histogram_bucket(us * 1000)]++;
	const double fractions[] = {0.01, 0.1, 0.5, 0.9, 0.99, 1};
	for (int i = 0; i < 6; i++) {
		double truth = fractions[i] * 1e7;
		double found = (double)histogram_quantile(counts, fractions[i], 10000000);
		ck_assert_double_le(fabs(found - truth) / truth, 0.092);
	}
}
END_TEST

START_TEST(histogram_quantile_is_never_above_the_longest)
{
	uint64_t counts[HISTOGRAM_BUCKETS] = {0};
	counts[histogram_bucket(900)] = 3;
	ck_assert_int_eq(histogram_quantile(counts, 0.5, 10000), 939);	/* 2^(39.5/4) */
	ck_assert_int_eq(histogram_quantile(counts, 0.5, 900), 900);
}
END_TEST

START_TEST(histogram_of_nothing_has_quantile_zero)
{
	uint64_t counts[HISTOGRAM_BUCKETS] = {0};
	ck_assert_int_eq(histogram_quantile(counts, 0.5, 100), 0);
}
END_TEST

UNIT_TESTS("histogram", histogram_buckets_are_quarters_of_an_octave, histogram_buckets_begin_where_they_say,
	   histogram_takes_every_duration, histogram_quantiles_are_within_ten_percent,
	   histogram_quantile_is_never_above_the_longest, histogram_of_nothing_has_quantile_zero)
