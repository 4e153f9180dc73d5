/*
 * threads.c - a list of the threads that have taken a sample.
 *
 * A thread enters at its first sampled operation and leaves when it ends, through a
 * pthread key's destructor: without the GIL, handing over what it still had.
 *
 * Locking: threads_lock (LOCK_RANK_THREADS) guards the list.  It is held while a thread is
 *          drained, so that none ends meanwhile.
 * Fork:    the child's list is its one thread.  What siblings owned may have been caught in
 *          the middle of a change, so it is neither read nor freed: leaked, on purpose.
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

__thread struct thread_hot thread_hot SNECK_TLS = {.countdown = 1};
static __thread struct thread *self SNECK_TLS;

static struct mutex threads_lock = MUTEX_INITIALIZER(LOCK_RANK_THREADS);
static struct thread *threads;
static pthread_key_t exit_key;
static sample_consumer consumer;
static unsigned period = 1;

static void list_add(struct thread *thread)
{
	thread->next = threads;
	thread->previous = NULL;
	if (threads)
		threads->previous = thread;
	threads = thread;
}

static void list_remove(struct thread *thread)
{
	*(thread->previous ? &thread->previous->next : &threads) = thread->next;
	if (thread->next)
		thread->next->previous = thread->previous;
}

void thread_drain(struct thread *thread)
{
	char name[sizeof(thread->name)];
	mutex_lock(&thread->cache.lock);
	memcpy(name, thread->name, sizeof(name));
	mutex_unlock(&thread->cache.lock);
	const struct label_set who = {
		.n = 3,
		.labels = {
			{.key = LABEL_THREAD_ID, .number = (int64_t)thread->ident},
			{.key = LABEL_THREAD_NATIVE_ID, .number = thread->native_id},
			{.key = LABEL_THREAD_NAME, .string = name},
		},
	};
	if (consumer)
		sample_cache_drain(&thread->cache, &who, consumer);
}

static void on_thread_exit(void *value)
{
	struct thread *thread = value;
	thread_drain(thread);
	mutex_lock(&threads_lock);
	list_remove(thread);
	mutex_unlock(&threads_lock);
	self = NULL;
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
	rng_seed(&thread->rng, (uint64_t)clock_now_ns() ^ thread->ident << 16 ^ (uint64_t)thread->native_id << 40);
	if (pthread_setspecific(exit_key, thread)) {
		free(thread);
		return NULL;
	}
	return thread;
}

struct thread *thread_self(void)
{
	if (self)
		return self;
	/* the caller has the GIL and must not wait for a drain of all threads */
	if (!mutex_trylock(&threads_lock))
		return NULL;
	struct thread *thread = thread_new();
	if (!thread) {
		mutex_unlock(&threads_lock);
		return NULL;
	}
	list_add(thread);
	mutex_unlock(&threads_lock);
	thread_hot.ident = thread->ident;
	return self = thread;
}

void threads_drain(void)
{
	mutex_lock(&threads_lock);
	for (struct thread *thread = threads; thread; thread = thread->next)
		thread_drain(thread);
	period++;
	mutex_unlock(&threads_lock);
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

void threads_prefork(void)
{
	mutex_lock(&threads_lock);
}

void threads_postfork_parent(void)
{
	mutex_unlock(&threads_lock);
}

void threads_postfork_child(void)
{
	mutex_postfork_child(&threads_lock);
	threads = NULL;
	if (!self)
		return;
	self->native_id = syscall(SYS_gettid);
	sample_cache_postfork_child(&self->cache);
	list_add(self);
}
