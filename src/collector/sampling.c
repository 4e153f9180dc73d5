/*
 * sampling.c - random distances and a budget.
 *
 * A distance is drawn with the mean in force; the operation it ends at counts for that
 * mean.  Changing the mean between two draws does not bias the sum: each operation is still
 * met with a probability that was fixed before it, and weighted by its inverse.
 *
 * The budget: a thread adds up what its samples cost over a window, and compares it with
 * the processor time it had: on a busy machine that is less than passed by the clock.
 * Over the budget, the mean doubles until it fits; below half of it, it halves, down to the
 * one asked for.  A thread that was set aside in the middle of a sample did not pay for that
 * time: what a sample may have cost is bounded by what the thread's samples usually cost.
 */
#include <config.h>

#include "collector/sampling.h"

#include "runtime/clocks.h"
#include "runtime/stats.h"

static const int64_t window_ns = 1000000;	/* 1 ms: a burst is noticed before it has cost much */
static const double thinning_max = 1 << 20;

static struct sampling settings;
static unsigned generation = 1;

void sampling_set(const struct sampling *sampling)
{
	settings = *sampling;
	__atomic_add_fetch(&generation, 1, __ATOMIC_RELEASE);
	threads_reset_countdowns();
}

static void draw_distance(struct thread *thread)
{
	if (settings.capture_pct <= 0) {
		thread->hot->countdown = INT64_MAX;
		return;
	}
	thread->mean_distance = 100 / settings.capture_pct * thread->thinning;
	thread->hot->countdown = rng_geometric(&thread->rng, thread->mean_distance);
}

static void join_generation(struct thread *thread)
{
	thread->sampling_generation = __atomic_load_n(&generation, __ATOMIC_ACQUIRE);
	thread->thinning = 1;
	thread->window_start_ns = thread->window_cost_ns = 0;
	draw_distance(thread);
	thread->hot->countdown--;	/* this operation is the first trial */
}

bool sampling_draw(struct thread *thread, double *weight)
{
	if (thread->sampling_generation != __atomic_load_n(&generation, __ATOMIC_ACQUIRE))
		join_generation(thread);
	if (thread->hot->countdown > 0)
		return false;
	*weight = thread->mean_distance;
	draw_distance(thread);
	return true;
}

bool sampling_keep_wait(struct thread *thread, int64_t wait_ns, double *weight)
{
	*weight = 1;
	if (wait_ns >= settings.thinning_ns)
		return true;
	/* a wait of no length still stands for something: at least one in a thousand is kept */
	double keep = (double)wait_ns / (double)settings.thinning_ns;
	if (keep < 0.001)
		keep = 0.001;
	*weight = 1 / keep;
	return rng_uniform(&thread->rng) <= keep;
}

static void close_window(struct thread *thread, int64_t used_ns)
{
	double used_pct = 100.0 * (double)thread->window_cost_ns / (double)(used_ns > 0 ? used_ns : 1);
	if (used_pct > settings.budget_pct && thread->thinning < thinning_max) {
		for (; used_pct > settings.budget_pct && thread->thinning < thinning_max; used_pct /= 2)
			thread->thinning *= 2;
		stats_count(STAT_budget_exceeded);
	} else if (used_pct < settings.budget_pct / 2 && thread->thinning > 1) {
		thread->thinning /= 2;
	}
}

/* Follows a real change within a few samples. */
static int64_t plausible_cost(struct thread *thread, int64_t cost_ns)
{
	int64_t usual_ns = thread->usual_cost_ns ? thread->usual_cost_ns : cost_ns;
	if (cost_ns > 4 * usual_ns)
		cost_ns = 4 * usual_ns;
	thread->usual_cost_ns = usual_ns + (cost_ns - usual_ns) / 8;
	return cost_ns;
}

void sampling_account(struct thread *thread, int64_t cost_ns, int64_t now_ns)
{
	if (settings.budget_pct <= 0)
		return;
	thread->window_cost_ns += plausible_cost(thread, cost_ns);
	if (now_ns - thread->window_start_ns < window_ns)
		return;
	int64_t used_ns = clock_thread_ns();
	if (thread->window_start_ns)
		close_window(thread, used_ns - thread->window_start_used_ns);
	thread->window_start_ns = now_ns;
	thread->window_start_used_ns = used_ns;
	thread->window_cost_ns = 0;
}
