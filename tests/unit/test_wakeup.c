/*
 * test_wakeup.c - no call is slept over, deadlines are kept, a signal handler may call.
 */
#include <config.h>

#include "runtime/wakeup.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "runtime/clocks.h"
#include "unit.h"

static struct wakeup wakeup;
static _Atomic int woken;

START_TEST(wakeup_sleep_keeps_its_deadline)
{
	int64_t before = clock_now_ns();
	wakeup_sleep(&wakeup, wakeup_ticket(&wakeup), before + 50000000);
	int64_t slept = clock_now_ns() - before;
	ck_assert_int_ge(slept, 50000000);
	ck_assert_int_lt(slept, 5000000000);
	before = clock_now_ns();
	wakeup_sleep(&wakeup, wakeup_ticket(&wakeup), before - 1);
	ck_assert_int_lt(clock_now_ns() - before, 1000000000);
}
END_TEST

START_TEST(wakeup_call_after_the_ticket_lets_no_sleep_begin)
{
	uint32_t ticket = wakeup_ticket(&wakeup);
	wakeup_call(&wakeup);
	int64_t before = clock_now_ns();
	wakeup_sleep(&wakeup, ticket, before + 20000000000);
	ck_assert_int_lt(clock_now_ns() - before, 5000000000);
}
END_TEST

static void *sleeper(void *unused)
{
	(void)unused;
	uint32_t ticket = wakeup_ticket(&wakeup);
	woken = 0;
	int64_t end = clock_now_ns() + 20000000000;
	while (wakeup_ticket(&wakeup) == ticket && clock_now_ns() < end)
		wakeup_sleep(&wakeup, ticket, end);
	woken = clock_now_ns() < end ? 1 : -1;
	return NULL;
}

static void call(int signo)
{
	(void)signo;
	wakeup_call(&wakeup);
}

START_TEST(wakeup_call_from_a_signal_handler_ends_the_sleep)
{
	pthread_t thread;
	woken = -2;
	pthread_create(&thread, NULL, sleeper, NULL);
	while (woken == -2)
		usleep(1000);
	usleep(20000);
	signal(SIGUSR1, call);
	errno = 77;
	raise(SIGUSR1);
	ck_assert_int_eq(errno, 77);
	pthread_join(thread, NULL);
	ck_assert_int_eq(woken, 1);
}
END_TEST

UNIT_TESTS("wakeup", wakeup_sleep_keeps_its_deadline, wakeup_call_after_the_ticket_lets_no_sleep_begin,
	   wakeup_call_from_a_signal_handler_ends_the_sleep)
