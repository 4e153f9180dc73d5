/*
 * test_sampling.c - estimates are unbiased, and the budget is kept.
 */
#include <config.h>

#include "collector/sampling.h"

#include <math.h>

#include "runtime/clocks.h"
#include "runtime/fast_clock.h"
#include "runtime/stats.h"
#include "runtime/threads.h"
#include "unit.h"

/* The same numbers in each run: what is shown of them is shown, and does not fail now and then by chance. */
static struct thread *start(double capture_pct, double budget_pct)
{
	static uint64_t starts;
	sampling_set(&(struct sampling){capture_pct, budget_pct});
	threads_init();
	struct thread *thread = thread_self();
	ck_assert_ptr_nonnull(thread);
	rng_seed(&thread->hot->rng, ++starts);
	return thread;
}

/* One uncontended operation as the hot path does it: its weight if sampled, else 0. */
static double operate(struct thread *thread)
{
	double weight;
	if (--thread->hot->countdown != 0)
		return 0;
	return sampling_draw(thread, &weight) ? weight : 0;
}

START_TEST(counts_are_estimated_within_their_standard_errors)
{
	const double percents[] = {100, 50, 10, 1, 0.3};
	for (size_t i = 0; i < sizeof(percents) / sizeof(*percents); i++) {
		struct thread *thread = start(percents[i], 0);
		const int n = 2000000;
		double estimate = 0, p = percents[i] / 100;
		for (int j = 0; j < n; j++)
			estimate += operate(thread);
		ck_assert_double_le(fabs(estimate - n), 4 * sqrt(n * (1 - p) / p) + 1e-6);
	}
}
END_TEST

START_TEST(locks_used_in_turn_are_sampled_alike)
{
	struct thread *thread = start(50, 0);
	double estimates[2] = {0};
	const int n = 500000;
	for (int j = 0; j < 2 * n; j++)
		estimates[j % 2] += operate(thread);
	for (int i = 0; i < 2; i++)
		ck_assert_double_le(fabs(estimates[i] - n), 4 * sqrt(n));
}
END_TEST

START_TEST(at_zero_percent_nothing_is_sampled)
{
	struct thread *thread = start(0, 1);
	for (int j = 0; j < 1000000; j++)
		ck_assert_double_eq(operate(thread), 0);
}
END_TEST

START_TEST(a_new_start_reaches_a_thread_that_sampled_nothing)
{
	struct thread *thread = start(0, 1);
	operate(thread);
	thread = start(100, 0);
	ck_assert_double_eq(operate(thread), 1);
}
END_TEST

START_TEST(the_first_operation_of_a_thread_is_sampled_like_any_other)
{
	int hits = 0;
	const int rounds = 100000;
	for (int j = 0; j < rounds; j++) {
		struct thread *thread = start(10, 0);
		hits += operate(thread) > 0;
	}
	ck_assert_int_le(abs(hits - rounds / 10), (int)(4 * sqrt(rounds * 0.1 * 0.9)));
}
END_TEST

/* As a fork's two handlers have it, without the fork. */
START_TEST(each_child_has_a_distance_of_its_own_and_counts_stay_unbiased)
{
	struct thread *thread = start(1, 0);
	const int children = 4000, each = 150;
	double estimate = 0;
	int same = 0;
	int64_t last = 0;
	operate(thread);
	for (int i = 0; i < children; i++) {
		sampling_prefork();
		sampling_postfork_child();
		same += thread->hot->countdown == last;
		last = thread->hot->countdown;
		for (int j = 0; j < each; j++)
			estimate += operate(thread);
	}
	ck_assert_int_lt(same, children / 20);	/* one in two hundred by chance */
	ck_assert_double_le(fabs(estimate - children * each), 4 * sqrt(children * each * 99.0));
}
END_TEST

START_TEST(a_child_of_a_thread_that_did_not_draw_yet_draws_itself)
{
	struct thread *thread = start(1, 0);
	sampling_prefork();
	sampling_postfork_child();
	ck_assert_int_eq(thread->hot->countdown, 1);
}
END_TEST

static int clock_readings;

static int64_t read_clock(void)
{
	clock_readings++;
	return 0;
}

/* To ask may set a child aside for a round, so it does not for what the first milliseconds cost. */
START_TEST(a_child_asks_for_no_processor_time_at_its_first_samples)
{
	int64_t (*thread_clock)(void) = clock_thread_ns, (*process_clock)(void) = clock_process_ns;
	struct thread *thread = start(1, 1);
	operate(thread);
	sampling_prefork();
	sampling_postfork_child();
	clock_readings = 0;
	clock_thread_ns = clock_process_ns = read_clock;
	const int64_t ns = fast_clock_ns();
	double weight;
	for (int i = 0; i < 3; i++) {
		thread->hot->countdown = 0;
		ck_assert(sampling_draw(thread, &weight));
		sampling_account(thread, 2000, ns + (i + 1) * 2000000);
		sampling_account_wait(thread, 2000, ns + (i + 1) * 2000000);
	}
	ck_assert_int_eq(clock_readings, 0);
	sampling_account(thread, 2000, ns + 100000000);
	sampling_account_wait(thread, 2000, ns + 100000000);
	ck_assert_int_eq(clock_readings, 2);
	clock_thread_ns = thread_clock;
	clock_process_ns = process_clock;
}
END_TEST

START_TEST(short_waits_are_kept_by_chance_and_sums_stay_unbiased)
{
	start(1, 1);
	double sum = 0, count = 0, truth = 0;
	int kept = 0;
	const int n = 300000;
	for (int j = 0; j < n; j++) {
		int64_t wait_ns = 500 + j % 40000;
		double weight;
		truth += (double)wait_ns;
		if (sampling_keep_wait(wait_ns, rng_uniform(&thread_hot.rng), &weight)) {
			sum += weight * (double)wait_ns;
			count += weight;
			kept++;
		}
	}
	ck_assert_double_eq_tol(sum / truth, 1, 0.02);
	ck_assert_double_eq_tol(count / n, 1, 0.05);
	ck_assert_int_le(kept, n / 4);
}
END_TEST

static void long_ones_are_kept(int64_t from_ns)
{
	for (int j = 0; j < 1000; j++) {
		double weight;
		ck_assert(sampling_keep_wait(from_ns + j, rng_uniform(&thread_hot.rng), &weight));
		ck_assert_double_eq(weight, 1);
	}
}

START_TEST(long_waits_are_all_kept)
{
	start(1, 1);
	long_ones_are_kept(100000);
}
END_TEST

START_TEST(a_wait_that_ended_before_it_began_stands_for_one)
{
	double weight = 0;
	start(100, 0);
	ck_assert(sampling_keep_wait(-1, 0.5, &weight));
	ck_assert_double_eq(weight, 1);
	start(1, 1);
	ck_assert(sampling_keep_wait(-1, 0.01, &weight));
	ck_assert_double_eq_tol(weight, 100, 1e-9);
}
END_TEST

static int64_t used_ns;

static int64_t fake_used_ns(void)
{
	return used_ns;
}

/* An operation each 100 ns, a sample costs 1 us, all may be sampled: 1000 % without a budget. */
static void be_busy(struct thread *thread, int wall_per_used)
{
	int64_t cost_ns = 0;
	double estimate = 0;
	const int n = 30000000;
	used_ns = 1;
	for (int j = 0; j < n; j++) {
		used_ns += 100;
		double weight = operate(thread);
		if (weight > 0) {
			estimate += weight;
			used_ns += 1000;
			cost_ns += 1000;
			sampling_account(thread, 1000, used_ns * wall_per_used);
		}
	}
	ck_assert_double_le(100.0 * (double)cost_ns / (double)used_ns, 3);	/* start-up included */
	ck_assert_double_eq_tol(estimate / n, 1, 0.05);	/* one run in some 200 was further off */
}

START_TEST(a_busy_thread_stays_in_its_budget_and_unbiased)
{
	clock_thread_ns = fake_used_ns;
	struct thread *thread = start(99.9, 1);
	be_busy(thread, 1);
	/* and comes back when it uses few locks */
	int64_t now_ns = used_ns;
	for (int j = 0; j < 1000000 && thread->thinning > 1; j++) {
		used_ns += 1000000;
		now_ns += 1000000;
		if (operate(thread) > 0)
			sampling_account(thread, 1000, now_ns);
	}
	ck_assert_double_eq(thread->thinning, 1);
}
END_TEST

/* Threads that wait for each other: each operation 10 us of the processor, each sample 5 us more. */
struct queue {
	int64_t now_ns;
	double sum, count, truth;
	int64_t cost_ns;
};

static void wait_in_turn(struct thread *thread, struct queue *q, int n)
{
	double weight;
	for (int j = 0; j < n; j++) {
		int64_t wait_ns = 1000 + j * 7919L % 1999 * 1000;
		q->truth += (double)wait_ns;
		used_ns += 10000;
		q->now_ns += 10000;
		if (!sampling_keep_wait(wait_ns, rng_uniform(&thread_hot.rng), &weight))
			continue;
		q->sum += weight * (double)wait_ns;
		q->count += weight;
		used_ns += 5000;
		q->now_ns += 5000;
		q->cost_ns += 5000;
		sampling_account_wait(thread, 5000, q->now_ns);
	}
}

static void waits_stay_in_their_budget(double capture_pct)
{
	clock_process_ns = fake_used_ns;
	struct thread *thread = start(capture_pct, 1);
	struct queue q = {.now_ns = used_ns = 1};
	double distances = thread->thinning;
	const int n = 2000000;
	wait_in_turn(thread, &q, n);
	ck_assert_double_le(100.0 * (double)q.cost_ns / (double)used_ns, 0.7);	/* a wait of 1 ms is kept once in 100, whatever the budget */
	ck_assert_double_eq_tol(q.sum / q.truth, 1, 0.05);	/* its standard error is 0.008 */
	ck_assert_double_eq_tol(q.count / n, 1, 0.08);		/* 0.009 */
	ck_assert_double_eq(thread->thinning, distances);

	long_ones_are_kept(1000000000);
	/* and all come back when there are few */
	for (int j = 0; j < 20; j++)
		sampling_account_wait(thread, 5000, q.now_ns += 1000000000);
	long_ones_are_kept(100000);
}

START_TEST(waits_stay_in_a_budget_of_their_own_and_unbiased)
{
	waits_stay_in_their_budget(99.9);
}
END_TEST

START_TEST(at_100_percent_waits_stay_in_a_budget_that_was_asked_for)
{
	waits_stay_in_their_budget(100);
}
END_TEST

START_TEST(at_100_percent_without_a_budget_all_waits_are_kept)
{
	start(100, 0);
	long_ones_are_kept(0);
}
END_TEST

/* Waits cost 0.12 percent of a processor: more than their tenth of the budget, less than twice that. */
START_TEST(waits_have_a_tenth_of_the_budget)
{
	clock_process_ns = fake_used_ns;
	struct thread *thread = start(1, 1);
	double weight;
	used_ns = 1;
	for (int64_t now_ns = 1; now_ns < 10000000000; now_ns += 10000000) {
		sampling_account_wait(thread, 12000, now_ns);
		used_ns += 10000000;
	}
	sampling_keep_wait(100000, 0, &weight);
	ck_assert_double_gt(weight, 1);
}
END_TEST

/* Fifty threads on two locks: 22,000 waits a second, 2.3 ms each, so all wait all of the time; 4 us a stack. */
START_TEST(a_crowds_stacks_take_their_tenth_of_the_budget_and_no_more)
{
	clock_process_ns = fake_used_ns;
	struct thread *thread = start(1, 1);
	const int settled = 100000, n = 2000000;
	double weight, count = 0, sum_ns = 0, truth_ns = 0, cost_ns = 0;
	int64_t now_ns = 1;
	used_ns = 1;
	for (int j = 0; j < n; j++) {
		int64_t wait_ns = (int64_t)(-2300000 * log(rng_uniform(&thread->hot->rng)));
		now_ns += 45000;
		used_ns += 60000;
		truth_ns += j < settled ? 0 : (double)wait_ns;
		if (!sampling_keep_wait(wait_ns, rng_uniform(&thread->hot->rng), &weight))
			continue;
		sampling_account_wait(thread, 4000, now_ns);
		if (j < settled)
			continue;
		sum_ns += weight * (double)wait_ns;
		count += weight;
		cost_ns += 4000;
	}
	double percent = 100 * cost_ns / (60000.0 * (n - settled));
	ck_assert_double_le(percent, 0.11);
	ck_assert_double_ge(percent, 0.04);
	ck_assert_double_eq_tol(sum_ns / truth_ns, 1, 0.03);	/* of some 20,000 samples */
	ck_assert_double_eq_tol(count / (n - settled), 1, 0.05);
}
END_TEST

START_TEST(under_pressure_fewer_of_the_shortest_are_kept)
{
	clock_process_ns = fake_used_ns;
	struct thread *thread = start(1, 1);
	double weight;
	ck_assert(sampling_keep_wait(0, 0.01, &weight));
	ck_assert_double_eq_tol(weight, 100, 1e-9);
	used_ns = 1;
	for (int64_t now_ns = 1; now_ns < 1000000000; now_ns += 10000000) {
		sampling_account_wait(thread, 5000000, now_ns);
		used_ns += 10000000;
	}
	ck_assert(!sampling_keep_wait(0, 0.0002, &weight));
	ck_assert(sampling_keep_wait(0, 0.00009, &weight));
	ck_assert_double_eq_tol(weight, 10000, 1e-6);	/* those of a second are kept for certain, as those of 100 us were */
}
END_TEST

/* It used next to nothing of the processor, so its waits may cost a tenth of a percent of the time that passed. */
START_TEST(an_idle_process_keeps_all_its_long_waits)
{
	clock_process_ns = fake_used_ns;
	struct thread *thread = start(1, 1);
	used_ns = 1;
	for (int64_t now_ns = 1; now_ns < 10000000000; now_ns += 7500000) {
		used_ns += 10000;
		long_ones_are_kept(20000000);
		sampling_account_wait(thread, 5000, now_ns);
	}
}
END_TEST

START_TEST(a_thread_set_aside_in_a_sample_goes_on_sampling)
{
	clock_thread_ns = fake_used_ns;
	struct thread *thread = start(99.9, 1);
	be_busy(thread, 1);
	double before = thread->thinning;
	thread->hot->countdown = 1;
	operate(thread);
	used_ns += 1000000;
	sampling_account(thread, 30000000, used_ns + 30000000);
	ck_assert_double_le(thread->thinning, 2 * before);
}
END_TEST

/* Where each window has one sample only: distances scatter by the time it took, not by the samples met. */
START_TEST(the_mean_holds_still_where_samples_are_rare)
{
	clock_thread_ns = fake_used_ns;
	struct thread *thread = start(99.9, 1);
	double low = 1e9, high = 0;
	used_ns = 1;
	for (int j = 0, drawn = 0; drawn < 300; j++) {
		used_ns += 1000;
		if (operate(thread) <= 0)
			continue;
		used_ns += 20000;
		sampling_account(thread, 20000, used_ns);
		if (++drawn < 100)
			continue;
		low = fmin(low, thread->thinning);
		high = fmax(high, thread->thinning);
	}
	/* 20 us of each 0.125 percent are an operation in 16,000 of a microsecond */
	ck_assert_double_ge(low, 12000);
	ck_assert_double_le(high, 18000);
}
END_TEST

/* Who reads the profile can tell that its estimates are rougher than was asked for. */
START_TEST(leaving_the_budget_by_a_little_is_counted)
{
	clock_thread_ns = fake_used_ns;
	struct thread *thread = start(99.9, 1);
	uint64_t before[STATS], after[STATS];
	stats_read(before);
	used_ns = 1;
	for (int j = 0; j < 2000; j++) {
		used_ns += 1000000;
		if (operate(thread) > 0)
			sampling_account(thread, 1700, used_ns);
	}
	stats_read(after);
	ck_assert_double_gt(thread->thinning, 1);
	ck_assert_double_lt(thread->thinning, 2);
	ck_assert_uint_eq(after[STAT_budget_exceeded] - before[STAT_budget_exceeded], 1);
}
END_TEST

START_TEST(a_lasting_change_of_a_samples_cost_is_followed)
{
	clock_thread_ns = fake_used_ns;
	struct thread *thread = start(99.9, 1);
	be_busy(thread, 1);
	double before = thread->thinning;
	for (int j = 0; j < 40; j++) {
		used_ns += 100 * thread->distance;
		thread->hot->countdown = 1;
		operate(thread);
		sampling_account(thread, 50000, used_ns += 50000);
	}
	ck_assert_int_ge(thread->usual_cost_ns, 45000);
	ck_assert_double_ge(thread->thinning, 20 * before);
}
END_TEST

START_TEST(a_threads_first_sample_is_no_measure_of_the_next)
{
	clock_thread_ns = fake_used_ns;
	struct thread *thread = start(50, 1);
	sampling_account(thread, 1000000, used_ns += 2000000);	/* it names, and resolves, what others find */
	ck_assert_int_le(thread->usual_cost_ns, 4000);
	sampling_account_wait(thread, 1000000, used_ns += 2000000);
	ck_assert_int_le(thread->usual_wait_cost_ns, 4000);
	for (int i = 0; i < 50; i++)
		sampling_account(thread, 9000, used_ns += 2000000);
	thread->usual_cost_ns = 0;				/* another thread begins with what this one paid */
	sampling_account(thread, 9000, used_ns += 2000000);
	ck_assert_int_ge(thread->usual_cost_ns, 8000);
}
END_TEST

START_TEST(a_sample_that_cost_less_than_nothing_is_soon_forgotten)
{
	clock_thread_ns = fake_used_ns;
	struct thread *thread = start(1, 1);
	sampling_account(thread, -1000000, used_ns += 2000000);
	for (int i = 0; i < 50; i++)
		sampling_account(thread, 1000, used_ns += 2000000);
	ck_assert_int_gt(thread->usual_cost_ns, 900);
	ck_assert_int_le(thread->usual_cost_ns, 1100);
	sampling_account_wait(thread, -1000000, used_ns += 2000000);
	ck_assert_int_ge(thread->usual_wait_cost_ns, 0);
}
END_TEST

START_TEST(a_thread_that_gets_a_tenth_of_a_processor_keeps_to_its_share_of_that)
{
	clock_thread_ns = fake_used_ns;
	be_busy(start(99.9, 1), 10);
}
END_TEST

UNIT_TESTS("sampling", counts_are_estimated_within_their_standard_errors, locks_used_in_turn_are_sampled_alike,
	   at_zero_percent_nothing_is_sampled, a_new_start_reaches_a_thread_that_sampled_nothing,
	   the_first_operation_of_a_thread_is_sampled_like_any_other,
	   each_child_has_a_distance_of_its_own_and_counts_stay_unbiased,
	   a_child_of_a_thread_that_did_not_draw_yet_draws_itself,
	   a_child_asks_for_no_processor_time_at_its_first_samples,
	   short_waits_are_kept_by_chance_and_sums_stay_unbiased, long_waits_are_all_kept,
	   a_wait_that_ended_before_it_began_stands_for_one, a_sample_that_cost_less_than_nothing_is_soon_forgotten,
	   waits_stay_in_a_budget_of_their_own_and_unbiased, at_100_percent_waits_stay_in_a_budget_that_was_asked_for,
	   at_100_percent_without_a_budget_all_waits_are_kept, waits_have_a_tenth_of_the_budget,
	   a_crowds_stacks_take_their_tenth_of_the_budget_and_no_more,
	   under_pressure_fewer_of_the_shortest_are_kept, an_idle_process_keeps_all_its_long_waits,
	   a_busy_thread_stays_in_its_budget_and_unbiased,
	   a_thread_set_aside_in_a_sample_goes_on_sampling, the_mean_holds_still_where_samples_are_rare,
	   leaving_the_budget_by_a_little_is_counted,
	   a_lasting_change_of_a_samples_cost_is_followed, a_threads_first_sample_is_no_measure_of_the_next,
	   a_thread_that_gets_a_tenth_of_a_processor_keeps_to_its_share_of_that)
