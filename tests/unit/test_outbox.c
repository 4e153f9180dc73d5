/*
 * test_outbox.c - two wait, the oldest goes, and each failure waits longer.
 */
#include <config.h>

#include "upload/outbox.h"

#include "samples.h"
#include "unit.h"

#define S INT64_C(1000000000)

static struct outbox outbox;
static struct builder *builders[3];
static struct profile *profile;

static void init(void)
{
	outbox = (struct outbox){0};
	profile = profile_new(&roomy);
	profile_end(profile);
	for (int i = 0; i < 3; i++)
		builders[i] = builder_new(profile, 0);
}

START_TEST(outbox_keeps_the_two_latest_in_order)
{
	init();
	ck_assert_int_eq(outbox_due_ns(&outbox), INT64_MAX);
	ck_assert_ptr_null(outbox_put(&outbox, builders[0]));
	ck_assert_ptr_null(outbox_put(&outbox, builders[1]));
	ck_assert_ptr_eq(outbox_put(&outbox, builders[2]), builders[0]);
	ck_assert_ptr_eq(outbox_take(&outbox), builders[1]);
	outbox_put_back(&outbox, builders[1]);
	ck_assert_ptr_eq(outbox_take(&outbox), builders[1]);
	ck_assert_ptr_eq(outbox_take(&outbox), builders[2]);
	ck_assert_ptr_null(outbox_take(&outbox));
}
END_TEST

START_TEST(outbox_waits_twice_as_long_each_time_up_to_a_minute)
{
	init();
	outbox_put(&outbox, builders[0]);
	int64_t most_ns = S;
	for (int i = 0; i < 100; i++) {
		outbox_failed(&outbox, 1000 * S, 0);
		ck_assert_int_ge(outbox_due_ns(&outbox), 1000 * S + most_ns / 2);
		ck_assert_int_le(outbox_due_ns(&outbox), 1000 * S + most_ns);
		most_ns = most_ns * 2 < 60 * S ? most_ns * 2 : 60 * S;
	}
	outbox_succeeded(&outbox);
	ck_assert_int_eq(outbox_due_ns(&outbox), 0);
	outbox_failed(&outbox, 0, 0);
	ck_assert_int_le(outbox_due_ns(&outbox), S);
}
END_TEST

START_TEST(outbox_leaves_a_server_alone_as_long_as_it_wishes_within_reason)
{
	init();
	outbox_put(&outbox, builders[0]);
	outbox_failed(&outbox, 0, 7 * S);
	ck_assert_int_eq(outbox_due_ns(&outbox), 7 * S);
	outbox_failed(&outbox, 0, 86400 * S);
	ck_assert_int_eq(outbox_due_ns(&outbox), 600 * S);
}
END_TEST

START_TEST(outbox_gives_up_what_is_too_old)
{
	init();
	int64_t end_ns = builder_end_ns(builders[0]);
	outbox_put(&outbox, builders[0]);
	ck_assert_ptr_null(outbox_take_stale(&outbox, end_ns + 3000 * S, 0));
	ck_assert_ptr_eq(outbox_take_stale(&outbox, end_ns + 3001 * S, 0), builders[0]);
	ck_assert_ptr_null(outbox_take_stale(&outbox, end_ns + 3001 * S, 0));
}
END_TEST

START_TEST(outbox_gives_up_what_began_longer_ago_than_the_server_takes)
{
	init();
	int64_t start_ns = builder_start_ns(builders[0]);
	outbox_put(&outbox, builders[0]);
	ck_assert_ptr_null(outbox_take_stale(&outbox, start_ns + 100 * S, 100 * S));
	ck_assert_ptr_null(outbox_take_stale(&outbox, start_ns + 101 * S, 0));
	ck_assert_ptr_eq(outbox_take_stale(&outbox, start_ns + 101 * S, 100 * S), builders[0]);
}
END_TEST

UNIT_TESTS("outbox", outbox_keeps_the_two_latest_in_order, outbox_waits_twice_as_long_each_time_up_to_a_minute,
	   outbox_leaves_a_server_alone_as_long_as_it_wishes_within_reason, outbox_gives_up_what_is_too_old,
	   outbox_gives_up_what_began_longer_ago_than_the_server_takes)
