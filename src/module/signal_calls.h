/*
 * signal_calls.h - what Python code does with signals, and the last profile.
 *
 * signal.signal(SIGTERM, SIG_DFL) takes our handler away with the program's: it is put back.
 * signal.raise_signal(), os.kill() and their like never return where they end the process:
 * nor do they while the last profile is on its way.
 */
#ifndef SNECK_MODULE_SIGNAL_CALLS_H
#define SNECK_MODULE_SIGNAL_CALLS_H

/* With the GIL.  What cannot be redirected is said once, and stays as it is. */
void signal_calls_start(void);
void signal_calls_stop(void);

#endif
