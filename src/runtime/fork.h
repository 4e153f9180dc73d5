/*
 * fork.h - the one conductor of a fork.
 *
 * Each module with locks, threads or per-process state brings three functions; one table,
 * in lock order, is handed over once; pthread_atfork walks it: prepare downwards, parent
 * and child upwards.
 *
 * prefork: bounded; takes the module's short locks; waits for no network, no thread, no GIL.
 * postfork_parent: unlocks.  postfork_child: re-initialises; starts no thread, calls no
 * Python, allocates nothing.
 */
#ifndef SNECK_RUNTIME_FORK_H
#define SNECK_RUNTIME_FORK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * For variables that every forked child writes, locks first of all, and small ones: a page that is
 * written to is copied, so they stand together and not on a page of each module's.
 */
#define SNECK_AT_FORK __attribute__((section("sneck_at_fork")))

/* And for the functions that every forked child runs: a page of code that it meets first costs it a fault. */
#define SNECK_FORK_CODE __attribute__((cold))

struct fork_module {
	const char *name;
	void (*prefork)(void);		/* each may be NULL */
	void (*postfork_parent)(void);
	void (*postfork_child)(void);
};

/* Keeps the table.  OK, or ERR_NOMEM.  After an OK another call changes nothing. */
int fork_init(const struct fork_module *modules, size_t n);

/* pthread_atfork, for tests to replace. */
extern int (*fork_register)(void (*prepare)(void), void (*parent)(void), void (*child)(void));

/*
 * Who brings a child's threads back, once it has something to report, however it was forked (a
 * server that forks in C may tell Python nothing).  Kept; called in the child at its first
 * sample, once, without a lock of ours.
 */
void fork_on_first_sample(void (*resume)(void));

/* At each sample: calls it, if this is the first one since a fork. */
static inline void fork_sampled(void);

/* How many forks lie between the first process and this one. */
unsigned fork_generation(void);

/* Implementation. */
extern _Atomic bool fork_is_new __attribute__((visibility("hidden")));
void fork_resume(void);

static inline void fork_sampled(void)
{
	if (__builtin_expect(atomic_load_explicit(&fork_is_new, memory_order_relaxed), 0))
		fork_resume();
}

#endif
