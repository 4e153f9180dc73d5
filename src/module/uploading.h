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

/* Room for the sentence that tells why a start was refused. */
enum { REASON_MAX = 256 };

/* Begin.  On an error reason has a sentence. */
int uploading_start(const struct options *options, char reason[REASON_MAX]);

/* Write the last profile, and end. */
void uploading_stop(void);

/* Write what was sampled until now; false: it was not, or not within timeout_ns. */
bool uploading_flush(int64_t timeout_ns);

/* In a forked child: go on. */
void uploading_resume(void);

void uploading_status(struct status *status);

#endif
