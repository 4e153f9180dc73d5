/*
 * exit_signal.h - the last profile of a program that a signal ends.
 *
 * For a signal at its default action, which ends the process: the handler wakes a thread
 * that uploads and then calls exit_signal_reraise(), so the exit status is what it would
 * have been.  A program that has a handler of its own keeps it.
 */
#ifndef SNECK_UPLOAD_EXIT_SIGNAL_H
#define SNECK_UPLOAD_EXIT_SIGNAL_H

#include <stdbool.h>

/*
 * wake: called by the handler, so async-signal-safe; true if a thread of this process will
 * call exit_signal_reraise().  ERR_STATE if the signal is not at its default action (or
 * this is installed for one already); ERR_INVALID for a signal that has no handlers.
 */
int exit_signal_install(int signo, bool (*wake)(int signo));

/*
 * The program may have put the default action back: then ours goes there again, also where
 * install() found a handler of the program's.  Between install and uninstall; any thread.
 */
void exit_signal_renew(void);

/*
 * The calling thread has just sent signo (0: it knows of none) to its own process: returns
 * where that does not end the process.
 */
void exit_signal_sent(int signo);

/* Back to the default action, unless the program has put its own handler there since. */
void exit_signal_uninstall(void);

/*
 * Let the signal do what it does by default: ends the process, but for the first one of a
 * container, which the kernel spares; then this returns.  Async-signal-safe.
 */
void exit_signal_reraise(int signo);

/* In a forked child: the signal its parent got, and the parent's timer, are none of its own. */
void exit_signal_postfork_child(void);

/* How long an upload may keep a program from ending, for tests to shorten: 3 s. */
extern int exit_signal_bound_ms;

#endif
