/*
 * test_fork.c - the conductor: order, both sides, generations, and mutexes across a fork.
 */
#include <config.h>

#include "runtime/fork.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/error.h"
#include "runtime/mutex.h"
#include "unit.h"

static char order[64];
static struct mutex lock = MUTEX_INITIALIZER(LOCK_RANK_THREADS);

static void note(const char *step)
{
	strncat(order, step, sizeof(order) - strlen(order) - 1);
}

static void first_prefork(void) { note("1p"); mutex_lock(&lock); }
static void first_parent(void) { mutex_unlock(&lock); note("1P"); }
static void first_child(void) { mutex_postfork_child(&lock); note("1C"); }
static void second_prefork(void) { note("2p"); }
static void second_child(void) { note("2C"); }

static const struct fork_module modules[] = {
	{"first", first_prefork, first_parent, first_child},
	{"second", second_prefork, NULL, second_child},
};

static int status_of(pid_t child)
{
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return status;
}

static int refuse(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
	(void)prepare, (void)parent, (void)child;
	return ENOMEM;
}

START_TEST(a_failed_start_is_tried_again)
{
	int (*real)(void (*)(void), void (*)(void), void (*)(void)) = fork_register;
	fork_register = refuse;
	ck_assert_int_eq(fork_init(modules, 2), ERR_NOMEM);
	ck_assert_int_eq(fork_init(modules, 2), ERR_NOMEM);
	fork_register = real;
	ck_assert_int_eq(fork_init(modules, 2), OK);
	pid_t child = fork();
	if (!child)
		_exit(fork_generation() != 1);
	ck_assert_int_eq(status_of(child), 0);
}
END_TEST

START_TEST(prepare_goes_down_the_table_and_both_sides_come_up)
{
	ck_assert_int_eq(fork_init(modules, 2), OK);
	ck_assert_int_eq(fork_init(modules, 1), OK);	/* a second call changes nothing */
	ck_assert_uint_eq(fork_generation(), 0);
	pid_t child = fork();
	if (!child) {
		mutex_lock(&lock);			/* free again, though the parent held it */
		mutex_unlock(&lock);
		pid_t grandchild = fork();
		if (!grandchild)
			_exit(fork_generation() != 2);
		_exit(!(fork_generation() == 1 && !strcmp(order, "1p2p2C1C1p2p1P") && !status_of(grandchild)));
	}
	ck_assert_str_eq(order, "1p2p1P");
	ck_assert_uint_eq(fork_generation(), 0);
	ck_assert_int_eq(status_of(child), 0);
	mutex_lock(&lock);
	mutex_unlock(&lock);
}
END_TEST

static int resumed;

static void resume(void)
{
	resumed++;
}

START_TEST(the_first_sample_of_a_child_resumes_it_once)
{
	ck_assert_int_eq(fork_init(modules, 2), OK);
	fork_on_first_sample(resume);
	fork_sampled();
	ck_assert_int_eq(resumed, 0);
	pid_t child = fork();
	if (!child) {
		int before = resumed;
		fork_sampled();
		fork_sampled();
		pid_t grandchild = fork();
		if (!grandchild) {
			fork_sampled();
			_exit(resumed != 2);
		}
		_exit(!(before == 0 && resumed == 1 && !status_of(grandchild)));
	}
	fork_sampled();
	ck_assert_int_eq(resumed, 0);
	ck_assert_int_eq(status_of(child), 0);
}
END_TEST

UNIT_TESTS("fork", a_failed_start_is_tried_again, prepare_goes_down_the_table_and_both_sides_come_up,
	   the_first_sample_of_a_child_resumes_it_once)
