/*
 * wakeup.h - one sleeping thread, and a call that wakes it, from a signal handler too.
 *
 * What a condition variable cannot do: be signalled by a signal handler.  What a semaphore
 * or a pipe cannot: sleep until a monotonic deadline everywhere, own no file descriptor
 * that a daemonizing program closes and reuses, and survive a fork by being set to zero.
 *
 * The sleeper takes a ticket, looks at what it might have to do, and only then sleeps: a
 * call after the ticket ends the sleep, or lets it not begin.
 */
#ifndef SNECK_RUNTIME_WAKEUP_H
#define SNECK_RUNTIME_WAKEUP_H

#include <stdatomic.h>
#include <stdint.h>

struct wakeup {
	_Atomic uint32_t calls;
};

uint32_t wakeup_ticket(struct wakeup *wakeup);

/* Until a call since the ticket, or the deadline (clock_now_ns); may return early for no reason. */
void wakeup_sleep(struct wakeup *wakeup, uint32_t ticket, int64_t deadline_ns);

/* Async-signal-safe; keeps errno.  What was written before it is seen by the sleeper after it. */
void wakeup_call(struct wakeup *wakeup);

#endif
