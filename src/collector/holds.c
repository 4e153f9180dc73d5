/*
 * holds.c - a bounded hash table of the sampled holds in progress.
 *
 * Few at any time: at 1 % a hundredth of the locks held.  Chained, so that several holds of
 * one key (a semaphore's holders) stand oldest first.
 *
 * Locking: holds_lock (LOCK_RANK_HOLDS) guards all but the filter's bytes, which are read
 *          without it; a release that matters happens after its acquire, hence sees it.
 * Fork:    prefork holds the lock, so the child's table is whole.
 */
#include <config.h>

#include "collector/holds.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/fork.h"
#include "runtime/mutex.h"
#include "runtime/stats.h"
#include "runtime/threads.h"

enum {
	BUCKETS = 1024,
	HOLDS_MAX = UINT16_MAX,	/* all may stand in one place of the filter, which counts them */
	TAG_MASK = 0xf,
};

static const uintptr_t address_mask = ((uintptr_t)1 << 48) - 1 - TAG_MASK;

struct node {
	struct hold hold;
	struct node *next;
};

uint16_t hold_filter[HOLD_FILTER_SIZE];

static struct mutex holds_lock SNECK_AT_FORK = MUTEX_INITIALIZER(LOCK_RANK_HOLDS);
static struct node *buckets[BUCKETS];
static struct node *free_nodes;
static unsigned n_holds, n_by_thread[HOLD_TAGS];	/* of these, by tag, the ones with a thread in their key */
static void (*on_change)(bool any);

static struct node **bucket_of(uintptr_t key)
{
	return &buckets[(key >> 4) * 0x9e3779b97f4a7c15 >> 54];
}

static void filter_add(uintptr_t key, int change)
{
	__atomic_fetch_add(&hold_filter[hold_filter_index(key)], change, __ATOMIC_RELAXED);
}

static void count_by_thread(uintptr_t key, int change)
{
	if (key >> 48)
		n_by_thread[key & TAG_MASK] += (unsigned)change;
}

static struct node *node_new(void)
{
	struct node *node = free_nodes;
	if (node)
		free_nodes = node->next;
	else
		node = malloc(sizeof(*node));
	return node;
}

static void node_remove(struct node **place)
{
	struct node *node = *place;
	filter_add(node->hold.key, -1);
	*place = node->next;
	node->next = free_nodes;
	free_nodes = node;
	count_by_thread(node->hold.key, -1);
	if (--n_holds == 0 && on_change)
		on_change(false);
}

void holds_on_change(void (*changed)(bool any))
{
	mutex_lock(&holds_lock);
	on_change = changed;
	mutex_unlock(&holds_lock);
}

/* The end of the key's chain, with room for one more of the key. */
static struct node **end_of_chain(uintptr_t key, unsigned most)
{
	struct node **oldest = NULL, **end = bucket_of(key);
	unsigned n = 0;
	for (; *end; end = &(*end)->next)
		if ((*end)->hold.key == key && n++ == 0)
			oldest = end;
	if (n < most)
		return end;
	if (end == &(*oldest)->next)
		end = oldest;
	node_remove(oldest);
	stats_count(STAT_holds_lost);
	return end;
}

/* Remove what matches; NULL matches everything. */
static unsigned remove_if(struct node **place, bool (*matches)(const struct hold *, uint64_t), uint64_t what)
{
	unsigned n = 0;
	while (*place) {
		if (matches && !matches(&(*place)->hold, what)) {
			place = &(*place)->next;
		} else {
			node_remove(place);
			n++;
		}
	}
	return n;
}

static unsigned remove_all_if(bool (*matches)(const struct hold *, uint64_t), uint64_t what)
{
	unsigned n = 0;
	for (size_t i = 0; i < BUCKETS && n_holds; i++)
		n += remove_if(&buckets[i], matches, what);
	return n;
}

static bool has_thread_and_tag(const struct hold *hold, uint64_t tag)
{
	return hold->key >> 48 && (hold->key & TAG_MASK) == tag;
}

/* Of permits that other threads gave back; whoever took them may have ended. */
static void forget_left_behind(void)
{
	stats_add(STAT_holds_lost, remove_all_if(has_thread_and_tag, HOLD_OF_SEMAPHORE));
}

int holds_begin(const struct hold *hold, unsigned most)
{
	int error = OK;
	mutex_lock(&holds_lock);
	if (n_holds == HOLDS_MAX && n_by_thread[HOLD_OF_SEMAPHORE])	/* not in vain, for each */
		forget_left_behind();
	struct node *node = n_holds < HOLDS_MAX ? node_new() : NULL;
	if (node) {
		struct node **end = end_of_chain(hold->key, most);
		*node = (struct node){.hold = *hold};
		*end = node;
		filter_add(hold->key, 1);
		count_by_thread(hold->key, 1);
		if (n_holds++ == 0 && on_change)
			on_change(true);
	} else {
		error = n_holds < HOLDS_MAX ? ERR_NOMEM : ERR_LIMIT;
	}
	mutex_unlock(&holds_lock);
	return error;
}

/* The oldest hold of the key by the thread (0: by any). */
static struct node **find(uintptr_t key, uint64_t thread)
{
	for (struct node **place = bucket_of(key); *place; place = &(*place)->next)
		if ((*place)->hold.key == key && (!thread || (*place)->hold.thread == thread))
			return place;
	return NULL;
}

bool holds_end(uintptr_t key, uint64_t thread, bool any_thread, struct hold *hold)
{
	mutex_lock(&holds_lock);
	struct node **place = find(key, thread);
	if (!place && any_thread)
		place = find(key, 0);
	if (place) {
		*hold = (*place)->hold;
		node_remove(place);
	}
	mutex_unlock(&holds_lock);
	return place;
}

static bool is_of_lock(const struct hold *hold, uint64_t lock)
{
	return (hold->key & address_mask) == lock;
}

static bool is_of_another_thread(const struct hold *hold, uint64_t thread)
{
	return hold->thread != thread;
}

static unsigned tags_of(uintptr_t untagged)
{
	unsigned tags = 0;
	for (const struct node *node = *bucket_of(untagged); node; node = node->next)
		if ((node->hold.key & ~(uintptr_t)TAG_MASK) == untagged)
			tags |= 1u << (node->hold.key & TAG_MASK);
	return tags;
}

unsigned holds_tags(const void *lock, uint64_t thread)
{
	mutex_lock(&holds_lock);
	unsigned tags = tags_of(hold_key(lock, HOLD_OF_LOCK, 0));
	if (thread)
		tags |= tags_of(hold_key(lock, HOLD_OF_LOCK, thread));
	mutex_unlock(&holds_lock);
	return tags;
}

unsigned holds_drop(const void *lock)
{
	mutex_lock(&holds_lock);
	bool are_elsewhere = n_by_thread[HOLD_OF_SEMAPHORE] || n_by_thread[SEMAPHORE_BEING_ACQUIRED];
	unsigned n = are_elsewhere ? remove_all_if(is_of_lock, (uintptr_t)lock)
				   : remove_if(bucket_of((uintptr_t)lock), is_of_lock, (uintptr_t)lock);
	mutex_unlock(&holds_lock);
	return n;
}

void holds_clear(void)
{
	mutex_lock(&holds_lock);
	remove_all_if(NULL, 0);
	mutex_unlock(&holds_lock);
}

unsigned holds_count(void)
{
	return __atomic_load_n(&n_holds, __ATOMIC_RELAXED);
}

void holds_prefork(void)
{
	mutex_lock(&holds_lock);
}

void holds_postfork_parent(void)
{
	mutex_unlock(&holds_lock);
}

SNECK_FORK_CODE void holds_postfork_child(void)
{
	mutex_postfork_child(&holds_lock);
	remove_all_if(is_of_another_thread, thread_hot.self ? thread_hot.self->serial : 0);	/* most forks find none */
}
