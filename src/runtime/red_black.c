/*
 * red_black.c - two profiles and a swap.
 *
 *     samplers --add--> [active]    [idle] --read, clear--> uploader
 *                            \__swap__/
 *
 * Locking: the lock (LOCK_RANK_PROFILE) guards the active profile and who is which.  The
 *          idle one belongs to the thread that swapped it out, and needs none: clearing it
 *          gives many pages back, and no sampler waits for that.
 * Fork:    prefork takes the lock, so the active profile is whole in the child, which clears
 *          it when it first has something to add: many a child never has.  The idle one may be in
 *          the hands of a thread that the child does not have, anywhere in the middle of reading
 *          or clearing: the child makes it empty without looking, and leaves its pages mapped
 *          (at most one profile's limit, shared with the parent until written).
 */
#include <config.h>

#include "runtime/red_black.h"

#include "runtime/clocks.h"
#include "runtime/error.h"
#include "runtime/fork.h"
#include "runtime/mutex.h"

static struct mutex lock SNECK_AT_FORK = MUTEX_INITIALIZER(LOCK_RANK_PROFILE);
static struct profile *active, *idle;
static bool idle_is_out;		/* between a swap and its red_black_done */

struct moment {
	int64_t monotonic_ns, wall_ns;
};

static struct moment fork_begins SNECK_AT_FORK;	/* the latest fork of this process, or the one it came by */

/* In a child: the profiles are still as the parent left them.  Its own period began at the fork. */
static struct {
	bool are_there;
	struct moment forked;
} inherited SNECK_AT_FORK;

/* With the lock. */
static void clear_inherited(void)
{
	if (!inherited.are_there)
		return;
	inherited.are_there = false;
	profile_clear(active);
	profile_begin_at(active, inherited.forked.monotonic_ns, inherited.forked.wall_ns);
	if (idle_is_out)
		profile_abandon(idle);
	idle_is_out = false;
}

int red_black_init(const struct profile_limits *limits)
{
	if (active)
		return ERR_STATE;
	struct profile *red = profile_new(limits), *black = profile_new(limits);
	if (!red || !black) {
		profile_free(red);
		profile_free(black);
		return ERR_NOMEM;
	}
	mutex_lock(&lock);
	active = red;
	idle = black;
	idle_is_out = false;
	mutex_unlock(&lock);
	return OK;
}

void red_black_fini(void)
{
	mutex_lock(&lock);
	clear_inherited();
	struct profile *red = active, *black = idle;
	active = idle = NULL;
	mutex_unlock(&lock);
	profile_free(red);
	profile_free(black);
}

int red_black_add(const struct frame *frames, size_t depth, size_t omitted, const struct label *labels,
		  size_t n_labels, const double values[SAMPLE_TYPES])
{
	mutex_lock(&lock);
	clear_inherited();
	int error = active ? profile_add(active, frames, depth, omitted, labels, n_labels, values) : ERR_STATE;
	mutex_unlock(&lock);
	return error;
}

struct profile *red_black_swap(void)
{
	struct profile *filled = NULL;
	mutex_lock(&lock);
	clear_inherited();
	if (active && !idle_is_out) {
		filled = active;
		active = idle;
		idle = filled;
		idle_is_out = true;
		profile_end(filled);
		profile_begin(active);
	}
	mutex_unlock(&lock);
	return filled;
}

void red_black_done(void)
{
	if (!idle)
		return;
	profile_clear(idle);
	mutex_lock(&lock);
	idle_is_out = false;
	mutex_unlock(&lock);
}

void red_black_prefork(void)
{
	mutex_lock(&lock);
	fork_begins = (struct moment){clock_monotonic_ns(), clock_wall_ns()};
}

void red_black_postfork_parent(void)
{
	mutex_unlock(&lock);
}

SNECK_FORK_CODE void red_black_postfork_child(void)
{
	mutex_postfork_child(&lock);
	if (!active)
		return;
	inherited.are_there = true;
	inherited.forked = fork_begins;
}
