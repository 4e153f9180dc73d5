/*
 * fork.c - walks the table of fork.h around each fork.
 */
#include <config.h>

#include "runtime/fork.h"

#include <pthread.h>

#include "runtime/error.h"

static const struct fork_module *modules;
static size_t n_modules;
static unsigned generation;

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

static void child(void)
{
	generation++;
	for (size_t i = n_modules; i-- > 0;)
		if (modules[i].postfork_child)
			modules[i].postfork_child();
}

int fork_init(const struct fork_module *table, size_t n)
{
	if (modules)
		return OK;
	modules = table;
	n_modules = n;
	return pthread_atfork(prepare, parent, child) ? ERR_NOMEM : OK;
}

unsigned fork_generation(void)
{
	return generation;
}
