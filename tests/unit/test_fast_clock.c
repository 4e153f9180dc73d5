/*
 * test_fast_clock.c - it keeps the kernel's time, and steps back where it may not be trusted.
 */
#include <config.h>

#include "runtime/fast_clock.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "unit.h"

#define MS INT64_C(1000000)

static int64_t offset_ns;

static int64_t kernel_astray(void)
{
	return clock_now_ns() + offset_ns;
}

static void sleep_ns(int64_t ns)
{
	nanosleep(&(struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000}, NULL);
}

/* Whatever this machine's kernel thinks, its counter is good enough for a second. */
static void kernel_says(const char *name)
{
	static char path[32];
	int fd = memfd_create("clocksource", MFD_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, name, strlen(name)), (int)strlen(name));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fast_clock_source_file = path;
}

static bool has_counter(void)
{
	return fast_clock_ticks() != 0;
}

static void get_warm(void)
{
	kernel_says("tsc\n");
	fast_clock_begin();
	ck_assert(fast_clock.is_warming);
	sleep_ns(120 * MS);
	fast_clock_warm();
	ck_assert(!fast_clock.is_warming);
	ck_assert(fast_clock.scale != 0);
	ck_assert_ptr_null(fast_clock_reason());
}

/* By how much it is ahead of the kernel's: the least disturbed of some readings. */
static int64_t ahead_ns(void)
{
	int64_t least = INT64_MAX, ahead = 0;
	for (int i = 0; i < 100; i++) {
		int64_t before = clock_now_ns(), now = fast_clock_ns(), took = clock_now_ns() - before;
		if (took < least) {
			least = took;
			ahead = now - before - took / 2;
		}
	}
	return ahead;
}

START_TEST(fast_clock_is_the_kernels_until_its_rate_is_known)
{
	int64_t before = clock_now_ns(), now = fast_clock_ns();
	ck_assert_int_ge(now, before);
	ck_assert_int_ge(clock_now_ns(), now);
	ck_assert_ptr_nonnull(fast_clock_reason());
	kernel_says("tsc\n");
	fast_clock_begin();
	ck_assert_int_gt(fast_clock.cost_ns, 0);
	fast_clock_warm();	/* too early to tell */
	ck_assert(!fast_clock.scale);
	ck_assert_int_eq(fast_clock.is_warming, has_counter());
	ck_assert_ptr_nonnull(fast_clock_reason());
}
END_TEST

START_TEST(fast_clock_keeps_the_kernels_time)
{
	if (!has_counter())
		return;
	get_warm();
	for (int i = 0; i < 20; i++) {
		int64_t ahead = ahead_ns();
		ck_assert_int_lt(ahead, MS / 10);
		ck_assert_int_gt(ahead, -MS / 10);
		sleep_ns(10 * MS);
	}
	fast_clock_check();
	ck_assert_ptr_null(fast_clock_reason());
}
END_TEST

START_TEST(fast_clock_does_not_go_back_in_a_thread)
{
	if (has_counter())
		get_warm();
	int64_t last = fast_clock_ns();
	for (int i = 0; i < 1000000; i++) {
		int64_t now = fast_clock_ns();
		ck_assert_int_ge(now, last - 1000);	/* it may move to another processor meanwhile */
		last = now;
	}
}
END_TEST

static _Atomic int64_t handed;

static void *answer(void *unused)
{
	for (int i = 0; i < 20000; i++) {
		int64_t theirs;
		while ((theirs = handed) <= 0)
			sched_yield();
		int64_t mine = fast_clock_ns();
		ck_assert_int_ge(mine, theirs - 1000);
		handed = -mine;
	}
	return unused;
}

/* A hold may end in another thread than it began in, on another processor. */
START_TEST(fast_clock_is_one_for_all_threads)
{
	if (has_counter())
		get_warm();
	pthread_t other;
	handed = 0;
	ck_assert_int_eq(pthread_create(&other, NULL, answer, NULL), 0);
	for (int i = 0; i < 20000; i++) {
		handed = fast_clock_ns();
		int64_t theirs;
		while ((theirs = handed) > 0)
			sched_yield();
		ck_assert_int_ge(fast_clock_ns(), -theirs - 1000);
	}
	pthread_join(other, NULL);
}
END_TEST

START_TEST(fast_clock_is_refused_where_the_kernel_has_another)
{
	kernel_says("hpet\n");
	fast_clock_begin();
	ck_assert(!fast_clock.is_warming);
	ck_assert_ptr_nonnull(strstr(fast_clock_reason(), has_counter() ? "does not keep time" : "not written"));
}
END_TEST

START_TEST(fast_clock_is_refused_where_the_kernel_does_not_tell)
{
	fast_clock_source_file = "/nowhere/clocksource";
	fast_clock_begin();
	ck_assert(!fast_clock.is_warming);
	ck_assert_ptr_nonnull(strstr(fast_clock_reason(), has_counter() ? "could not be read" : "not written"));
}
END_TEST

START_TEST(fast_clock_is_given_up_when_the_kernel_does)
{
	if (!has_counter())
		return;
	get_warm();
	kernel_says("hpet\n");
	fast_clock_check();
	ck_assert(!fast_clock.scale);
	ck_assert_ptr_nonnull(strstr(fast_clock_reason(), "no longer"));
	ck_assert_int_ge(fast_clock_ns(), 0);
}
END_TEST

START_TEST(fast_clock_is_given_up_when_it_goes_astray)
{
	if (!has_counter())
		return;
	get_warm();
	clock_monotonic_ns = kernel_astray;
	offset_ns = MS / 2;
	fast_clock_check();
	ck_assert_ptr_null(fast_clock_reason());
	offset_ns = -3 * MS;
	fast_clock_check();
	ck_assert(!fast_clock.scale);
	ck_assert_ptr_nonnull(strstr(fast_clock_reason(), "astray"));
}
END_TEST

static void give_up_when_ahead(int64_t drift_ns)
{
	if (!has_counter())
		return;
	get_warm();
	fast_clock.first_ns += drift_ns;
	int64_t before = fast_clock_ns();
	kernel_says("hpet\n");
	fast_clock_check();
	int64_t passed = fast_clock_ns() - before;
	ck_assert(!fast_clock.scale);
	ck_assert_int_ge(passed, 0);
	ck_assert_int_lt(passed, 100 * MS);
}

/* Who waits meanwhile has waited no longer for it, and not less than nothing. */
START_TEST(fast_clock_given_up_goes_on_from_where_it_was_ahead)
{
	give_up_when_ahead(500 * MS);
}
END_TEST

START_TEST(fast_clock_given_up_goes_on_from_where_it_was_behind)
{
	give_up_when_ahead(-500 * MS);
}
END_TEST

UNIT_TESTS("fast_clock", fast_clock_is_the_kernels_until_its_rate_is_known, fast_clock_keeps_the_kernels_time,
	   fast_clock_does_not_go_back_in_a_thread, fast_clock_is_one_for_all_threads,
	   fast_clock_is_refused_where_the_kernel_has_another, fast_clock_is_refused_where_the_kernel_does_not_tell,
	   fast_clock_is_given_up_when_the_kernel_does, fast_clock_is_given_up_when_it_goes_astray,
	   fast_clock_given_up_goes_on_from_where_it_was_ahead, fast_clock_given_up_goes_on_from_where_it_was_behind)
