/*
 * control.c - start and stop, one at a time.
 *
 *              control_start                    control_stop
 *   STOPPED ------ STARTING ------> RUNNING ------ STOPPING ------> STOPPED
 *
 * Whoever takes a transition owns it until its end; others wait, without the GIL.  Its own thread
 * is refused: what it runs meanwhile (a finaliser that the collector came upon) must not wait for itself.  Profiles
 * are taken care of first and last: the uploader runs before the first sample comes, and
 * until after the last.
 *
 * Locking: control_lock (LOCK_RANK_CONTROL) guards the state and what belongs to it, for
 *          moments; it is never held while waiting, for the GIL least of all.
 * Fork:    a transition that another thread was in the middle of ends, in the child, where
 *          nothing runs; the child may start again.
 */
#include <config.h>

#include <Python.h>

#include "module/control.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "collector/collector.h"
#include "module/forks.h"
#include "runtime/error.h"
#include "runtime/fork.h"
#include "runtime/log.h"
#include "runtime/mutex.h"

enum state { STOPPED, STARTING, RUNNING, STOPPING };

static struct mutex control_lock SNECK_AT_FORK = MUTEX_INITIALIZER(LOCK_RANK_CONTROL);
static enum state state SNECK_AT_FORK;
static pthread_t owner;		/* of the transition */
static struct options running_options;	/* of the state RUNNING */
static char refusal[REASON_MAX];
static struct uploading_place place;	/* of the last start */

/* ---- the state --------------------------------------------------------------------------- */

/* The state found, and whether it is of the caller's own making; taken over into `through` if it was `from`. */
static enum state exchange_if(enum state from, enum state through, bool *is_own)
{
	mutex_lock(&control_lock);
	enum state found = state;
	*is_own = pthread_equal(owner, pthread_self());
	if (found == from) {
		state = through;
		owner = pthread_self();
	}
	mutex_unlock(&control_lock);
	return found;
}

static void wait_a_moment(void)
{
	const struct timespec moment = {.tv_nsec = 1000000};
	Py_BEGIN_ALLOW_THREADS
	nanosleep(&moment, NULL);
	Py_END_ALLOW_THREADS
}

/* Begin a transition: false if the other end is where we are already, or on the way to it. */
static bool begin(enum state from, enum state through)
{
	bool is_own;
	enum state found = exchange_if(from, through, &is_own);
	while ((found == STARTING || found == STOPPING) && !is_own) {
		wait_a_moment();
		found = exchange_if(from, through, &is_own);
	}
	return found == from;
}

static void end_running(const struct options *options, const struct uploading_place *to)
{
	mutex_lock(&control_lock);
	running_options = *options;
	place = *to;
	refusal[0] = '\0';
	state = RUNNING;
	mutex_unlock(&control_lock);
}

static void end_stopped(const char *reason)
{
	mutex_lock(&control_lock);
	snprintf(refusal, sizeof(refusal), "%s", reason);
	state = STOPPED;
	mutex_unlock(&control_lock);
}

/* ---- the parts --------------------------------------------------------------------------- */

static int start_parts(const struct options *options, struct uploading_place *to, char reason[REASON_MAX])
{
	collector_stop();	/* what a fork in the middle of a start left running here */
	log_set_quiet(options->quiet);
	int error = forks_init();
	if (!error)
		error = uploading_start(options, to, reason);
	if (error)
		return error;
	error = collector_start(options, reason, REASON_MAX);
	if (error)
		uploading_stop();
	return error;
}

static void stop_parts(void)
{
	collector_stop();
	uploading_stop();
}

int control_start(const struct options *options, char reason[REASON_MAX])
{
	snprintf(reason, REASON_MAX, "the profiler runs already: call stop() first");
	if (!begin(STOPPED, STARTING))
		return ERR_STATE;
	reason[0] = '\0';
	struct uploading_place to = {NULL};
	int error = start_parts(options, &to, reason);
	if (!error) {
		end_running(options, &to);
		return OK;
	}
	if (!reason[0])
		snprintf(reason, REASON_MAX, "%s", error_text(error));
	if (error == ERR_LAYOUT)
		log_once("refused", "nothing is profiled: %s", reason);
	end_stopped(reason);
	return error;
}

int control_stop(void)
{
	if (!begin(RUNNING, STOPPING))
		return ERR_STATE;
	stop_parts();
	end_stopped("");
	return OK;
}

bool control_flush(int64_t timeout_ns)
{
	struct options options;
	return control_options(&options) && uploading_flush(timeout_ns);
}

bool control_options(struct options *options)
{
	mutex_lock(&control_lock);
	bool is_running = state == RUNNING;
	if (is_running)
		*options = running_options;
	mutex_unlock(&control_lock);
	return is_running;
}

bool control_options_in_force(struct options *options)
{
	if (control_options(options))
		return true;
	options_init(options);
	options->is_asked = true;
	options_from_environment(options, getenv);
	return false;
}

void control_refusal(char reason[REASON_MAX])
{
	mutex_lock(&control_lock);
	snprintf(reason, REASON_MAX, "%s", refusal);
	mutex_unlock(&control_lock);
}

void control_status(struct status *status)
{
	mutex_lock(&control_lock);
	struct uploading_place copy = place;
	mutex_unlock(&control_lock);
	uploading_status(status, &copy);
}

void control_resume(void)
{
	mutex_lock(&control_lock);
	bool is_running = state == RUNNING;
	mutex_unlock(&control_lock);
	if (is_running)
		uploading_resume();
}

/* ---- fork ---------------------------------------------------------------------------------- */

void control_prefork(void)
{
	mutex_lock(&control_lock);
}

void control_postfork_parent(void)
{
	mutex_unlock(&control_lock);
}

SNECK_FORK_CODE void control_postfork_child(void)
{
	if (state != RUNNING)
		state = STOPPED;
	mutex_postfork_child(&control_lock);
}
