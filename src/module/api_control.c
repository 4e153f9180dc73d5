/*
 * api_control.c - start(), stop(), flush(), and the stop at the interpreter's exit.
 *
 * atexit, and not the module's end, calls the last stop: it comes while threads and files
 * still work.  It is registered in the interpreter that starts the profiler.
 */
#include <config.h>

#include "module/api.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "module/control.h"
#include "module/convert.h"
#include "runtime/error.h"
#include "upload/uploader.h"

/* atexit.<verb>(module._stop_at_exit) */
static int call_atexit(PyObject *module, const char *verb)
{
	PyObject *atexit = PyImport_ImportModule("atexit");
	PyObject *function = PyObject_GetAttrString(module, "_stop_at_exit");
	PyObject *result = NULL;
	if (atexit && function)
		result = PyObject_CallMethod(atexit, verb, "O", function);
	Py_XDECREF(atexit);
	Py_XDECREF(function);
	Py_XDECREF(result);
	return result ? 0 : -1;
}

/* Failing to unregister leaves a call that does nothing: no reason to fail the caller. */
static void forget_exit(PyObject *module)
{
	PyObject *type, *value, *traceback;
	PyErr_Fetch(&type, &value, &traceback);
	if (call_atexit(module, "unregister") < 0)
		PyErr_Clear();
	PyErr_Restore(type, value, traceback);
}

/* With the exception that is set. */
static PyObject *give_up(void)
{
	PyObject *type, *value, *traceback;
	PyErr_Fetch(&type, &value, &traceback);
	control_stop();
	PyErr_Restore(type, value, traceback);
	return NULL;
}

/* Raise what control_start() said; a refused layout is no exception: the program runs on. */
static PyObject *start_failed(int error, const char *reason)
{
	if (error == ERR_LAYOUT)
		Py_RETURN_NONE;
	if (error == ERR_NOMEM)
		return PyErr_NoMemory();
	PyErr_SetString(PyExc_RuntimeError, reason);
	return NULL;
}

PyObject *api_start(PyObject *module, PyObject *arguments, PyObject *keywords)
{
	struct options options;
	char reason[REASON_MAX];
	options_init(&options);
	if (!PyArg_ParseTuple(arguments, ":start") || options_set_from(&options, keywords) < 0)
		return NULL;
	options_from_environment(&options, getenv);
	int error = control_start(&options, reason);
	if (error)
		return start_failed(error, reason);
	if (call_atexit(module, "register") < 0)
		return give_up();
	Py_RETURN_NONE;
}

PyObject *api_stop(PyObject *module, PyObject *unused)
{
	(void)unused;
	control_stop();
	forget_exit(module);
	Py_RETURN_NONE;
}

PyObject *api_stop_at_exit(PyObject *module, PyObject *unused)
{
	(void)module, (void)unused;
	control_stop();
	Py_RETURN_NONE;
}

/*
 * As many as Python counts, by the links of a folder: to read the folder would name each thread in the
 * kernel's cache, and with that Linux 6.18 takes up to a second to reap the process.
 */
static long threads_in_all(void)
{
	struct stat task;
	return stat("/proc/self/task", &task) ? -1 : (long)task.st_nlink - 2;
}

/*
 * Called in the parent, just after a fork, when each page that is written to is copied: the same in
 * Python took a third of a millisecond.  Where threads cannot be counted the warning is left alone.
 */
PyObject *api_is_of_our_thread(PyObject *module, PyObject *text)
{
	(void)module;
	const char *warning = PyUnicode_Check(text) ? PyUnicode_AsUTF8AndSize(text, NULL) : NULL;
	if (!warning)
		PyErr_Clear();
	int own = warning && strstr(warning, "multi-threaded, use of fork") ? uploader_threads() : 0;
	return PyBool_FromLong(own > 0 && threads_in_all() == own + 1);
}

/* Seconds to nanoseconds; a year stands for all that is longer, infinity too. */
static int64_t timeout_ns(double seconds)
{
	const double year = 365 * 86400.0;
	return (int64_t)(fmax(0, fmin(seconds, year)) * 1e9);
}

PyObject *api_flush(PyObject *module, PyObject *arguments, PyObject *keywords)
{
	(void)module;
	static char name[] = "timeout";
	static char *names[] = {name, NULL};
	double seconds = 10;
	if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|d:flush", names, &seconds))
		return NULL;
	if (isnan(seconds)) {
		PyErr_SetString(PyExc_ValueError, "timeout is not a number");
		return NULL;
	}
	return PyBool_FromLong(control_flush(timeout_ns(seconds)));
}
