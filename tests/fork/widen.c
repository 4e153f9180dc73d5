/*
 * widen.c - makes every window of a fork wider, for the tests.
 *
 * Handlers of pthread_atfork that were registered before the profiler's run after it in
 * prepare and before it in parent and child: so what it locks for a fork stays locked for
 * longer, and a child is without it for longer.
 */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

static unsigned seed = 1, longest_us;

/* A quarter of the times, for up to the longest. */
static void dawdle(void)
{
	unsigned us = (unsigned)rand_r(&seed) % (4 * longest_us);
	if (us < longest_us)
		nanosleep(&(struct timespec){.tv_nsec = us * 1000L}, NULL);
}

int widen_forks(unsigned us);

int widen_forks(unsigned us)
{
	longest_us = us;
	return pthread_atfork(dawdle, dawdle, dawdle);
}
