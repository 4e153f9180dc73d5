/*
 * turnstile.c - an extension with a lock of its own, whose waits show in sneck's profiles.
 *
 *	turnstile.enter()	wait for the one place, without the GIL
 *	turnstile.leave()	give it back
 *
 * It works the same, and costs the same, where sneck is not installed or does not run.
 * Build it with the Makefile beside it.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <pthread.h>
#include <time.h>

#include <sneck.h>

static const struct sneck_api *sneck;	/* NULL: there is none */
static int wait_type, acquire_type;

static pthread_mutex_t place = PTHREAD_MUTEX_INITIALIZER;

static double now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

/* With the GIL: the Python stack that waited is the sample's. */
static void tell_sneck(double waited_ns)
{
	struct sneck_sample *sample = sneck ? sneck->sample_start() : NULL;
	if (!sample)
		return;
	sneck->push_python_stack(sample);
	sneck->push_label(sample, "lock name", "turnstile.c:27:place");
	sneck->push_label(sample, "lock kind", "turnstile");
	sneck->push_value(sample, wait_type, waited_ns);
	sneck->push_value(sample, acquire_type, 1);
	sneck->sample_flush(sample);
}

static PyObject *enter(PyObject *module, PyObject *unused)
{
	(void)module, (void)unused;
	double began_ns = now_ns();
	Py_BEGIN_ALLOW_THREADS
	pthread_mutex_lock(&place);
	Py_END_ALLOW_THREADS
	tell_sneck(now_ns() - began_ns);
	Py_RETURN_NONE;
}

static PyObject *leave(PyObject *module, PyObject *unused)
{
	(void)module, (void)unused;
	pthread_mutex_unlock(&place);
	Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
	{"enter", enter, METH_NOARGS, "Wait for the place."},
	{"leave", leave, METH_NOARGS, "Give it back."},
	{NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
	PyModuleDef_HEAD_INIT, "turnstile", "A place for one at a time.", -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_turnstile(void)
{
	sneck = sneck_import();
	if (sneck) {
		wait_type = sneck->sample_type("lock-acquire-wait");
		acquire_type = sneck->sample_type("lock-acquire");
	} else {
		PyErr_Clear();
	}
	return PyModule_Create(&definition);
}
