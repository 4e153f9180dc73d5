/*
 * clocks.c - clock_gettime, which the vDSO answers without entering the kernel.
 */
#include <config.h>

#include "runtime/clocks.h"

#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t clock_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

static int64_t wall_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

static int64_t thread_ns(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

static int64_t process_ns(void)
{
	return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

int64_t (*clock_monotonic_ns)(void) = clock_now_ns;
int64_t (*clock_wall_ns)(void) = wall_ns;
int64_t (*clock_thread_ns)(void) = thread_ns;
int64_t (*clock_process_ns)(void) = process_ns;
