/*
 * uploading.c - put the uploader together: two profiles, a sink, the hooks, a signal.
 *
 * The end is bounded: a try that is under way at the stop, and the last one, share some
 * seconds, and are cancelled then.
 *
 * The sink lives from start to stop.  Where the last upload does not end in time it stays,
 * as the uploader still has it; the next start looks again.
 */
#include <config.h>

#include <Python.h>

#include "module/uploading.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/collector.h"
#include "module/identity.h"
#include "module/program_name.h"
#include "module/signal_calls.h"
#include "runtime/clocks.h"
#include "runtime/error.h"
#include "runtime/log.h"
#include "runtime/red_black.h"
#include "upload/exit_signal.h"
#include "upload/http.h"
#include "upload/runtime_id.h"
#include "upload/sink_choice.h"
#include "upload/sink_datadog.h"
#include "upload/sink_make.h"
#include "upload/uploader.h"

/* How long the end of a program waits for its last profile to be written; a disk may be slow. */
static const int64_t stop_timeout_ns = 10 * INT64_C(1000000000);

/*
 * How long for a server to take it, at most: as long as exit_signal.h grants a signal.  A pre-fork server's
 * master ends after its workers, so both have to be over before `docker stop` loses its patience, after 10 s.
 */
static const int64_t last_try_ns = 3 * INT64_C(1000000000);

/* Our thread's, to see that its try is cancelled and to leave libcurl, before the TLS library is taken down. */
static const int64_t cancel_margin_ns = INT64_C(1000000000);

static struct sink *sink;	/* NULL: the uploader has none */
static struct sink_choice choice;	/* of the last start */
static int64_t api_timeout_ns;

/* ---- hooks of the uploader: its thread, no GIL --------------------------------------------- */

static void drain(void *unused)
{
	(void)unused;
	collector_drain();
}

static void add_note(void *builder, const char *text)
{
	/* without memory a note is lost; the samples say nearly the same */
	(void)builder_add_note(builder, text);
}

static void add_notes(void *unused, struct builder *builder)
{
	(void)unused;
	collector_notes(add_note, builder);
}

/* ---- start --------------------------------------------------------------------------------- */

/* End what is left of the last run, flushing or not.  ERR_TIMEOUT: it is still at it. */
static int release(bool flush, int64_t timeout_ns)
{
	int error;
	Py_BEGIN_ALLOW_THREADS
	error = uploader_stop(flush, timeout_ns);
	Py_END_ALLOW_THREADS
	if (error == ERR_TIMEOUT)
		return error;
	sink_free(sink);
	sink = NULL;
	return OK;
}

/* The first start of a process decides on the profiles' limits: threads may be adding to them later. */
static int make_profiles(const struct options *options)
{
	struct profile_limits limits = {
		.rows = (size_t)options->profile_max_rows,
		.bytes = (size_t)options->profile_max_bytes,
	};
	int error = red_black_init(&limits);
	return error == ERR_STATE ? OK : error;
}

static int make_sink(const struct options *options, char target[SINK_TARGET_MAX], char reason[REASON_MAX])
{
	_Static_assert((int)REASON_MAX >= (int)SINK_PROBLEM_MAX, "a sink's problem is a reason");
	static struct process_identity identity;	/* kilobytes; one start at a time */
	char program[PROGRAM_NAME_MAX];
	identity_gather(&identity);
	program_name(program, &identity);
	sink_choose(options, &choice);
	if (*choice.problem)
		log_once("sink-choice", "%s", choice.problem);
	const struct sink_wishes wishes = {&choice, options, &identity, program};
	return sink_make(&wishes, &sink, target, reason);
}

static int run_uploader(const struct options *options)
{
	const struct uploader_config config = {
		.period_ns = options->upload_interval_ns,
		.sink = sink,
		.drain = drain,
		.notes = add_notes,
	};
	int error = uploader_start(&config);
	if (error != ERR_LIMIT)
		return error;
	log_once("no-thread", "no thread could be started: a profile is written at the end and by flush() alone");
	return OK;
}

static bool is_datadog(void)
{
	return choice.kind == SINK_AGENT || choice.kind == SINK_INTAKE;
}

/* Its target is there already. */
static void describe(struct uploading_place *place)
{
	const char *service = is_datadog() ? sink_datadog_service(sink) : NULL;
	place->sink = sink_kind_text(choice.kind);
	snprintf(place->why, sizeof(place->why), "%s", choice.why);
	snprintf(place->service, sizeof(place->service), "%s", service ? service : "");
}

static int fail(int error, const char *what, char reason[REASON_MAX])
{
	snprintf(reason, REASON_MAX, "%s: %s", what, error_text(error));
	sink_free(sink);
	sink = NULL;
	return error;
}

static void watch_sigterm(void)
{
	(void)exit_signal_install(SIGTERM, uploader_terminate_signal);	/* the program's own handler stays */
	signal_calls_start();
}

/* Nothing of the network's outlasts it, also where this very thread does the last upload. */
static void bound_last_try(void)
{
	http_cancel_at(clock_now_ns() + (api_timeout_ns < last_try_ns ? api_timeout_ns : last_try_ns));
}

/*
 * The end of a process that does not end its Python: uWSGI's master, its workers that are busy,
 * programs that embed Python.  Who exits may do so in a signal handler, in the middle of anything:
 * so the uploader's thread does the work, and is waited for within a bound.
 */
static void at_exit(void)
{
	struct uploader_status status;
	uploader_status(&status);
	if (status.state != UPLOADER_RUNNING)
		return;
	bound_last_try();
	(void)uploader_stop(true, last_try_ns + cancel_margin_ns);
}

/*
 * The last to be registered is the first to run, and ours has to run before those of libcurl and its
 * TLS library, which a later start may be the first to load: then once more.  Of two calls the
 * second finds the uploader stopped.
 */
static void register_at_exit(void)
{
	static enum { NOT_YET, WITHOUT_HTTP, WITH_HTTP } registered;
	int wanted = choice.kind == SINK_FILE ? WITHOUT_HTTP : WITH_HTTP;
	if ((int)registered < wanted && !atexit(at_exit))
		registered = wanted;
}

int uploading_start(const struct options *options, struct uploading_place *place, char reason[REASON_MAX])
{
	if (sink && release(false, 0)) {
		snprintf(reason, REASON_MAX, "the last upload has not ended yet");
		return ERR_STATE;
	}
	int error = make_profiles(options);
	if (error)
		return fail(error, "no memory for profiles", reason);
	json_object_seed(0);	/* the first object of our thread's would: a child forked amid that waits for its end */
	api_timeout_ns = options->api_timeout * INT64_C(1000000);
	http_allow();
	error = make_sink(options, place->target, reason);
	if (error)
		return error;
	describe(place);
	error = run_uploader(options);
	if (error)
		return fail(error, "the uploader does not start", reason);
	register_at_exit();
	if (options->flush_on_sigterm)
		watch_sigterm();
	return OK;
}

void uploading_stop(void)
{
	bound_last_try();
	if (release(true, stop_timeout_ns))
		log_once("stop", "the last profile could not be written in time");
	signal_calls_stop();
	exit_signal_uninstall();	/* last: a SIGTERM until here still gets its profile */
}

bool uploading_flush(int64_t timeout_ns)
{
	int error;
	Py_BEGIN_ALLOW_THREADS
	error = uploader_flush(timeout_ns);
	Py_END_ALLOW_THREADS
	return error == OK;
}

void uploading_resume(void)
{
	uploader_restart_if_needed();
}

/* ---- status -------------------------------------------------------------------------------- */

static const char *state_text(enum uploader_state state)
{
	switch (state) {
	case UPLOADER_STOPPED:
		return "stopped";
	case UPLOADER_RUNNING:
		return "running";
	case UPLOADER_NO_THREAD:
		return "running without a thread";
	case UPLOADER_FORKED:
		return "not yet running in this child";
	case UPLOADER_STOPPING:
		return "stopping";
	}
	return NULL;
}

static const char *text_or_null(const char *text)
{
	return *text ? text : NULL;
}

void uploading_status(struct status *status, const struct uploading_place *place)
{
	struct uploader_status uploader;
	uploader_status(&uploader);
	status_text(status, "state", state_text(uploader.state));
	status_text(status, "sink", place->sink);
	status_text(status, "target", text_or_null(place->target));
	status_text(status, "why", text_or_null(place->why));
	status_text(status, "service", text_or_null(place->service));
	status_text(status, "runtime_id", text_or_null(runtime_id()));
	status_number(status, "uploads", (int64_t)uploader.uploads);
	status_number(status, "failures", (int64_t)uploader.failures);
	status_number(status, "profiles_lost", (int64_t)uploader.drops);
	status_number(status, "bytes", (int64_t)uploader.bytes);
	status_number(status, "samples_overflowed", (int64_t)uploader.overflowed);
	status_number(status, "retries", (int64_t)uploader.retries);
	status_number(status, "waiting", (int64_t)uploader.waiting);
	status_text(status, "last_target", text_or_null(uploader.last_target));
	status_text(status, "last_error", text_or_null(uploader.last_error));
}
