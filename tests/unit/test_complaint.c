/*
 * test_complaint.c - a trouble that stays is told once an hour, whatever numbers it comes with.
 */
#include <config.h>

#include "upload/complaint.h"

#include <stdint.h>
#include <stdio.h>

#include "runtime/clocks.h"
#include "runtime/log.h"
#include "unit.h"

#define S INT64_C(1000000000)

static int64_t now_ns;
static int lines;
static char last_line[LOG_LINE_MAX];

static int64_t test_clock(void)
{
	return now_ns;
}

static void note_line(const char *line, size_t size)
{
	lines++;
	snprintf(last_line, sizeof(last_line), "%.*s", (int)size, line);
}

static void begin(void)
{
	now_ns = 1000 * S;
	clock_monotonic_ns = test_clock;
	log_writer = note_line;
}

/* How many lines it makes, so much later. */
static int said(int64_t later_s, const char *why)
{
	int before = lines;
	now_ns += later_s * S;
	complaint_say("a profile was lost", why);
	return lines - before;
}

START_TEST(complaint_of_what_stays_is_told_once_an_hour)
{
	static const char *const pairs[][2] = {
		{"no route", "no route"},
		{"http://a:8126/x: Operation timed out after 10001 milliseconds with 0 bytes received",
		 "http://a:8126/x: Operation timed out after 10002 milliseconds with 0 bytes received"},
		{"Failed to connect to localhost port 8126 after 0 ms: refused",
		 "Failed to connect to localhost port 8126 after 112 ms: refused"},
		{"cannot create /x.7.1.pprof.8f03ab7c.part: denied", "cannot create /x.7.1.pprof.cafe0b1d.part: denied"},
		{"a answered 400: no (it says: request 7f3e-xyz)", "a answered 400: no (it says: sorry, another one)"},
		{"a answered 400: no (it says: request 7f3e-xyz)", "a answered 400: no"},
	};
	begin();
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		complaint_settled();
		ck_assert_int_eq(said(120, pairs[i][0]), 1);
		ck_assert_msg(said(120, pairs[i][1]) == 0, "%s", pairs[i][1]);
		ck_assert_int_eq(said(3300, pairs[i][1]), 0);
		ck_assert_int_eq(said(300, pairs[i][1]), 1);
	}
}
END_TEST

START_TEST(complaint_of_something_else_is_told_after_a_minute)
{
	begin();
	ck_assert_int_eq(said(0, "no route"), 1);
	ck_assert_str_eq(last_line, "sneck: a profile was lost: no route\n");
	ck_assert_int_eq(said(30, "refused"), 0);
	ck_assert_int_eq(said(31, "refused"), 1);
	ck_assert_str_eq(last_line, "sneck: (1 more like this since the last one) a profile was lost: refused\n");
	ck_assert_int_eq(said(61, "refused by a"), 1);
	ck_assert_int_eq(said(61, "refused"), 1);
	complaint_settled();
	ck_assert_int_eq(said(61, "refused"), 1);
}
END_TEST

UNIT_TESTS("complaint", complaint_of_what_stays_is_told_once_an_hour,
	   complaint_of_something_else_is_told_after_a_minute)
