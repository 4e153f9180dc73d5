/*
 * signal_calls.c - functions of Python's modules _signal and posix, redirected in place.
 *
 *     signal.signal      the original, then exit_signal_renew(): where the default action is
 *                        back, our handler goes under it again.  getsignal() reads a table of
 *                        Python's own, so it answers as it would.
 *     raise_signal, ...  the original, then exit_signal_sent(): where the signal would have ended
 *                        this process by now but for the last profile, nothing that stands behind
 *                        the call may run.
 *
 * Servers do both, to end as their signal would have ended them (uvicorn).
 *
 * Waiting here and not in the handler: this thread is at a known place and holds nothing that
 * the upload needs, not even the GIL, while a handler may have interrupted anything.
 *
 * Fork: a child inherits places and handler alike.
 */
#include <config.h>

#include <Python.h>

#include "module/signal_calls.h"

#include <unistd.h>

#include "collector/instrument.h"
#include "runtime/error.h"
#include "runtime/log.h"
#include "upload/exit_signal.h"

enum { SIGNAL, RAISE_SIGNAL, PTHREAD_KILL, KILL, KILLPG, CALLS };

static struct place places[CALLS];	/* proved once: a call on its way needs its original for ever */

static PyObject *call_fast(int which, PyObject *module, PyObject *const *args, Py_ssize_t n)
{
	return ((_PyCFunctionFast)places[which].original)(module, args, n);
}

/* Python code never runs for this: what is no integer is none of ours. */
static long integer(PyObject *object)
{
	long value = PyLong_Check(object) ? PyLong_AsLong(object) : -1;
	if (value == -1)
		PyErr_Clear();
	return value;
}

/* The original has sent it to this process. */
static PyObject *sent(long signo, PyObject *result)
{
	Py_BEGIN_ALLOW_THREADS
	exit_signal_sent((int)signo);
	Py_END_ALLOW_THREADS
	return result;
}

static PyObject *our_signal(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
	PyObject *result = call_fast(SIGNAL, module, args, n);
	exit_signal_renew();
	return result;
}

static PyObject *our_raise_signal(PyObject *module, PyObject *number)
{
	PyObject *result = ((PyCFunction)places[RAISE_SIGNAL].original)(module, number);
	return result ? sent(integer(number), result) : NULL;
}

static PyObject *our_pthread_kill(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
	PyObject *result = call_fast(PTHREAD_KILL, module, args, n);
	return result ? sent(integer(args[1]), result) : NULL;
}

static PyObject *our_kill(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
	PyObject *result = call_fast(KILL, module, args, n);
	if (!result)
		return NULL;
	long pid = integer(args[0]);
	return pid == getpid() || pid == 0 || pid == -getpgrp() ? sent(integer(args[1]), result) : result;
}

static PyObject *our_killpg(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
	PyObject *result = call_fast(KILLPG, module, args, n);
	if (!result)
		return NULL;
	long group = integer(args[0]);
	return group == getpgrp() || group == 0 ? sent(integer(args[1]), result) : result;
}

static const struct call {
	const char *module, *name;
	int flags;		/* what the function that takes its place is made for */
	void *function;
} calls[CALLS] = {
	[SIGNAL] = {"_signal", "signal", METH_FASTCALL, (void *)our_signal},
	[RAISE_SIGNAL] = {"_signal", "raise_signal", METH_O, (void *)our_raise_signal},
	[PTHREAD_KILL] = {"_signal", "pthread_kill", METH_FASTCALL, (void *)our_pthread_kill},
	[KILL] = {"posix", "kill", METH_FASTCALL, (void *)our_kill},
	[KILLPG] = {"posix", "killpg", METH_FASTCALL, (void *)our_killpg},
};

/* NULL, or why not. */
static const char *prove(const struct call *call, struct place *place)
{
	const char *reason = "no such module";
	struct place found = {0};
	PyObject *module = PyImport_ImportModule(call->module);
	if (!module) {
		PyErr_Clear();
		return reason;
	}
	int error = place_of_method(module, call->name, &found, &reason);
	Py_DECREF(module);
	if (error)
		return reason;
	if (found.flags != call->flags)
		return "it is called in a way we have no function for";
	*place = found;
	return NULL;
}

void signal_calls_start(void)
{
	for (size_t i = 0; i < CALLS; i++) {
		const char *reason = places[i].at ? NULL : prove(&calls[i], &places[i]);
		if (reason)
			log_once("signal-calls", "%s.%s stays as it is (%s): where a program puts SIGTERM's default action back, "
				 "call sneck.stop() before", calls[i].module, calls[i].name, reason);
		place_redirect(&places[i], calls[i].function);
	}
}

void signal_calls_stop(void)
{
	for (size_t i = 0; i < CALLS; i++)
		place_restore(&places[i]);
}
