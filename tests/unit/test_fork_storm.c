/*
 * test_fork_storm.c - forks amid threads that sample and an uploader that is always at it: each
 * sample is reported once, by the process that took it.
 *
 * Without Python, so that the thread sanitizer can watch.
 */
#include <config.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/fork.h"
#include "runtime/log.h"
#include "runtime/pushed.h"
#include "runtime/red_black.h"
#include "runtime/stats.h"
#include "runtime/threads.h"
#include "samples.h"
#include "unit.h"
#include "upload/uploader.h"

#ifdef __SANITIZE_THREAD__
static const bool has_threads_after_fork = false;	/* the sanitizer knows none in a child */
#else
static const bool has_threads_after_fork = true;
#endif

/* Before gcc 14 the address sanitizer's allocator may be left locked in a child; and its forks are slow. */
#ifdef __SANITIZE_ADDRESS__
static const bool can_allocate_after_fork = false;
enum { FORKS = 20 };
#else
static const bool can_allocate_after_fork = true;
enum { FORKS = 300 };
#endif

enum { SAMPLERS = 4, OF_A_CHILD = 7 };

static const struct fork_module modules[] = {
	{"uploader", uploader_prefork, uploader_postfork_parent, uploader_postfork_child},
	{"threads", threads_prefork, threads_postfork_parent, threads_postfork_child},
	{"pushed", pushed_prefork, pushed_postfork_parent, pushed_postfork_child},
	{"red_black", red_black_prefork, red_black_postfork_parent, red_black_postfork_child},
	{"log", log_prefork, log_postfork_parent, log_postfork_child},
	{"stats", .postfork_child = stats_postfork_child},
};

static _Atomic bool stopping;
static _Atomic int64_t taken;	/* samples, in this process */
static int64_t reported;	/* of them by the sink; uploads come one at a time */

static void report(const struct profile *profile)
{
	reported += (int64_t)column_sum(profile, SAMPLE_LOCK_ACQUIRE);
}

static int send(struct sink *sink, struct builder *builder)
{
	(void)sink;
	report(builder_profile(builder));
	return OK;
}

static struct sink sink = {.send = send};

static void into_profile(const struct frame *frames, size_t depth, size_t omitted, const struct label *labels,
			 size_t n_labels, const double values[SAMPLE_TYPES])
{
	if (red_black_add(frames, depth, omitted, labels, n_labels, values))
		abort();
}

static void drain(void *unused)
{
	(void)unused;
	threads_drain();
}

static void take_sample(int line)
{
	struct pushed *sample = pushed_new();
	if (!sample || pushed_frame(sample, "work", "storm.c", line) || pushed_label(sample, "lock name", "storm") ||
	    pushed_value(sample, SAMPLE_LOCK_ACQUIRE, 1))
		abort();
	if (pushed_flush(sample, thread_self()) == OK)
		taken++;
}

static void *sample_until_stopped(void *unused)
{
	(void)unused;
	for (int i = 0; !stopping; i++)
		take_sample(i % 50);
	return NULL;
}

static void start(void)
{
	static const struct uploader_config config = {.period_ns = 1000000, .sink = &sink, .drain = drain};
	threads_set_consumer(into_profile);
	ck_assert_int_eq(threads_init(), OK);
	ck_assert_int_eq(red_black_init(&roomy), OK);
	pushed_enable(8);
	fork_on_first_sample(has_threads_after_fork ? uploader_restart_if_needed : NULL);
	ck_assert_int_eq(fork_init(modules, sizeof(modules) / sizeof(*modules)), OK);
	ck_assert_int_eq(uploader_start(&config), OK);
}

static void report_without_a_thread(void)
{
	threads_drain();
	report(red_black_swap());
	red_black_done();
}

static void take_samples(int n)
{
	for (int i = 0; i < n; i++)
		take_sample(1000 + i);
}

/* 0 where exactly its own samples are reported; its child's child begins amid them. */
static int live_as_child(int deeper)
{
	taken = reported = 0;
	take_samples(3);
	pid_t child = deeper ? fork() : -1;
	if (!child)
		return live_as_child(deeper - 1);
	take_samples(OF_A_CHILD - 3);
	int status = 0;
	if (child > 0 && (waitpid(child, &status, 0) != child || status))
		return 1;
	if (!has_threads_after_fork)
		report_without_a_thread();
	else if (uploader_stop(true, INT64_C(30000000000)))
		return 2;
	return taken == OF_A_CHILD && reported == OF_A_CHILD ? 0 : 3;
}

START_TEST(each_sample_is_reported_once_by_the_process_that_took_it)
{
	pthread_t samplers[SAMPLERS];
	start();
	for (int i = 0; i < SAMPLERS; i++)
		ck_assert_int_eq(pthread_create(&samplers[i], NULL, sample_until_stopped, NULL), 0);
	for (int i = 0; i < FORKS; i++) {
		int status;
		pid_t child = fork();
		if (!child)
			_exit(!can_allocate_after_fork || i % 9 == 3 ? 0 : live_as_child(i % 9 ? 0 : 5));
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert_msg(!status, "the child of fork %d ended with %#x", i, (unsigned)status);
	}
	stopping = true;
	for (int i = 0; i < SAMPLERS; i++)
		pthread_join(samplers[i], NULL);
	ck_assert_int_eq(uploader_stop(true, INT64_C(30000000000)), OK);
	printf("%lld samples, %d forks\n", (long long)taken, FORKS);
	ck_assert_int_gt(taken, FORKS);
	ck_assert_int_eq(reported, taken);
}
END_TEST

UNIT_TESTS("fork_storm", each_sample_is_reported_once_by_the_process_that_took_it)
