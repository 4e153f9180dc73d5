/*
 * control.h - whether the profiler runs, and the order in which its parts start and stop.
 *
 * One state for the process, whichever interpreter asks.  With the GIL held; calls that wait
 * release it meanwhile.
 */
#ifndef SNECK_MODULE_CONTROL_H
#define SNECK_MODULE_CONTROL_H

#include <stdbool.h>
#include <stddef.h>

#include "module/uploading.h"
#include "runtime/options.h"

/*
 * Start everything.  Borrows the options.  ERR_STATE: runs already.  ERR_LAYOUT: refused,
 * nothing was changed, the user has been told.  On any error reason has a sentence.
 */
int control_start(const struct options *options, char reason[REASON_MAX]);

/* Stop everything; the last profile is written when it returns.  ERR_STATE: did not run. */
int control_stop(void);

/* Write what was sampled until now; false: not within timeout_ns, or it does not run. */
bool control_flush(int64_t timeout_ns);

/* Whether it runs; if so, with these options (else they are left as they are). */
bool control_options(struct options *options);

/* The same, or, if it does not run, what start() without arguments would take. */
bool control_options_in_force(struct options *options);

/* Why the last start was refused: "" if it was not. */
void control_refusal(char reason[REASON_MAX]);

/* Where profiles go and went. */
void control_status(struct status *status);

/* In a forked child: bring the uploader's thread back, if it runs.  Any thread, with or without the GIL. */
void control_resume(void);

/* For the table of a fork; LOCK_RANK_CONTROL. */
void control_prefork(void);
void control_postfork_parent(void);
void control_postfork_child(void);

#endif
