/*
 * lock_class.c - the classes, by id and by text.
 *
 * Locking: classes_lock (LOCK_RANK_CLASSES) guards making a class, and the counts but those
 *          since the last lock_class_take(): these are atomic, each on its own.  Ids
 *          and labels are read without it: published once, then constant.
 * Fork:    the child keeps the classes and starts from counts of zero: made so when it first counts or
 *          is asked, as there may be hundreds of pages of them, and most children exec.
 */
#include <config.h>

#include "collector/lock_class.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/fork.h"
#include "runtime/hot.h"
#include "runtime/mutex.h"
#include "runtime/stats.h"

enum {
	INDEX_SIZE = 2 * LOCK_CLASSES_MAX,
	KINDS_MAX = 64,
};

static struct mutex classes_lock SNECK_AT_FORK = MUTEX_INITIALIZER(LOCK_RANK_CLASSES);
struct lock_class *lock_classes[LOCK_CLASSES_MAX];
static uint32_t class_index[INDEX_SIZE];	/* id, or 0 */
static uint32_t last_id;
static bool are_inherited SNECK_HOT;	/* the counts are still the parent's */

static const char *const kind_names[LOCK_KINDS] = {
	[LOCK_KIND_LOCK] = "threading.Lock",
	[LOCK_KIND_RLOCK] = "threading.RLock",
};

const char *lock_kind_name(enum lock_kind kind)
{
	return kind_names[kind];
}

static void set_add(struct label_set *set, enum label_key key, const char *text)
{
	if (*text)
		set->labels[set->n++] = (struct label){.key = key, .string = text};
}

static void make_labels(struct lock_class *c)
{
	static const char *const outcomes[LOCK_EVENTS] = {
		[LOCK_EVENT_TIMEOUT] = "timeout",
		[LOCK_EVENT_WOULD_BLOCK] = "would-block",
		[LOCK_EVENT_INTERRUPTED] = "interrupted",
	};
	for (size_t i = 0; i < LOCK_EVENTS; i++) {
		set_add(&c->labels[i], LABEL_LOCK_NAME, c->key.name);
		set_add(&c->labels[i], LABEL_LOCK_KIND, c->key.kind);
		set_add(&c->labels[i], LABEL_LOCK_OWNER, c->key.owner);
		set_add(&c->labels[i], LABEL_OUTCOME, outcomes[i] ? outcomes[i] : "");
	}
	set_add(&c->labels[LOCK_EVENT_REENTRY], LABEL_REENTRY, "true");
}

static bool (*excludes)(const char *module);

static struct lock_class *class_new(const struct lock_class_key *key)
{
	struct lock_class *c = calloc(1, sizeof(*c));
	char *name = strdup(key->name), *owner = strdup(key->owner), *module = strdup(key->module);
	if (!c || !name || !owner || !module) {
		free(module);
		free(owner);
		free(name);
		free(c);
		return NULL;
	}
	c->key = (struct lock_class_key){key->kind, name, owner, module, key->is_unnamed};
	c->is_excluded = excludes && excludes(module);
	make_labels(c);
	return c;
}

static uint32_t key_hash(const struct lock_class_key *key)
{
	const char *const texts[] = {key->kind, key->name, key->owner, key->module};
	uint32_t hash = 2166136261u;	/* FNV-1a */
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		for (const char *s = texts[i]; *s; s++)
			hash = (hash ^ (unsigned char)*s) * 16777619u;
	return hash;
}

static bool is_same(const struct lock_class_key *a, const struct lock_class_key *b)
{
	return !strcmp(a->kind, b->kind) && !strcmp(a->name, b->name) && !strcmp(a->owner, b->owner) &&
	       !strcmp(a->module, b->module) && a->is_unnamed == b->is_unnamed;
}

static struct lock_class *intern(const struct lock_class_key *key)
{
	uint32_t *place = NULL;
	for (uint32_t i = key_hash(key);; i++) {
		place = &class_index[i % INDEX_SIZE];
		if (!*place)
			break;
		if (is_same(&lock_classes[*place]->key, key))
			return lock_classes[*place];
	}
	struct lock_class *c = class_new(key);
	if (!c)
		return NULL;
	c->id = last_id + 1;
	__atomic_store_n(&lock_classes[c->id], c, __ATOMIC_RELEASE);
	__atomic_store_n(&last_id, c->id, __ATOMIC_RELEASE);
	*place = c->id;
	return c;
}

struct lock_class *lock_class_intern(const struct lock_class_key *key)
{
	const struct lock_class_key rest = {key->kind, "<too many lock names>", "", "", false};
	mutex_lock(&classes_lock);
	/* the last places are for the classes of all that comes later, one a kind */
	bool is_full = last_id >= LOCK_CLASSES_MAX - 1 - KINDS_MAX;
	struct lock_class *c = intern(is_full ? &rest : key);
	mutex_unlock(&classes_lock);
	return c;
}

uint32_t lock_class_last(void)
{
	return __atomic_load_n(&last_id, __ATOMIC_ACQUIRE);
}

void lock_class_exclude(bool (*is_excluded)(const char *module))
{
	mutex_lock(&classes_lock);
	excludes = is_excluded;
	for (uint32_t id = 1; id <= last_id; id++)
		lock_classes[id]->is_excluded = excludes(lock_classes[id]->key.module);
	mutex_unlock(&classes_lock);
}

struct lock_history {
	struct lock_counts now;		/* since the last lock_class_take() */
	struct lock_sums before;
};

static struct lock_history *history_of(const struct lock_class *c)
{
	return __atomic_load_n(&c->history, __ATOMIC_ACQUIRE);
}

/* Nobody has counted yet in this process: no need to take each count by itself.  Lock held. */
static void forget_inherited(void)
{
	if (!are_inherited)
		return;
	for (uint32_t id = 1; id <= last_id; id++)
		if (lock_classes[id]->history)
			memset(lock_classes[id]->history, 0, sizeof(struct lock_history));
	__atomic_store_n(&are_inherited, false, __ATOMIC_RELEASE);
}

static __attribute__((noinline, cold)) void begin_child(void)
{
	mutex_lock(&classes_lock);
	forget_inherited();
	mutex_unlock(&classes_lock);
}

/* Most classes are never contended: their counts are made when there is something to count. */
SNECK_HOT_CODE struct lock_counts *lock_class_counts(struct lock_class *c)
{
	if (__builtin_expect(__atomic_load_n(&are_inherited, __ATOMIC_ACQUIRE), 0))
		begin_child();
	struct lock_history *none = NULL, *history = history_of(c);
	if (history)
		return &history->now;
	history = calloc(1, sizeof(*history));
	if (!history)
		return NULL;
	if (__atomic_compare_exchange_n(&c->history, &none, history, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return &history->now;
	free(history);
	return &none->now;
}

/* Of every wait there is, while its thread holds the lock: two additions. */
SNECK_HOT_CODE void lock_counts_add_wait(struct lock_counts *counts, int64_t wait_ns, bool is_acquire)
{
	uint64_t ns = wait_ns > 0 ? (uint64_t)wait_ns : 0, max_ns = __atomic_load_n(&counts->wait_max_ns, __ATOMIC_RELAXED);
	__atomic_fetch_add(&counts->wait_ns, ns, __ATOMIC_RELAXED);
	__atomic_fetch_add(&counts->wait_histogram[histogram_bucket(wait_ns)], 1, __ATOMIC_RELAXED);
	if (!is_acquire)
		__atomic_fetch_add(&counts->no_acquires, 1, __ATOMIC_RELAXED);
	while (ns > max_ns && !__atomic_compare_exchange_n(&counts->wait_max_ns, &max_ns, ns, true, __ATOMIC_RELAXED,
							   __ATOMIC_RELAXED))
		;
}

static void estimate_add(double *sum, double more)
{
	double seen, added;
	__atomic_load(sum, &seen, __ATOMIC_RELAXED);
	do
		added = seen + more;
	while (!__atomic_compare_exchange(sum, &seen, &added, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

void lock_class_count_acquires(struct lock_class *c, double n)
{
	struct lock_counts *counts = lock_class_counts(c);
	if (counts)
		estimate_add(&counts->acquires, n);
}

void lock_class_count_hold(struct lock_class *c, double hold_ns)
{
	struct lock_counts *counts = lock_class_counts(c);
	if (counts)
		estimate_add(&counts->hold_ns, hold_ns);
}

static void sums_add(struct lock_sums *sums, const struct lock_sums *more)
{
	sums->acquires += more->acquires;
	sums->hold_ns += more->hold_ns;
	sums->contended += more->contended;
	sums->wait_ns += more->wait_ns;
	if (more->wait_max_ns > sums->wait_max_ns)
		sums->wait_max_ns = more->wait_max_ns;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		sums->wait_histogram[i] += more->wait_histogram[i];
}

/* Each count as it is now; with `take` it begins from zero again, and none is lost. */
static uint64_t count_now(uint64_t *count, bool take)
{
	return take ? __atomic_exchange_n(count, 0, __ATOMIC_RELAXED) : __atomic_load_n(count, __ATOMIC_RELAXED);
}

static uint32_t bucket_now(uint32_t *bucket, bool take)
{
	return take ? __atomic_exchange_n(bucket, 0, __ATOMIC_RELAXED) : __atomic_load_n(bucket, __ATOMIC_RELAXED);
}

static double estimate_now(double *estimate, bool take)
{
	double now, none = 0;
	if (take)
		__atomic_exchange(estimate, &none, &now, __ATOMIC_RELAXED);
	else
		__atomic_load(estimate, &now, __ATOMIC_RELAXED);
	return now;
}

static void sum_up(struct lock_counts *counts, bool take, struct lock_sums *sums)
{
	*sums = (struct lock_sums){
		.acquires = estimate_now(&counts->acquires, take), .hold_ns = estimate_now(&counts->hold_ns, take),
		.wait_ns = count_now(&counts->wait_ns, take), .wait_max_ns = count_now(&counts->wait_max_ns, take),
	};
	uint64_t no_acquires = count_now(&counts->no_acquires, take);
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		sums->contended += sums->wait_histogram[i] = bucket_now(&counts->wait_histogram[i], take);
	sums->acquires += (double)sums->contended - (double)no_acquires;
}

bool lock_class_take(struct lock_class *c, struct lock_sums *sums)
{
	struct lock_history *history = history_of(c);
	*sums = (struct lock_sums){0};
	mutex_lock(&classes_lock);
	forget_inherited();
	if (history) {
		sum_up(&history->now, true, sums);
		sums_add(&history->before, sums);
	}
	mutex_unlock(&classes_lock);
	return sums->contended || sums->acquires > 0 || sums->hold_ns > 0;
}

void lock_class_read(struct lock_class *c, struct lock_sums *sums)
{
	struct lock_history *history = history_of(c);
	*sums = (struct lock_sums){0};
	mutex_lock(&classes_lock);
	forget_inherited();
	if (history) {
		sum_up(&history->now, false, sums);
		sums_add(sums, &history->before);
	}
	mutex_unlock(&classes_lock);
}

uint64_t lock_class_contended(void)
{
	uint64_t sum = 0;
	struct lock_sums sums;
	for (uint32_t id = 1, last = lock_class_last(); id <= last; id++) {
		lock_class_read(lock_class_of(id), &sums);
		sum += sums.contended;
	}
	return sum;
}

void lock_class_reset_counts(void)
{
	mutex_lock(&classes_lock);
	forget_inherited();
	struct lock_sums forgotten;
	for (uint32_t id = 1; id <= last_id; id++) {
		struct lock_history *history = history_of(lock_classes[id]);
		if (!history)
			continue;
		sum_up(&history->now, true, &forgotten);
		stats_add(STAT_contended, forgotten.contended + history->before.contended);
		history->before = (struct lock_sums){0};
	}
	mutex_unlock(&classes_lock);
}

void lock_class_prefork(void)
{
	mutex_lock(&classes_lock);
}

void lock_class_postfork_parent(void)
{
	mutex_unlock(&classes_lock);
}

SNECK_FORK_CODE void lock_class_postfork_child(void)
{
	mutex_postfork_child(&classes_lock);
	are_inherited = true;
}
