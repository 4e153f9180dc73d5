/*
 * fast_clock.c - when the processor's counter may be trusted, and at what rate it goes.
 *
 * The kernel knows best: it watches the counter against other clocks, and keeps time by it
 * only where it runs alike on all processors and never stops.  So we trust it where the kernel
 * does.  Its rate the kernel tells nobody; it is measured once, over a tenth of a second and more, from two
 * readings good to some tens of nanoseconds: a part in a million.
 *
 *     begun      kernel's clock; one end of the measured stretch
 *     warming    kernel's clock; the other end is read by whoever comes by late enough
 *     in use     first_ns + (ticks - first_ticks) * scale
 *     given up   kernel's clock + ahead_ns: it went astray, or the kernel trusts it no longer
 *
 * In use it is never set anew, and given up it goes on from where it was, so no measured time has a step
 * in it.  What it drifts from the kernel's clock, which follows a time server, is no matter: only
 * differences are taken.
 *
 * Locking: none.  One thread measures: who exchanges is_warming.  scale is published last, ahead_ns before it.
 * Fork:    the child goes on; its counter is the same.
 */
#include <config.h>

#include "runtime/fast_clock.h"

#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "runtime/hot.h"

static const int64_t stretch_ns = 100000000;
/* A time server may have the kernel's clock go faster or slower by a part in 2,000. */
static const int64_t astray_part = 1000, astray_ns = 1000000;

struct fast_clock fast_clock SNECK_HOT;
const char *fast_clock_source_file = "/sys/devices/system/clocksource/clocksource0/current_clocksource";

static const char *reason = "not started";
static uint64_t begun_ticks;
static int64_t begun_ns;

const char *fast_clock_reason(void)
{
	return __atomic_load_n(&reason, __ATOMIC_RELAXED);
}

static void set_reason(const char *text)
{
	__atomic_store_n(&reason, text, __ATOMIC_RELAXED);
}

/* Why the kernel does not trust it, as far as can be told; NULL: it does. */
static const char *kernels_distrust(void)
{
	char name[16] = "";
	int fd = open(fast_clock_source_file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return "what the kernel keeps time by could not be read in /sys";
	ssize_t n = read(fd, name, sizeof(name) - 1);
	close(fd);
	return n > 0 && !strcmp(name, "tsc\n") ? NULL : "the kernel does not keep time by the processor's counter";
}

/* A process may have forbidden itself the counter. */
static bool is_allowed(void)
{
#if defined(__x86_64__) && defined(PR_GET_TSC)
	int mode = 0;
	return prctl(PR_GET_TSC, &mode) == 0 && mode == PR_TSC_ENABLE;
#else
	return false;
#endif
}

static const char *why_not(void)
{
	if (!FAST_CLOCK_IS_WRITTEN)
		return "not written for this processor";
	return is_allowed() ? kernels_distrust() : "this process is forbidden the processor's counter";
}

/* Both clocks at one time: of some tries the one that was disturbed least. */
static void read_both(uint64_t *ticks, int64_t *ns)
{
	uint64_t least = UINT64_MAX;
	for (int i = 0; i < 16; i++) {
		uint64_t before = fast_clock_ticks();
		int64_t now_ns = clock_monotonic_ns();
		uint64_t took = fast_clock_ticks() - before;
		if (took >= least)
			continue;
		least = took;
		*ticks = before + took / 2;
		*ns = now_ns;
	}
}

/* Some microseconds: once the rate is known, this runs within a sample, perhaps while a lock is held. */
static void measure_cost(void)
{
	int64_t least = INT64_MAX;
	for (int i = 0; i < 100; i++) {
		int64_t begin = fast_clock_ns(), took = fast_clock_ns() - begin;
		if (took < least)
			least = took;
	}
	__atomic_store_n(&fast_clock.cost_ns, least, __ATOMIC_RELAXED);
}

void fast_clock_begin(void)
{
	static bool is_done;
	if (is_done)
		return;
	is_done = true;
	measure_cost();
	const char *refused = why_not();
	if (refused) {
		set_reason(refused);
		return;
	}
	read_both(&begun_ticks, &begun_ns);
	set_reason("its rate is still being measured");
	__atomic_store_n(&fast_clock.is_warming, true, __ATOMIC_RELEASE);
}

void fast_clock_warm(void)
{
	uint64_t ticks = 0;
	int64_t ns = 0;
	if (clock_monotonic_ns() - begun_ns < stretch_ns || !__atomic_exchange_n(&fast_clock.is_warming, false, __ATOMIC_ACQUIRE))
		return;
	read_both(&ticks, &ns);
	if (ns <= begun_ns || ticks <= begun_ticks) {
		set_reason("the processor's counter went back");
		return;
	}
	unsigned __int128 passed = (unsigned __int128)(ns - begun_ns) << 32;
	fast_clock.first_ticks = ticks;
	fast_clock.first_ns = ns;
	set_reason(NULL);
	__atomic_store_n(&fast_clock.scale, (uint64_t)(passed / (ticks - begun_ticks)), __ATOMIC_RELEASE);
	measure_cost();
}

/* Waits and holds are in progress: for them time goes on from here. */
static void give_up(const char *why, int64_t ahead_ns)
{
	__atomic_store_n(&fast_clock.ahead_ns, ahead_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&fast_clock.scale, 0, __ATOMIC_RELEASE);
	set_reason(why);
	measure_cost();
}

void fast_clock_check(void)
{
	uint64_t ticks = 0, scale = __atomic_load_n(&fast_clock.scale, __ATOMIC_ACQUIRE);
	int64_t now_ns = 0;
	if (!scale)
		return;
	read_both(&ticks, &now_ns);
	int64_t ahead_ns = fast_clock_at(ticks, scale) - now_ns;
	int64_t allowed_ns = (now_ns - fast_clock.first_ns) / astray_part + astray_ns;
	if (ahead_ns > allowed_ns || ahead_ns < -allowed_ns)
		give_up("the processor's counter went astray", ahead_ns);
	else if (kernels_distrust())
		give_up("the kernel no longer keeps time by the processor's counter", ahead_ns);
}
