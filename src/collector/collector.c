/*
 * collector.c - the samplers as one, and the table of what they stand on.
 */
#include <config.h>

#include <Python.h>

#include "collector/collector.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "collector/code_table.h"
#include "collector/frames.h"
#include "collector/holds.h"
#include "collector/interpreter_end.h"
#include "collector/lock.h"
#include "collector/lock_class.h"
#include "collector/lock_exclude.h"
#include "collector/lock_name.h"
#include "collector/lock_site.h"
#include "collector/lock_stubs.h"
#include "collector/lock_table.h"
#include "collector/primitives.h"
#include "collector/py_symbols.h"
#include "collector/sampling.h"
#include "collector/thread_state.h"
#include "runtime/error.h"
#include "runtime/fast_clock.h"
#include "runtime/fork.h"
#include "runtime/pushed.h"
#include "runtime/red_black.h"
#include "runtime/stats.h"
#include "runtime/threads.h"

static const char *refusal;	/* why locks are not sampled; NULL if they are, or were not asked for */

/* ---- start and stop ---------------------------------------------------------------------- */

static void into_profile(const struct frame *frames, size_t depth, size_t omitted, const struct label *labels,
			 size_t n_labels, const double values[SAMPLE_TYPES])
{
	if (red_black_add(frames, depth, omitted, labels, n_labels, values))
		stats_count(STAT_overflow_rows);
}

static void forget_codes(int64_t interpreter)
{
	code_table_forget_interpreter(interpreter);
}

static const interpreter_forgetter forgetters[] = {
	lock_forget_interpreter, lock_site_forget_interpreter, primitives_forget_interpreter, forget_codes, NULL,
};

static int prepare(void)
{
	interpreter_end_init(forgetters);
	py_symbols_init();
	frames_init();
	thread_state_prove();
	lock_name_init();
	threads_set_consumer(into_profile);
	return threads_init();
}

static int start_locks(const struct options *options, char *reason, size_t reason_size)
{
	lock_exclude_set(options->lock_exclude_modules);
	lock_class_exclude(lock_exclude_has);
	lock_class_reset_counts();
	int error = lock_start(options, &refusal);
	if (error && refusal)
		snprintf(reason, reason_size, "%s", refusal);
	return error;
}

int collector_start(const struct options *options, char *reason, size_t reason_size)
{
	int error = prepare();
	refusal = NULL;
	stats_set_source(STAT_contended, lock_class_contended);
	if (!error && options->lock_enabled)
		error = start_locks(options, reason, reason_size);
	if (!error)
		pushed_enable((size_t)options->max_frames);
	return error;
}

void collector_stop(void)
{
	pushed_disable();
	lock_stop();
}

void collector_drain(void)
{
	threads_drain();
	fast_clock_check();
	code_table_new_period();
	if (lock_is_running() || pushed_is_enabled())
		code_table_schedule_trim();
}

/* ---- locks, for status, statistics and notes -------------------------------------------- */

void collector_lock_stats(void (*visit)(void *context, const struct lock_stats *lock), void *context)
{
	for (uint32_t id = 1; id <= lock_class_last(); id++) {
		struct lock_class *c = lock_class_of(id);
		struct lock_sums sums;
		lock_class_read(c, &sums);
		if (!sums.contended && sums.acquires <= 0 && sums.hold_ns <= 0)
			continue;
		struct lock_stats lock = {
			.name = c->key.name, .kind = c->key.kind, .owner = c->key.owner,
			.acquires = sums.acquires, .hold_ns = sums.hold_ns,
			.contended = sums.contended, .wait_ns = sums.wait_ns, .wait_max_ns = sums.wait_max_ns,
		};
		memcpy(lock.wait_histogram, sums.wait_histogram, sizeof(lock.wait_histogram));
		visit(context, &lock);
	}
}

static json_t *histogram(const uint64_t counts[HISTOGRAM_BUCKETS])
{
	json_t *buckets = json_object();
	char key[12];
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		if (counts[i]) {
			snprintf(key, sizeof(key), "%u", i);
			json_object_set_new(buckets, key, json_integer((json_int_t)counts[i]));
		}
	return buckets;
}

/* Format: docs/reading-a-report.md. */
static void note(const struct lock_class *c, const struct lock_sums *sums,
		    void (*add)(void *context, const char *text), void *context)
{
	json_t *lock = json_pack("{s:s, s:s, s:s, s:f, s:I, s:I, s:I, s:o}", "name", c->key.name, "kind", c->key.kind,
				 "owner", c->key.owner, "acquires", sums->acquires, "contended", (json_int_t)sums->contended,
				 "wait_ns", (json_int_t)sums->wait_ns, "wait_max_ns", (json_int_t)sums->wait_max_ns,
				 "wait_histogram", histogram(sums->wait_histogram));
	char *json = lock ? json_dumps(lock, JSON_COMPACT) : NULL, *text;
	if (json && asprintf(&text, "sneck-lock-stats %s", json) >= 0) {
		add(context, text);
		free(text);
	}
	free(json);
	json_decref(lock);
}

void collector_notes(void (*add)(void *context, const char *text), void *context)
{
	for (uint32_t id = 1; id <= lock_class_last(); id++) {
		struct lock_class *c = lock_class_of(id);
		struct lock_sums sums;
		if (lock_class_take(c, &sums) && sums.contended)
			note(c, &sums, add, context);
	}
}

void collector_status(struct status *status)
{
	char *replacement = lock_replacement();
	status_truth(status, "lock_sampling", lock_is_running());
	status_text(status, "lock_refused", refusal);
	status_text(status, "lock_replaced", replacement);
	status_text(status, "lock_look", lock_look_reason());
	status_text(status, "far_hooks", lock_stubs_reason());
	status_text(status, "slow_clock", fast_clock_reason());
	status_text(status, "slow_frames", frames_slow_reason());
	status_text(status, "slow_thread_state", thread_state_reason());
	status_number(status, "lock_classes", lock_class_last());
	status_number(status, "lock_table_bytes", (int64_t)lock_table_bytes());
	status_number(status, "holds", holds_count());
	status_number(status, "threads", (int64_t)threads_count());
	status_number(status, "functions", (int64_t)code_table_stats().codes);
	free(replacement);
}

/* ---- fork ----------------------------------------------------------------------------------- */

/* In the order of lockrank.h. */
void collector_prefork(void)
{
	threads_prefork();
	sampling_prefork();
	lock_site_prefork();
	lock_prefork();
	lock_class_prefork();
	lock_table_prefork();
	holds_prefork();
	code_table_prefork();
	pushed_prefork();
	primitives_prefork();
}

void collector_postfork_parent(void)
{
	primitives_postfork_parent();
	pushed_postfork_parent();
	code_table_postfork_parent();
	holds_postfork_parent();
	lock_table_postfork_parent();
	lock_class_postfork_parent();
	lock_postfork_parent();
	lock_site_postfork_parent();
	threads_postfork_parent();
}

SNECK_FORK_CODE void collector_postfork_child(void)
{
	primitives_postfork_child();
	pushed_postfork_child();
	code_table_postfork_child();
	holds_postfork_child();
	lock_table_postfork_child();
	lock_class_postfork_child();
	lock_postfork_child();
	lock_site_postfork_child();
	threads_postfork_child();
	sampling_postfork_child();
	frames_postfork_child();
}
