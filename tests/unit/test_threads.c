/*
 * test_threads.c - threads come and go, their samples stay, and a fork leaves one.
 */
#include <config.h>

#include "runtime/threads.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/stats.h"
#include "unit.h"

static const struct label_set what = {.n = 1, .labels = {{.key = LABEL_LOCK_NAME, .string = "l"}}};
static const double one[SAMPLE_TYPES] = {[SAMPLE_LOCK_ACQUIRE] = 1};
static _Atomic int seen;
static _Atomic bool consumer_waits, consumer_is_waiting;
static char seen_name[64], short_lived[] = "short-lived";

static void resolve(const struct raw_frame *raw, size_t depth, struct frame *out)
{
	static const struct function function = {.name = "f", .filename = "f.py"};
	(void)raw;
	for (size_t i = 0; i < depth; i++)
		out[i] = (struct frame){.function = &function};
}

static void consume(const struct frame *frames, size_t depth, size_t omitted, const struct label *labels,
		    size_t n_labels, const double values[SAMPLE_TYPES])
{
	static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
	(void)frames, (void)depth, (void)omitted;
	while (consumer_waits)
		consumer_is_waiting = true;
	pthread_mutex_lock(&one_at_a_time);
	seen += (int)values[SAMPLE_LOCK_ACQUIRE];
	for (size_t i = 0; i < n_labels; i++)
		if (labels[i].key == LABEL_THREAD_NAME)
			snprintf(seen_name, sizeof(seen_name), "%s", labels[i].string);
	pthread_mutex_unlock(&one_at_a_time);
}

static void init(void)
{
	ck_assert_int_eq(threads_init(), 0);
	threads_set_consumer(consume);
	seen = 0;
}

static void sample_once(struct thread *thread)
{
	const struct raw_frame frame = {.code = 1};
	const struct raw_stack stack = {.frames = &frame, .depth = 1, .hash = raw_stack_hash(&frame, 1)};
	struct sample_row row;
	do	/* a drain may come in between: then the row is found again, as an operation does */
		ck_assert_int_eq(sample_cache_find(&thread->cache, &stack, &what, resolve, &row), 0);
	while (!sample_cache_add(&thread->cache, row, one));
}

static struct thread *self_once_listed(void)
{
	struct thread *thread = thread_self();
	ck_assert_ptr_nonnull(thread);
	return thread;
}

static void *live_and_sample(void *name)
{
	struct thread *thread = self_once_listed();
	ck_assert_ptr_eq(thread, thread_self());
	ck_assert_uint_eq(thread->ident, (uintptr_t)pthread_self());
	ck_assert_uint_eq(thread_hot.ident, thread->ident);
	mutex_lock(&thread->cache.lock);
	snprintf(thread->name, sizeof(thread->name), "%s", (char *)name);
	mutex_unlock(&thread->cache.lock);
	sample_once(thread);
	return NULL;
}

START_TEST(a_thread_that_ends_leaves_its_samples_and_nothing_else)
{
	pthread_t thread;
	init();
	ck_assert_int_eq(pthread_create(&thread, NULL, live_and_sample, short_lived), 0);
	pthread_join(thread, NULL);
	ck_assert_int_eq(seen, 1);
	ck_assert_str_eq(seen_name, "short-lived");
	ck_assert_uint_eq(threads_count(), 0);
}
END_TEST

START_TEST(a_drain_of_all_takes_each_sample_once_and_begins_a_period)
{
	init();
	unsigned period = threads_period();
	sample_once(self_once_listed());
	threads_drain();
	threads_drain();
	ck_assert_int_eq(seen, 1);
	ck_assert_uint_eq(threads_period(), period + 2);
}
END_TEST

static void *live_often(void *unused)
{
	(void)unused;
	for (int i = 0; i < 200; i++) {
		pthread_t thread;
		ck_assert_int_eq(pthread_create(&thread, NULL, live_and_sample, short_lived), 0);
		pthread_join(thread, NULL);
	}
	return NULL;
}

START_TEST(a_full_cache_is_handed_over_and_takes_the_next)
{
	const int n = 10000;
	init();
	struct thread *thread = thread_self();
	for (int i = 1; i <= n; i++) {
		const struct raw_frame frame = {.code = (uintptr_t)i};
		const struct raw_stack stack = {.frames = &frame, .depth = 1, .hash = raw_stack_hash(&frame, 1)};
		ck_assert_int_eq(thread_put(thread, &stack, &what, resolve, one), 0);
	}
	ck_assert_int_gt(seen, n / 2);
	ck_assert_int_lt(seen, n);
	threads_drain();
	ck_assert_int_eq(seen, n);
}
END_TEST

START_TEST(threads_that_come_and_go_beside_drains_lose_nothing)
{
	pthread_t churners[4];
	init();
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&churners[i], NULL, live_often, NULL), 0);
	for (int i = 0; i < 500; i++)
		threads_drain();
	for (int i = 0; i < 4; i++)
		pthread_join(churners[i], NULL);
	ck_assert_int_eq(seen, 800);
	ck_assert_uint_eq(threads_count(), 0);
}
END_TEST

START_TEST(a_reset_reaches_the_countdown_of_every_thread)
{
	init();
	struct thread *thread = self_once_listed();
	thread->hot->countdown = 1000000;
	threads_reset_countdowns();
	ck_assert_int_eq(thread_hot.countdown, 1);
}
END_TEST

START_TEST(a_forked_child_has_one_thread_and_none_of_the_parents_samples)
{
	init();
	sample_once(self_once_listed());
	threads_prefork();
	pid_t child = fork();
	if (!child) {
		threads_postfork_child();
		threads_drain();
		int of_parent = seen;
		sample_once(thread_self());
		threads_drain();
		_exit(!(of_parent == 0 && seen == 1 && threads_count() == 1 && thread_self()->native_id == getpid()));
	}
	threads_postfork_parent();
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	threads_drain();
	ck_assert_int_eq(seen, 1);
}
END_TEST

static _Atomic bool has_drained;

static void *drain(void *unused)
{
	(void)unused;
	threads_drain();
	has_drained = true;
	return NULL;
}

static int status_of(pid_t child)
{
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return status;
}

START_TEST(a_fork_waits_for_no_drain_and_the_parent_alone_reports_what_was_under_way)
{
	pthread_t drainer;
	init();
	sample_once(self_once_listed());
	consumer_waits = true;
	ck_assert_int_eq(pthread_create(&drainer, NULL, drain, NULL), 0);
	while (!consumer_is_waiting)
		;
	threads_prefork();
	pid_t child = fork();
	if (!child) {
		consumer_waits = false;
		threads_postfork_child();
		sample_once(thread_self());
		threads_drain();
		_exit(seen != 1);
	}
	threads_postfork_parent();
	ck_assert_int_eq(seen, 0);
	consumer_waits = false;
	pthread_join(drainer, NULL);
	ck_assert_int_eq(seen, 1);
	ck_assert_int_eq(status_of(child), 0);
}
END_TEST

START_TEST(a_drain_waits_for_the_samples_of_a_thread_that_is_ending)
{
	pthread_t drainer, thread;
	init();
	consumer_waits = true;
	ck_assert_int_eq(pthread_create(&thread, NULL, live_and_sample, short_lived), 0);
	while (!consumer_is_waiting)	/* in the end of the thread, which hands over its own */
		;
	ck_assert_int_eq(pthread_create(&drainer, NULL, drain, NULL), 0);
	usleep(10000);
	ck_assert(!has_drained);
	ck_assert_uint_eq(threads_count(), 0);
	consumer_waits = false;
	pthread_join(drainer, NULL);
	ck_assert_int_eq(seen, 1);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(threads_count(), 0);
}
END_TEST

START_TEST(a_child_draws_numbers_of_its_own)
{
	init();
	struct thread *thread = self_once_listed();
	struct rng parents = thread->hot->rng;
	thread->hot->countdown = 1000000;
	threads_prefork();
	pid_t child = fork();
	if (!child) {
		threads_postfork_child();
		_exit(!(rng_next(&thread->hot->rng) != rng_next(&parents) && thread->hot->countdown == 1 &&
			thread->hot->sampling_generation == 0));
	}
	threads_postfork_parent();
	ck_assert_int_eq(status_of(child), 0);
	ck_assert_int_eq(thread->hot->countdown, 1000000);
}
END_TEST

static void *ask_for_oneself(void *found)
{
	*(bool *)found = thread_self();
	return NULL;
}

/* Does a new thread get listed while another has the list for so long? */
static bool is_listed_beside(useconds_t us)
{
	pthread_t thread;
	bool found = false;
	threads_prefork();
	pthread_create(&thread, NULL, ask_for_oneself, &found);
	usleep(us);
	threads_postfork_parent();
	pthread_join(thread, NULL);
	return found;
}

static uint64_t unlisted(void)
{
	uint64_t values[STATS];
	stats_read(values);
	return values[STAT_threads_unlisted];
}

START_TEST(a_new_thread_waits_for_the_list_but_not_for_ever)
{
	init();
	uint64_t before = unlisted();
	ck_assert(is_listed_beside(10000));
	ck_assert_uint_eq(unlisted(), before);
	ck_assert(!is_listed_beside(1000000));
	ck_assert_uint_eq(unlisted(), before + 1);
}
END_TEST

UNIT_TESTS("threads", a_thread_that_ends_leaves_its_samples_and_nothing_else,
	   a_drain_of_all_takes_each_sample_once_and_begins_a_period, a_full_cache_is_handed_over_and_takes_the_next,
	   threads_that_come_and_go_beside_drains_lose_nothing, a_reset_reaches_the_countdown_of_every_thread,
	   a_forked_child_has_one_thread_and_none_of_the_parents_samples,
	   a_fork_waits_for_no_drain_and_the_parent_alone_reports_what_was_under_way,
	   a_drain_waits_for_the_samples_of_a_thread_that_is_ending, a_new_thread_waits_for_the_list_but_not_for_ever,
	   a_child_draws_numbers_of_its_own)
