/*
 * threads.c - a list of the threads that have taken a sample.
 *
 * A thread enters at its first sampled operation and leaves when it ends, through a
 * pthread key's destructor: without the GIL, handing over what it still had.  Meanwhile it
 * stands in a list of those that end, and a drain of all waits for them: Python's join() has
 * returned by then, and who stops the profiler next wants those samples too.
 *
 * Locking: threads_lock (LOCK_RANK_THREADS) guards the lists.  A drain of all holds it to take
 *          one thread's samples, never while it hands them over: a fork, a thread that
 *          begins and one that ends do not wait for the profile.
 * Fork:    the child's list is its one thread.  What siblings owned may have been caught in
 *          the middle of a change, so it is neither read nor freed: leaked, on purpose.  So
 *          is what a drain was handing over: the parent goes on with it.
 */
#include <config.h>

#include "runtime/threads.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/clocks.h"
#include "runtime/error.h"
#include "runtime/fork.h"
#include "runtime/stats.h"

_Static_assert(sizeof(struct thread_hot) <= 64, "one line of the processor's cache, and little of what glibc keeps for all");

__thread struct thread_hot thread_hot SNECK_TLS = {.countdown = 1};

static struct mutex threads_lock SNECK_AT_FORK = MUTEX_INITIALIZER(LOCK_RANK_THREADS);
static struct thread *threads SNECK_AT_FORK, *ending SNECK_AT_FORK;
static pthread_cond_t has_ended SNECK_AT_FORK = PTHREAD_COND_INITIALIZER;
static pthread_key_t exit_key;
static sample_consumer consumer;
static unsigned period = 1;
static uint64_t last_drain;	/* of all; each has a number, and each thread that of the last to come by */

static void list_add(struct thread **list, struct thread *thread)
{
	thread->next = *list;
	thread->previous = NULL;
	thread->drain = last_drain;
	if (thread->next)
		thread->next->previous = thread;
	*list = thread;
}

static void list_remove(struct thread **list, struct thread *thread)
{
	*(thread->previous ? &thread->previous->next : list) = thread->next;
	if (thread->next)
		thread->next->previous = thread->previous;
}

/* Who it is, as its samples tell; a copy, for the thread may end. */
struct identity {
	char name[sizeof(((struct thread *)0)->name)];
	struct label_set labels;
};

static void identify(struct thread *thread, struct identity *who)
{
	mutex_lock(&thread->cache.lock);
	memcpy(who->name, thread->name, sizeof(who->name));
	mutex_unlock(&thread->cache.lock);
	who->labels = (struct label_set){
		.n = 3,
		.labels = {
			{.key = LABEL_THREAD_ID, .number = (int64_t)thread->ident},
			{.key = LABEL_THREAD_NATIVE_ID, .number = thread->native_id},
			{.key = LABEL_THREAD_NAME, .string = who->name},
		},
	};
}

void thread_drain(struct thread *thread)
{
	struct identity who;
	identify(thread, &who);
	if (consumer)
		sample_cache_drain(&thread->cache, &who.labels, consumer);
}

int thread_put(struct thread *thread, const struct raw_stack *stack, const struct label_set *labels,
	       frame_resolver resolve, const double values[SAMPLE_TYPES])
{
	int error = sample_cache_put(&thread->cache, stack, labels, resolve, values);
	if (error != ERR_LIMIT)
		return error;
	thread_drain(thread);
	return sample_cache_put(&thread->cache, stack, labels, resolve, values);
}

static void on_thread_exit(void *value)
{
	struct thread *thread = value;
	mutex_lock(&threads_lock);
	list_remove(&threads, thread);
	list_add(&ending, thread);
	mutex_unlock(&threads_lock);
	thread_drain(thread);
	mutex_lock(&threads_lock);
	list_remove(&ending, thread);
	pthread_cond_broadcast(&has_ended);
	mutex_unlock(&threads_lock);
	free(thread_hot.sites);
	thread_hot = (struct thread_hot){.countdown = 1};
	sample_cache_fini(&thread->cache);
	free(thread);
}

int threads_init(void)
{
	static bool is_made;
	if (!is_made && pthread_key_create(&exit_key, on_thread_exit))
		return ERR_NOMEM;
	is_made = true;
	return OK;
}

void threads_set_consumer(sample_consumer consume)
{
	consumer = consume;
}

static void seed(struct thread *thread)
{
	rng_seed(&thread->hot->rng, (uint64_t)clock_now_ns() ^ thread->ident << 16 ^ (uint64_t)thread->native_id << 40);
}

static struct thread *thread_new(void)
{
	struct thread *thread = calloc(1, sizeof(*thread));
	if (!thread)
		return NULL;
	sample_cache_init(&thread->cache);
	thread->hot = &thread_hot;
	thread->ident = (uintptr_t)pthread_self();
	thread->native_id = syscall(SYS_gettid);
	thread->thinning = 1;
	seed(thread);
	if (pthread_setspecific(exit_key, thread)) {
		free(thread);
		return NULL;
	}
	return thread;
}

/* With threads_lock, which it gives back. */
static struct thread *enter(void)
{
	static uint64_t last_serial;
	struct thread *thread = thread_new();
	if (thread) {
		thread->serial = ++last_serial;
		list_add(&threads, thread);
		thread_hot.self = thread;
		thread_hot.ident = thread->ident;
	}
	mutex_unlock(&threads_lock);
	return thread;
}

/*
 * Who has the list is done in microseconds, unless the system sets him aside for a while.  A program's
 * operation never waits for ever, whatever somebody does between a fork's handlers.
 */
struct thread *thread_enter(void)
{
	const int64_t patience_ns = 100000000;
	struct thread *thread = mutex_lock_within(&threads_lock, patience_ns) ? enter() : NULL;
	if (!thread)
		stats_count(STAT_threads_unlisted);
	return thread;
}

struct thread *thread_self_wait(void)
{
	if (thread_hot.self)
		return thread_hot.self;
	mutex_lock(&threads_lock);
	return enter();
}

/* A thread that this drain has not yet come by, with its samples in *tables.  NULL: no more. */
static struct thread *take_samples(uint64_t drain, struct identity *who, struct sample_tables **tables)
{
	mutex_lock(&threads_lock);
	struct thread *thread = threads;
	while (thread && thread->drain >= drain)
		thread = thread->next;
	if (thread) {
		thread->drain = drain;
		identify(thread, who);
		*tables = sample_cache_detach(&thread->cache);
	}
	mutex_unlock(&threads_lock);
	return thread;
}

/* The thread may have ended, and another may have its address: that one can use the tables as well. */
static void give_back(const struct thread *to, struct sample_tables *tables)
{
	mutex_lock(&threads_lock);
	struct thread *thread = threads;
	while (thread && thread != to)
		thread = thread->next;
	if (thread)
		sample_cache_give_back(&thread->cache, tables);
	mutex_unlock(&threads_lock);
	if (!thread)
		sample_tables_free(tables);
}

static uint64_t begin_drain(void)
{
	mutex_lock(&threads_lock);
	uint64_t drain = ++last_drain;
	period++;
	mutex_unlock(&threads_lock);
	return drain;
}

static bool any_ends_since_before(uint64_t drain)
{
	const struct thread *thread = ending;
	while (thread && thread->drain >= drain)
		thread = thread->next;
	return thread;
}

/* Not for those that begin to end later: where threads come and go, there are always some. */
static void wait_for_ending(uint64_t drain)
{
	mutex_lock(&threads_lock);
	while (any_ends_since_before(drain))
		pthread_cond_wait(&has_ended, &threads_lock.pthread);
	mutex_unlock(&threads_lock);
}

void threads_drain(void)
{
	uint64_t drain = begin_drain();
	struct sample_tables *tables;
	struct identity who;
	for (struct thread *thread; consumer && (thread = take_samples(drain, &who, &tables));) {
		if (!tables)
			continue;
		sample_tables_hand_over(tables, &who.labels, consumer);
		give_back(thread, tables);
	}
	wait_for_ending(drain);
}

unsigned threads_period(void)
{
	return __atomic_load_n(&period, __ATOMIC_RELAXED);
}

void threads_reset_countdowns(void)
{
	mutex_lock(&threads_lock);
	for (struct thread *thread = threads; thread; thread = thread->next)
		__atomic_store_n(&thread->hot->countdown, 1, __ATOMIC_RELAXED);
	mutex_unlock(&threads_lock);
}

size_t threads_count(void)
{
	size_t n = 0;
	mutex_lock(&threads_lock);
	for (struct thread *thread = threads; thread; thread = thread->next)
		n++;
	mutex_unlock(&threads_lock);
	return n;
}

/* Its own numbers, so that a server's children do not all sample the same operations; a name looked up again. */
static void become_another(struct thread *thread)
{
	thread->native_id = syscall(SYS_gettid);
	thread->hot->rng.state ^= (uint64_t)thread->native_id << 40;
	thread->hot->sampling_generation = 0;
	thread->hot->countdown = 1;
	thread->name_period = thread->name_misses = 0;
}

void threads_prefork(void)
{
	mutex_lock(&threads_lock);
}

void threads_postfork_parent(void)
{
	mutex_unlock(&threads_lock);
}

SNECK_FORK_CODE void threads_postfork_child(void)
{
	mutex_postfork_child(&threads_lock);
	threads = ending = NULL;
	pthread_cond_init(&has_ended, NULL);	/* its waiters are the parent's */
	struct thread *self = thread_hot.self;
	if (!self)
		return;
	become_another(self);
	sample_cache_postfork_child(&self->cache);
	list_add(&threads, self);
}
