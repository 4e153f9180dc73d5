/*
 * fork.c - walks the table of fork.h around each fork.
 */
#include <config.h>

#include "runtime/fork.h"

#include <pthread.h>

#include "runtime/error.h"
#include "runtime/hot.h"

int (*fork_register)(void (*)(void), void (*)(void), void (*)(void)) = pthread_atfork;

static const struct fork_module *modules;	/* NULL: not registered */
static size_t n_modules;
static unsigned generation SNECK_AT_FORK;
static void (*resume)(void);
_Atomic bool fork_is_new SNECK_HOT;

static void prepare(void)
{
	for (size_t i = 0; i < n_modules; i++)
		if (modules[i].prefork)
			modules[i].prefork();
}

static void parent(void)
{
	for (size_t i = n_modules; i-- > 0;)
		if (modules[i].postfork_parent)
			modules[i].postfork_parent();
}

static SNECK_FORK_CODE void child(void)
{
	generation++;
	fork_is_new = true;
	for (size_t i = n_modules; i-- > 0;)
		if (modules[i].postfork_child)
			modules[i].postfork_child();
}

int fork_init(const struct fork_module *table, size_t n)
{
	if (modules)
		return OK;
	if (fork_register(prepare, parent, child))
		return ERR_NOMEM;
	modules = table;
	n_modules = n;
	return OK;
}

void fork_on_first_sample(void (*given)(void))
{
	resume = given;
}

void fork_resume(void)
{
	if (atomic_exchange(&fork_is_new, false) && resume)
		resume();
}

unsigned fork_generation(void)
{
	return generation;
}
