/*
 * uploading.h - where profiles go: the uploader with a sink as the options want it.
 *
 * With the GIL held; calls that wait release it meanwhile.  One start or stop at a time
 * (control.c sees to it).
 */
#ifndef SNECK_MODULE_UPLOADING_H
#define SNECK_MODULE_UPLOADING_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/options.h"
#include "runtime/status.h"
#include "upload/sink_make.h"
#include "upload/tags.h"

/* Room for the sentence that tells why a start was refused. */
enum { REASON_MAX = 256 };

/* Where profiles go, in words; a copy, as an interpreter with a GIL of its own may ask while the sink dies. */
struct uploading_place {
	const char *sink;		/* static; NULL: never started */
	char target[SINK_TARGET_MAX], why[sizeof(((struct sink_choice *)0)->why)];
	char service[TAG_BYTES_MAX];	/* "": not to Datadog */
};

/* Begin, and tell where.  On an error reason has a sentence. */
int uploading_start(const struct options *options, struct uploading_place *place, char reason[REASON_MAX]);

/* Write the last profile, and end. */
void uploading_stop(void);

/* Write what was sampled until now; false: it was not, or not within timeout_ns. */
bool uploading_flush(int64_t timeout_ns);

/* In a forked child: go on. */
void uploading_resume(void);

void uploading_status(struct status *status, const struct uploading_place *place);

#endif
