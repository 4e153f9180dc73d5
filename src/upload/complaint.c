/*
 * complaint.c - the same trouble is known by what is left without its numbers and the server's own words:
 *
 *     Operation timed out after 10001 milliseconds with 0 bytes received
 *     cannot create /srv/app.71.1.pprof.8f03ab7c.part: Permission denied
 *     http://agent:8126/profiling/v1/input answered 400: ... (it says: no such thing, request 7f3e)
 */
#include <config.h>

#include "upload/complaint.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "runtime/clocks.h"
#include "runtime/log.h"
#include "upload/delivery.h"

/* log.c's minute, and a second, so that it writes what is noted as said. */
static const int64_t minute_ns = 61 * INT64_C(1000000000), hour_ns = 60 * 61 * INT64_C(1000000000);

static char said[512];		/* the last why that was written; "": none, or all was well since */
static int64_t said_ns;

static bool is_end(const char *text)
{
	return !*text || !strncmp(text, DELIVERY_SAYS, strlen(DELIVERY_SAYS));
}

/* Numbers of any base: letters that are digits count as such everywhere. */
static bool is_alike(const char *one, const char *other)
{
	static const char digits[] = "0123456789abcdef";
	for (;; one++, other++) {
		one += strspn(one, digits);
		other += strspn(other, digits);
		if (is_end(one) || is_end(other))
			return is_end(one) && is_end(other);
		if (*one != *other)
			return false;
	}
}

void complaint_say(const char *what, const char *why)
{
	int64_t now_ns = clock_monotonic_ns(), silence_ns = said_ns ? now_ns - said_ns : INT64_MAX;
	if (*said && is_alike(why, said) && silence_ns < hour_ns)
		return;
	if (silence_ns >= minute_ns) {		/* else log_once counts it, and says that there were more */
		snprintf(said, sizeof(said), "%s", why);
		said_ns = now_ns;
	}
	log_once("upload", "%s: %s", what, why);
}

void complaint_settled(void)
{
	said[0] = '\0';
}
