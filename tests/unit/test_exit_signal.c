/*
 * test_exit_signal.c - only where the default action stood, and back to it.
 */
#include <config.h>

#include "upload/exit_signal.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/clocks.h"
#include "runtime/error.h"
#include "unit.h"

static _Atomic int asked;

static bool take_it(int signo)
{
	asked = signo;
	return true;
}

static bool refuse_it(int signo)
{
	asked = signo;
	return false;
}

static void of_the_program(int signo)
{
	asked = -signo;
}

/* libcheck has a handler of its own for SIGTERM. */
static int install_anew(bool (*wake)(int signo))
{
	signal(SIGTERM, SIG_DFL);
	return exit_signal_install(SIGTERM, wake);
}

static bool is_default(int signo)
{
	struct sigaction found;
	sigaction(signo, NULL, &found);
	return found.sa_handler == SIG_DFL;
}

static int end_of(void (*child)(void))
{
	pid_t pid = fork();
	if (pid == 0) {
		child();
		_exit(0);
	}
	int status;
	waitpid(pid, &status, 0);
	return status;
}

START_TEST(exit_signal_installs_over_the_default_alone)
{
	signal(SIGTERM, of_the_program);
	ck_assert_int_eq(exit_signal_install(SIGTERM, take_it), ERR_STATE);
	raise(SIGTERM);
	ck_assert_int_eq(asked, -SIGTERM);
	signal(SIGTERM, SIG_IGN);
	ck_assert_int_eq(exit_signal_install(SIGTERM, take_it), ERR_STATE);
	ck_assert_int_eq(exit_signal_install(SIGKILL, take_it), ERR_INVALID);
	ck_assert_int_eq(exit_signal_install(12345, take_it), ERR_INVALID);
	signal(SIGTERM, SIG_DFL);
	ck_assert_int_eq(exit_signal_install(SIGTERM, take_it), OK);
	ck_assert_int_eq(exit_signal_install(SIGTERM, take_it), ERR_STATE);
	struct sigaction found;
	sigaction(SIGTERM, NULL, &found);
	ck_assert_int_eq(found.sa_flags & (SA_RESTART | SA_ONSTACK), SA_RESTART | SA_ONSTACK);
	exit_signal_uninstall();
	ck_assert(is_default(SIGTERM));
	exit_signal_uninstall();
}
END_TEST

START_TEST(exit_signal_uninstall_leaves_the_programs_handler)
{
	ck_assert_int_eq(install_anew(take_it), OK);
	signal(SIGTERM, of_the_program);
	exit_signal_uninstall();
	raise(SIGTERM);
	ck_assert_int_eq(asked, -SIGTERM);
}
END_TEST

START_TEST(exit_signal_renews_where_the_default_action_is_back)
{
	ck_assert_int_eq(install_anew(take_it), OK);
	signal(SIGTERM, of_the_program);
	exit_signal_renew();
	raise(SIGTERM);
	ck_assert_int_eq(asked, -SIGTERM);
	signal(SIGTERM, SIG_DFL);
	exit_signal_renew();
	raise(SIGTERM);
	ck_assert_int_eq(asked, SIGTERM);
	signal(SIGTERM, SIG_DFL);
	exit_signal_renew();		/* pending: what is there ends the process */
	ck_assert(is_default(SIGTERM));
	exit_signal_uninstall();
	exit_signal_postfork_child();
	exit_signal_renew();
	ck_assert(is_default(SIGTERM));

	signal(SIGTERM, of_the_program);
	ck_assert_int_eq(exit_signal_install(SIGTERM, take_it), ERR_STATE);
	signal(SIGTERM, SIG_DFL);
	exit_signal_renew();
	ck_assert(!is_default(SIGTERM));
	exit_signal_uninstall();
	ck_assert(is_default(SIGTERM));
}
END_TEST

START_TEST(exit_signal_sent_returns_at_once_where_nothing_is_to_end)
{
	int64_t before = clock_now_ns();
	exit_signal_sent(SIGTERM);
	ck_assert_int_eq(install_anew(take_it), OK);
	exit_signal_sent(0);
	exit_signal_sent(SIGHUP);
	signal(SIGTERM, of_the_program);
	exit_signal_sent(SIGTERM);
	ck_assert_int_lt(clock_now_ns() - before, 90000000);
	exit_signal_uninstall();
}
END_TEST

static void *end_soon(void *unused)
{
	(void)unused;
	usleep(30000);
	exit_signal_reraise(SIGTERM);
	return NULL;
}

static void die_behind_sent(void)
{
	pthread_t thread;
	install_anew(take_it);
	pthread_create(&thread, NULL, end_soon, NULL);
	raise(SIGTERM);
	exit_signal_sent(SIGTERM);
	_exit(1);
}

static void die_by_handler(void)
{
	install_anew(refuse_it);
	raise(SIGTERM);
}

static void die_by_reraise(void)
{
	install_anew(take_it);
	raise(SIGTERM);
	if (asked != SIGTERM)
		_exit(1);
	raise(SIGTERM);		/* one more changes nothing */
	exit_signal_reraise(SIGTERM);
}

static void die_by_timer(void)
{
	exit_signal_bound_ms = 200;
	install_anew(take_it);
	raise(SIGTERM);
	usleep(20000);		/* may be cut by no timer of ours yet */
	for (;;)
		pause();
}

static void die_of_another(void)
{
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	exit_signal_install(SIGHUP, take_it);
	raise(SIGTERM);
}

START_TEST(exit_signal_keeps_the_exit_status)
{
	int64_t before = clock_now_ns();
	void (*const deaths[])(void) = {die_behind_sent, die_by_handler, die_by_reraise, die_by_timer, die_of_another};
	for (size_t i = 0; i < sizeof(deaths) / sizeof(*deaths); i++) {
		int status = end_of(deaths[i]);
		ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM, "death %zu: %#x", i, (unsigned)status);
	}
	ck_assert_int_gt(clock_now_ns() - before, 200000000);
	ck_assert_int_lt(clock_now_ns() - before, 5000000000);
}
END_TEST

START_TEST(exit_signal_handler_keeps_errno_and_lets_the_program_go_on)
{
	ck_assert_int_eq(install_anew(take_it), OK);
	errno = 77;
	raise(SIGTERM);
	ck_assert_int_eq(errno, 77);
	ck_assert_int_eq(asked, SIGTERM);
	exit_signal_uninstall();
}
END_TEST

START_TEST(exit_signal_a_child_asks_for_itself)
{
	ck_assert_int_eq(install_anew(take_it), OK);
	raise(SIGTERM);
	pid_t child = fork();
	if (!child) {
		exit_signal_postfork_child();
		asked = 0;
		raise(SIGTERM);
		_exit(asked != SIGTERM);
	}
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	exit_signal_uninstall();
}
END_TEST

/* The first process of a container: the kernel spares it at the default action. */
static int first_process(void *unused)
{
	(void)unused;
	exit_signal_bound_ms = 100;
	if (install_anew(take_it) != OK)
		return 1;
	raise(SIGTERM);
	exit_signal_reraise(SIGTERM);
	usleep(300000);			/* no timer is left over */
	if (!is_default(SIGTERM) || exit_signal_install(SIGTERM, refuse_it) != OK)
		return 2;
	raise(SIGTERM);
	return is_default(SIGTERM) ? 0 : 3;
}

START_TEST(exit_signal_lets_process_one_live_as_the_kernel_does)
{
	enum { STACK = 256 << 10 };
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid = clone(first_process, stack + STACK, CLONE_NEWPID | SIGCHLD, NULL);
	if (pid < 0) {
		fprintf(stderr, "SKIP exit_signal_lets_process_one_live: no process namespace: %m\n");
		return;
	}
	int status;
	waitpid(pid, &status, 0);
	ck_assert_int_eq(status, 0);
}
END_TEST

UNIT_TESTS("exit_signal", exit_signal_installs_over_the_default_alone,
	   exit_signal_renews_where_the_default_action_is_back, exit_signal_sent_returns_at_once_where_nothing_is_to_end,
	   exit_signal_uninstall_leaves_the_programs_handler, exit_signal_keeps_the_exit_status,
	   exit_signal_handler_keeps_errno_and_lets_the_program_go_on,
	   exit_signal_a_child_asks_for_itself, exit_signal_lets_process_one_live_as_the_kernel_does)
