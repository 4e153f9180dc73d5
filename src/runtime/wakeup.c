/*
 * wakeup.c - Linux's futex on a counter of calls.
 */
#include <config.h>

#include "runtime/wakeup.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "runtime/clocks.h"

uint32_t wakeup_ticket(struct wakeup *wakeup)
{
	return atomic_load_explicit(&wakeup->calls, memory_order_acquire);
}

void wakeup_sleep(struct wakeup *wakeup, uint32_t ticket, int64_t deadline_ns)
{
	int64_t left_ns = deadline_ns - clock_now_ns();
	if (left_ns <= 0)
		return;
	/* FUTEX_WAIT's time is relative, on the monotonic clock; the kernel compares before it sleeps */
	struct timespec left = {left_ns / 1000000000, left_ns % 1000000000};
	syscall(SYS_futex, &wakeup->calls, FUTEX_WAIT_PRIVATE, ticket, &left, NULL, 0);
}

void wakeup_call(struct wakeup *wakeup)
{
	int saved = errno;
	/* release: pairs with the acquire in wakeup_ticket() */
	atomic_fetch_add_explicit(&wakeup->calls, 1, memory_order_release);
	syscall(SYS_futex, &wakeup->calls, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	errno = saved;
}
