/*
 * exit_signal.c - a handler that asks for an upload and gets out of the way.
 *
 *     signal -> handler: wake the uploader, arm a timer, return
 *               uploader: last upload -> default action, raise: the process ends
 *               timer, 3 s later: the same signal -> handler -> default action, raise
 *
 * The handler never waits: the thread it interrupts may hold a lock that the upload needs.
 * So that thread runs on for the milliseconds the upload takes.  A second signal meanwhile
 * changes nothing (timeout(1) and process groups send two at once).
 *
 * The timer is made by bare system calls in the handler: they are async-signal-safe, and a
 * timer made in advance would be one more thing that a forked child does not have.
 *
 * Fork: a child inherits the handler but not the uploader; wake() says so by the process id,
 *       and the child dies at once, as by default.  What its parent got and armed is not its own,
 *       also where it has its parent's process id: 1, each in a namespace of its own.
 */
#include <config.h>

#include "upload/exit_signal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "runtime/clocks.h"
#include "runtime/error.h"
#include "runtime/fork.h"

enum { NO_TIMER = -1 };

int exit_signal_bound_ms = 3000;

static _Atomic int installed;		/* the signal, or 0 */
static _Atomic int wished;		/* installed, or to be once the program's handler is gone */
static bool (*wake_uploader)(int signo);
static _Atomic pid_t pending_in SNECK_AT_FORK;	/* the process that has got the signal and not ended yet */
static _Atomic int timer SNECK_AT_FORK = NO_TIMER;	/* the kernel's id, of process pending_in */

static void arm_timer(int signo)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = signo};
	struct itimerspec bound = {.it_value = {exit_signal_bound_ms / 1000,
						exit_signal_bound_ms % 1000 * 1000000L + 1}};
	int id;
	event.sigev_value.sival_ptr = &timer;		/* how the handler knows its own */
	if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id) != 0)
		return;
	syscall(SYS_timer_settime, id, 0, &bound, NULL);
	timer = id;
}

static bool is_timer(const siginfo_t *info)
{
	return info->si_code == SI_TIMER && info->si_value.sival_ptr == &timer;
}

/* Will the process be ended by somebody else, in time? */
static bool end_is_near(int signo, const siginfo_t *info)
{
	if (is_timer(info))
		return false;
	if (pending_in == getpid())
		return true;
	if (!wake_uploader(signo))
		return false;
	pending_in = getpid();
	arm_timer(signo);
	return true;
}

static void handle(int signo, siginfo_t *info, void *context)
{
	(void)context;
	int saved = errno;
	if (!end_is_near(signo, info))
		exit_signal_reraise(signo);
	errno = saved;
}

void exit_signal_reraise(int signo)
{
	struct sigaction by_default = {.sa_handler = SIG_DFL};
	sigset_t set, before;
	sigaction(signo, &by_default, NULL);
	sigemptyset(&set);
	sigaddset(&set, signo);
	pthread_sigmask(SIG_UNBLOCK, &set, &before);
	raise(signo);

	/* Still here: process 1.  Nothing was asked for, then. */
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (pending_in == getpid() && timer != NO_TIMER)
		syscall(SYS_timer_delete, (int)timer);
	timer = NO_TIMER;
	pending_in = 0;
	installed = 0;
}

SNECK_FORK_CODE void exit_signal_postfork_child(void)
{
	pending_in = 0;
	timer = NO_TIMER;
}

static bool is_default(const struct sigaction *action)
{
	return !(action->sa_flags & SA_SIGINFO) && action->sa_handler == SIG_DFL;
}

static int put_handler(int signo)
{
	struct sigaction ours = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK}, found;
	sigemptyset(&ours.sa_mask);
	if (sigaction(signo, NULL, &found) != 0)
		return ERR_INVALID;
	if (!is_default(&found))
		return ERR_STATE;
	if (sigaction(signo, &ours, NULL) != 0)
		return ERR_INVALID;
	installed = signo;
	return OK;
}

int exit_signal_install(int signo, bool (*wake)(int signo))
{
	if (installed)
		return ERR_STATE;
	wake_uploader = wake;
	int error = put_handler(signo);
	if (error != ERR_INVALID)
		wished = signo;
	return error;
}

static bool is_pending(void)
{
	return pending_in == getpid();
}

/* Not while the signal is pending: the default action is then what shall end the process. */
void exit_signal_renew(void)
{
	int signo = wished;
	if (signo && !is_pending())
		(void)put_handler(signo);
}

static bool is_ours(const struct sigaction *action)
{
	return (action->sa_flags & SA_SIGINFO) && action->sa_sigaction == handle;
}

/* Unblocked here, it is not blocked everywhere. */
static bool is_blocked(int signo)
{
	sigset_t blocked;
	return pthread_sigmask(SIG_BLOCK, NULL, &blocked) == 0 && sigismember(&blocked, signo) == 1;
}

/* Will our handler run, in whichever thread, or does it already? */
static bool is_coming(int signo)
{
	struct sigaction found;
	return signo && signo == installed && !is_blocked(signo) && sigaction(signo, NULL, &found) == 0 && is_ours(&found);
}

static void wait_while(bool pending, int64_t ms)
{
	const struct timespec moment = {.tv_nsec = 200000};
	int64_t limit_ns = clock_now_ns() + ms * 1000000;
	while (is_pending() == pending && clock_now_ns() < limit_ns)
		nanosleep(&moment, NULL);
}

/* The kernel gives it to the main thread, which may need a moment to get to run. */
enum { DELIVERY_MS = 100 };

void exit_signal_sent(int signo)
{
	if (is_coming(signo))
		wait_while(false, DELIVERY_MS);
	wait_while(true, exit_signal_bound_ms + 1000);
}

void exit_signal_uninstall(void)
{
	struct sigaction found, by_default = {.sa_handler = SIG_DFL};
	int signo = atomic_exchange(&installed, 0);
	wished = 0;
	if (signo && sigaction(signo, NULL, &found) == 0 && is_ours(&found))
		sigaction(signo, &by_default, NULL);
}
