/*
 * sampling.c - random distances and a budget.
 *
 * A distance is drawn with the mean in force; the operation it ends at counts for that
 * mean.  Changing the mean between two draws does not bias the sum: each operation is still
 * met with a probability that was fixed before it, and weighted by its inverse.
 *
 * The budget: over a window, a thread counts its operations and the processor time it had (on a
 * busy machine that is less than passed by the clock).  With what its samples usually cost that
 * tells the mean that fits, but no less than the one asked for.  A thread that was set aside in
 * the middle of a sample did not pay for that time: what one may have cost is bounded by what
 * they usually cost.
 *
 * Waits have a budget of their own, one for the process: fifty threads in one queue
 * each wait most of the time and do little, so what a wait may cost is a question of what they
 * all get done.  It is smaller: for what one of them costs, all wait.  Over the budget, the
 * shortest wait that is kept for certain grows by as much; below half of it, it halves.
 *
 * Waits are counted by several threads at once where interpreters have a GIL each: so without
 * a lock, and who exchanges the window's start is the one to close it.
 *
 * Fork:    the child has a distance of its own, so that a server's children do not all sample the
 *          same operation.  It is drawn before the fork: a logarithm in the child is six pages of
 *          libm's to be mapped anew.  Its windows begin at the fork, where its processor time is zero
 *          and need not be asked for: to ask is to have the kernel look whose turn it is, and a child
 *          that has had its share, half of what others get, is set aside for a round.
 */
#include <config.h>

#include "collector/sampling.h"

#include "runtime/clocks.h"
#include "runtime/fast_clock.h"
#include "runtime/fork.h"
#include "runtime/hot.h"
#include "runtime/stats.h"

static const int64_t window_ns = 1000000;	/* 1 ms: a burst is noticed before it has cost much */
/* Less is not worth asking for the thread's clock, a system call; after this long it is asked anyway. */
static const int64_t window_cost_min_ns = 10000, window_max_ns = 100000000;
static const double thinning_max = 1 << 20;
static const int64_t waits_window_ns = 10000000, waits_window_cost_min_ns = 40000;	/* some ten samples tell a rate */
/* Of the budget.  The rest is for what samples cost beside their own time: cold caches, others who wait. */
static const double own_share = 0.125, waits_share = 0.1;
/* Waits at least this long are kept for certain, within the budget: ten times a switch of the GIL's owner. */
static const int64_t certain_wait_min_ns = 100000;
static const int64_t certain_wait_max_ns = 1000000000;	/* a thread has one a second at most: kept whatever they cost */

static struct sampling settings SNECK_HOT;
static unsigned generation SNECK_HOT = 1;

int64_t sampling_certain_wait_ns SNECK_HOT;
double sampling_keep_min SNECK_HOT;
static struct {
	int64_t start_ns, start_used_ns, cost_ns;
} waits SNECK_AT_FORK;

bool sampling_has_budget(void)
{
	return settings.budget_pct > 0;
}

bool sampling_is_complete(void)
{
	return settings.capture_pct >= 100 && settings.budget_pct <= 0;
}

/*
 * One in a hundred of the shortest; fewer where that would be more than the budget, which has then
 * made certain_ns more than a hundred times what it was.
 */
static void set_certain_wait(int64_t certain_ns)
{
	double keep_min = 0.01, fewer = (double)certain_wait_min_ns / (double)certain_ns;
	if (certain_ns > 0 && fewer < keep_min)
		keep_min = fewer;
	__atomic_store(&sampling_keep_min, &keep_min, __ATOMIC_RELAXED);
	__atomic_store_n(&sampling_certain_wait_ns, certain_ns, __ATOMIC_RELAXED);
}

void sampling_set(const struct sampling *sampling)
{
	settings = *sampling;
	set_certain_wait(sampling_is_complete() ? 0 : certain_wait_min_ns);
	__atomic_store_n(&waits.start_ns, 0, __ATOMIC_RELAXED);
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
	thread->distance = rng_geometric(&thread->hot->rng, thread->mean_distance);
	thread->hot->countdown = thread->distance;
}

static bool is_of_this_generation(const struct thread *thread)
{
	return thread->hot->sampling_generation == __atomic_load_n(&generation, __ATOMIC_ACQUIRE);
}

static void begin(struct thread *thread)
{
	thread->hot->sampling_generation = __atomic_load_n(&generation, __ATOMIC_ACQUIRE);
	thread->thinning = 1;
	thread->window_start_ns = 0;
}

static void join_generation(struct thread *thread)
{
	begin(thread);
	draw_distance(thread);
	thread->hot->countdown--;	/* this operation is the first trial */
}

bool sampling_draw(struct thread *thread, double *weight)
{
	if (!is_of_this_generation(thread))
		join_generation(thread);
	if (thread->hot->countdown > 0)
		return false;
	*weight = thread->mean_distance;
	thread->window_operations += thread->distance;
	thread->window_draws++;
	draw_distance(thread);
	return true;
}

/*
 * What a thread begins with: what others pay.  Its own first sample is no measure, for it makes and
 * names what later ones find; and a thread with few samples would never get over it.
 */
static int64_t common_cost_ns = 2000, common_wait_cost_ns = 2000;

/* What it may have cost; the thread's *usual_ns (0: none yet) follows a real change within a few samples. */
static int64_t plausible_cost(int64_t *usual_ns, int64_t *common_ns, int64_t cost_ns)
{
	int64_t common = __atomic_load_n(common_ns, __ATOMIC_RELAXED);
	if (!*usual_ns)
		*usual_ns = common;
	if (cost_ns < 0)	/* read on two processors */
		cost_ns = 0;
	if (cost_ns > 4 * *usual_ns)
		cost_ns = 4 * *usual_ns;
	*usual_ns += (cost_ns - *usual_ns) / 8;
	__atomic_store_n(common_ns, common + (cost_ns - common) / 8, __ATOMIC_RELAXED);
	return cost_ns;
}

/*
 * The samples of a window took cost_ns of used_ns: by their usual cost, as there may be but one.
 * Where nearly all time is theirs, the rest is not well known; the next window tells.
 */
static void fit_mean(struct thread *thread, int64_t cost_ns, int64_t used_ns)
{
	double budget = settings.budget_pct * own_share / 100, used = (double)used_ns, cost = (double)cost_ns;
	double rest = used - cost > used / 16 ? used - cost : used / 16;
	double sample_ns = cost / thread->window_draws, operation_ns = rest / (double)thread->window_operations;
	double thinning = sample_ns / operation_ns / budget * settings.capture_pct / 100;
	if (!(thinning > 1))
		thinning = 1;
	if (thinning > thinning_max)
		thinning = thinning_max;
	bool is_first = thread->thinning <= 1;	/* each little step later on is none to count */
	if (thinning > (is_first ? 1 : 2 * thread->thinning))
		stats_count(STAT_budget_exceeded);
	thread->thinning = thinning;
}

static void begin_window(struct thread *thread, int64_t now_ns, int64_t used_ns)
{
	thread->window_start_ns = now_ns;
	thread->window_start_used_ns = used_ns;
	thread->window_operations = 0;
	thread->window_draws = thread->window_costs = 0;
}

void sampling_account(struct thread *thread, int64_t cost_ns, int64_t now_ns)
{
	if (settings.budget_pct <= 0)
		return;
	plausible_cost(&thread->usual_cost_ns, &common_cost_ns, cost_ns);
	thread->window_costs++;
	int64_t window_cost_ns = thread->window_costs * thread->usual_cost_ns;
	int64_t passed_ns = now_ns - thread->window_start_ns;
	if (passed_ns < window_ns || (window_cost_ns < window_cost_min_ns && passed_ns < window_max_ns))
		return;
	int64_t used_ns = clock_thread_ns();
	if (thread->window_start_ns && thread->window_draws)
		fit_mean(thread, window_cost_ns, used_ns - thread->window_start_used_ns);
	begin_window(thread, now_ns, used_ns);
}

/* The next shortest wait to be kept for certain, after a window that took `over` of its budget. */
static double fit_certain_wait(double certain_ns, double over)
{
	const double min = (double)certain_wait_min_ns, max = (double)certain_wait_max_ns;
	if (over > 1) {
		if (certain_ns <= min || (over >= 2 && certain_ns < max))
			stats_count(STAT_budget_exceeded);
		certain_ns *= over;
	} else if (over < 0.5) {
		certain_ns /= 2;
	}
	return certain_ns > max ? max : certain_ns > min ? certain_ns : min;
}

static void close_waits_window(int64_t passed_ns)
{
	int64_t used_ns = clock_process_ns();
	int64_t used_before_ns = __atomic_exchange_n(&waits.start_used_ns, used_ns, __ATOMIC_RELAXED);
	int64_t cost_ns = __atomic_exchange_n(&waits.cost_ns, 0, __ATOMIC_RELAXED);
	if (passed_ns < 0)
		return;		/* the first window begins */
	used_ns -= used_before_ns;
	if (used_ns < passed_ns)
		used_ns = passed_ns;	/* what an idle process pays for its waits hurts nobody */
	double certain_ns = (double)__atomic_load_n(&sampling_certain_wait_ns, __ATOMIC_RELAXED);
	double budget_ns = (double)used_ns * settings.budget_pct * waits_share / 100;
	set_certain_wait((int64_t)fit_certain_wait(certain_ns, (double)cost_ns / budget_ns));
}

void sampling_account_wait(struct thread *thread, int64_t cost_ns, int64_t now_ns)
{
	if (settings.budget_pct <= 0)
		return;
	cost_ns = plausible_cost(&thread->usual_wait_cost_ns, &common_wait_cost_ns, cost_ns);
	cost_ns = __atomic_add_fetch(&waits.cost_ns, cost_ns, __ATOMIC_RELAXED);
	int64_t start_ns = __atomic_load_n(&waits.start_ns, __ATOMIC_RELAXED), passed_ns = now_ns - start_ns;
	if (passed_ns < waits_window_ns || (cost_ns < waits_window_cost_min_ns && passed_ns < window_max_ns) ||
	    !__atomic_compare_exchange_n(&waits.start_ns, &start_ns, now_ns, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return;
	close_waits_window(start_ns ? passed_ns : -1);
}

/* For the child; mean 0: it has to draw itself. */
static struct {
	double mean;
	int64_t distance, ns;
} drawn_before_fork SNECK_AT_FORK;

void sampling_prefork(void)
{
	struct thread *thread = thread_hot.self;
	drawn_before_fork.mean = 0;
	if (!thread || !is_of_this_generation(thread) || settings.capture_pct <= 0)
		return;
	drawn_before_fork.mean = 100 / settings.capture_pct;
	drawn_before_fork.ns = fast_clock_ns();
	drawn_before_fork.distance = rng_geometric(&thread->hot->rng, drawn_before_fork.mean);
}

SNECK_FORK_CODE void sampling_postfork_child(void)
{
	struct thread *thread = thread_hot.self;
	if (!thread || drawn_before_fork.mean <= 0)
		return;
	begin(thread);
	begin_window(thread, drawn_before_fork.ns, 0);
	waits.start_ns = drawn_before_fork.ns;
	waits.start_used_ns = waits.cost_ns = 0;
	thread->mean_distance = drawn_before_fork.mean;
	thread->hot->countdown = thread->distance = drawn_before_fork.distance;
}
