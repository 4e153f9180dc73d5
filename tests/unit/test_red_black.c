/*
 * test_red_black.c - samples of many threads, swapped out under way, all of them once.
 */
#include <config.h>

#include "runtime/red_black.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/clocks.h"
#include "samples.h"
#include "unit.h"

static int add_one(int32_t line, double wait_ns)
{
	const double values[SAMPLE_TYPES] = {[SAMPLE_LOCK_ACQUIRE_WAIT] = wait_ns, [SAMPLE_LOCK_ACQUIRE] = 1};
	struct frame frames[3];
	fill_stack(frames, line);
	return red_black_add(frames, 3, 0, NULL, 0, values);
}

START_TEST(red_black_before_init_refuses)
{
	ck_assert_int_eq(add_one(1, 1), ERR_STATE);
	ck_assert_ptr_null(red_black_swap());
	red_black_done();
	red_black_fini();
}
END_TEST

START_TEST(red_black_swap_gives_the_filled_one_once)
{
	ck_assert_int_eq(red_black_init(&roomy), OK);
	ck_assert_int_eq(red_black_init(&roomy), ERR_STATE);
	ck_assert_int_eq(add_one(1, 5), OK);
	struct profile *red = red_black_swap();
	ck_assert_ptr_nonnull(red);
	ck_assert_int_eq(add_one(2, 7), OK);
	ck_assert_ptr_null(red_black_swap());		/* not done yet */
	ck_assert_double_eq(column_sum(red, SAMPLE_LOCK_ACQUIRE_WAIT), 5);
	red_black_done();
	struct profile *black = red_black_swap();
	ck_assert_ptr_nonnull(black);
	ck_assert_ptr_ne(black, red);
	ck_assert_double_eq(column_sum(black, SAMPLE_LOCK_ACQUIRE_WAIT), 7);
	red_black_done();
	ck_assert(profile_is_empty(red_black_swap()));
	red_black_fini();
	ck_assert_int_eq(add_one(1, 5), ERR_STATE);
}
END_TEST

START_TEST(red_black_periods_follow_each_other_without_a_gap)
{
	ck_assert_int_eq(red_black_init(&roomy), OK);
	usleep(20000);
	struct profile *red = red_black_swap();
	int64_t begin = profile_start_ns(red), duration = profile_duration_ns(red);
	ck_assert_int_ge(duration, 20000000);
	ck_assert_int_lt(duration, 10000000000);
	usleep(20000);
	ck_assert_int_eq(profile_duration_ns(red), duration);
	red_black_done();
	struct profile *black = red_black_swap();
	ck_assert_int_lt(llabs(profile_start_ns(black) - (begin + duration)), 10000000);
	red_black_done();
	red_black_fini();
}
END_TEST

enum { THREADS = 8, SAMPLES_EACH = 20000 };
static _Atomic int running = THREADS;

static void *sampler(void *unused)
{
	(void)unused;
	for (int i = 0; i < SAMPLES_EACH; i++)
		add_one(i % 100, 3);
	running--;
	return NULL;
}

START_TEST(red_black_conserves_the_sums_of_eight_threads)
{
	ck_assert_int_eq(red_black_init(&(struct profile_limits){.rows = 64, .bytes = 1 << 20}), OK);
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, sampler, NULL);
	double waits = 0, counts = 0;
	uint64_t overflowed = 0;
	int swaps = 0;
	for (bool last = false; !last;) {
		last = !running;
		struct profile *profile = red_black_swap();
		waits += column_sum(profile, SAMPLE_LOCK_ACQUIRE_WAIT);
		counts += column_sum(profile, SAMPLE_LOCK_ACQUIRE);
		overflowed += profile_overflowed(profile);
		swaps++;
		red_black_done();
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_double_eq(counts, THREADS * SAMPLES_EACH);
	ck_assert_double_eq(waits, 3.0 * THREADS * SAMPLES_EACH);
	ck_assert_uint_gt(overflowed, 0);
	ck_assert_int_gt(swaps, 2);
	red_black_fini();
}
END_TEST

/* What the child does; the parent asserts on its status. */
static int child_of(void (*prepare)(void))
{
	prepare();
	red_black_prefork();
	pid_t pid = fork();
	if (pid == 0) {
		red_black_postfork_child();
		struct profile *profile = red_black_swap();
		if (!profile || !profile_is_empty(profile))
			_exit(1);
		red_black_done();
		if (add_one(9, 4) != OK)
			_exit(2);
		profile = red_black_swap();
		_exit(column_sum(profile, SAMPLE_LOCK_ACQUIRE_WAIT) == 4 && profile_n_rows(profile) == 2 ? 0 : 3);
	}
	red_black_postfork_parent();
	int status;
	waitpid(pid, &status, 0);
	return status;
}

static void fill_active(void)
{
	red_black_init(&roomy);
	for (int i = 0; i < 10000; i++)
		add_one(i, 1);
}

static struct profile *out;

static void fill_both(void)
{
	fill_active();
	out = red_black_swap();
	for (int i = 0; i < 10000; i++)
		add_one(i, 1);
}

/* The profiles are cleared at the first deed, here an addition, of a child or of its child. */
START_TEST(red_black_child_of_a_child_has_its_own_samples_and_a_period_from_its_fork)
{
	fill_both();
	int64_t before_ns = clock_monotonic_ns();
	for (int depth = 0; depth < 2; depth++) {
		red_black_prefork();
		pid_t pid = fork();
		if (pid) {
			int status;
			red_black_postfork_parent();
			waitpid(pid, &status, 0);
			if (depth)
				_exit(WEXITSTATUS(status));
			ck_assert_int_eq(status, 0);
			red_black_done();
			ck_assert_double_eq(column_sum(red_black_swap(), SAMPLE_LOCK_ACQUIRE_WAIT), 10000);
			return;
		}
		red_black_postfork_child();
		usleep(20000);
	}
	if (add_one(9, 4) != OK)
		_exit(1);
	struct profile *profile = red_black_swap();
	if (!profile || column_sum(profile, SAMPLE_LOCK_ACQUIRE_WAIT) != 4 || profile_n_rows(profile) != 2)
		_exit(2);
	int64_t lasted_ns = profile_duration_ns(profile);	/* from the second fork, not from the first */
	_exit(lasted_ns >= 20000000 && lasted_ns <= clock_monotonic_ns() - before_ns - 20000000 ? 0 : 3);
}
END_TEST

START_TEST(red_black_child_starts_empty_and_the_parent_keeps_its_samples)
{
	ck_assert_int_eq(child_of(fill_active), 0);
	ck_assert_double_eq(column_sum(red_black_swap(), SAMPLE_LOCK_ACQUIRE), 10000);
	red_black_done();
	red_black_fini();
}
END_TEST

START_TEST(red_black_child_of_an_upload_in_flight_starts_empty)
{
	ck_assert_int_eq(child_of(fill_both), 0);
	ck_assert_double_eq(column_sum(out, SAMPLE_LOCK_ACQUIRE), 10000);
	red_black_done();
	ck_assert_double_eq(column_sum(red_black_swap(), SAMPLE_LOCK_ACQUIRE), 10000);
	red_black_done();
	red_black_fini();
}
END_TEST

static void *uploader(void *unused)
{
	(void)unused;
	while (running) {
		struct profile *profile = red_black_swap();
		column_sum(profile, SAMPLE_LOCK_ACQUIRE);
		red_black_done();
	}
	return NULL;
}

START_TEST(red_black_forks_amid_samplers_and_uploads)
{
	ck_assert_int_eq(red_black_init(&roomy), OK);
	pthread_t threads[THREADS], upload_thread;
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, sampler, NULL);
	pthread_create(&upload_thread, NULL, uploader, NULL);
	for (int i = 0; i < 100 && running; i++) {
		red_black_prefork();
		pid_t pid = fork();
		if (pid == 0) {
			red_black_postfork_child();
			add_one(1, 1);
			struct profile *profile = red_black_swap();
			_exit(profile && column_sum(profile, SAMPLE_LOCK_ACQUIRE) == 1 ? 0 : 1);
		}
		red_black_postfork_parent();
		int status;
		waitpid(pid, &status, 0);
		ck_assert_int_eq(status, 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_join(upload_thread, NULL);
	red_black_fini();
}
END_TEST

UNIT_TESTS("red_black", red_black_before_init_refuses, red_black_swap_gives_the_filled_one_once,
	   red_black_periods_follow_each_other_without_a_gap, red_black_conserves_the_sums_of_eight_threads,
	   red_black_child_starts_empty_and_the_parent_keeps_its_samples,
	   red_black_child_of_an_upload_in_flight_starts_empty,
	   red_black_child_of_a_child_has_its_own_samples_and_a_period_from_its_fork, red_black_forks_amid_samplers_and_uploads)
