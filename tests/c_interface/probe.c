/*
 * probe.c - every function of sneck.h as Python sees it, for test_c_interface.py; C and C++.
 *
 * Samples are passed about as numbers, 0 for NULL.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sneck.h>

enum { THREADS_MAX = 64 };

static const struct sneck_api *sneck;

static struct sneck_sample *sample_of(PyObject *number)
{
	return (struct sneck_sample *)PyLong_AsVoidPtr(number);
}

static PyObject *is_running(PyObject *module, PyObject *unused)
{
	(void)module, (void)unused;
	return PyLong_FromLong(sneck->is_running());
}

static PyObject *versions(PyObject *module, PyObject *unused)
{
	(void)module, (void)unused;
	return Py_BuildValue("(III)", (unsigned)SNECK_API_VERSION, (unsigned)sneck->version, (unsigned)sneck->size_bytes);
}

static PyObject *sample_type(PyObject *module, PyObject *args)
{
	const char *name;
	(void)module;
	if (!PyArg_ParseTuple(args, "z", &name))
		return NULL;
	return PyLong_FromLong(sneck->sample_type(name));
}

static PyObject *start(PyObject *module, PyObject *unused)
{
	(void)module, (void)unused;
	return PyLong_FromVoidPtr(sneck->sample_start());
}

static PyObject *frame(PyObject *module, PyObject *args)
{
	PyObject *sample;
	const char *function, *file;
	int line;
	(void)module;
	if (!PyArg_ParseTuple(args, "Ozzi", &sample, &function, &file, &line))
		return NULL;
	return PyLong_FromLong(sneck->push_frame(sample_of(sample), function, file, line));
}

static PyObject *label(PyObject *module, PyObject *args)
{
	PyObject *sample;
	const char *key, *text;
	(void)module;
	if (!PyArg_ParseTuple(args, "Ozz", &sample, &key, &text))
		return NULL;
	return PyLong_FromLong(sneck->push_label(sample_of(sample), key, text));
}

static PyObject *value(PyObject *module, PyObject *args)
{
	PyObject *sample;
	int type;
	double number;
	(void)module;
	if (!PyArg_ParseTuple(args, "Oid", &sample, &type, &number))
		return NULL;
	return PyLong_FromLong(sneck->push_value(sample_of(sample), type, number));
}

static PyObject *stack(PyObject *module, PyObject *sample)
{
	(void)module;
	return PyLong_FromLong(sneck->push_python_stack(sample_of(sample)));
}

static PyObject *stack_without_gil(PyObject *module, PyObject *number)
{
	int result;
	struct sneck_sample *sample = sample_of(number);
	(void)module;
	Py_BEGIN_ALLOW_THREADS
	result = sneck->push_python_stack(sample);
	Py_END_ALLOW_THREADS
	return PyLong_FromLong(result);
}

static PyObject *flush(PyObject *module, PyObject *sample)
{
	(void)module;
	return PyLong_FromLong(sneck->sample_flush(sample_of(sample)));
}

static PyObject *drop(PyObject *module, PyObject *sample)
{
	(void)module;
	sneck->sample_drop(sample_of(sample));
	Py_RETURN_NONE;
}

/* ---- threads that Python does not know, without the GIL --------------------------------- */

struct worker {
	pthread_t thread;
	int number, rounds, ok, lost, stopped;
};

static int one_sample(const struct worker *worker, int round)
{
	char function[32], name[32];
	struct sneck_sample *sample = sneck->sample_start();
	snprintf(function, sizeof(function), "work_%d", round % 300);
	snprintf(name, sizeof(name), "native:%d", worker->number);
	sneck->push_frame(sample, function, "native.c", 10 + round % 3);
	sneck->push_frame(sample, "main", "native.c", 3);
	sneck->push_label(sample, "lock name", name);
	sneck->push_value(sample, sneck->sample_type("lock-acquire"), 1);
	return sneck->sample_flush(sample);
}

static void *work(void *context)
{
	struct worker *worker = (struct worker *)context;
	for (int round = 0; round < worker->rounds; round++) {
		int result = one_sample(worker, round);
		worker->ok += result == SNECK_OK;
		worker->stopped += result == SNECK_STOPPED;
		worker->lost += result != SNECK_OK && result != SNECK_STOPPED;
	}
	return NULL;
}

/* storm(threads, rounds) -> (ok, lost, stopped) */
static PyObject *storm(PyObject *module, PyObject *args)
{
	static struct worker none;	/* zeros */
	struct worker workers[THREADS_MAX], sum = none;
	int n, rounds;
	(void)module;
	if (!PyArg_ParseTuple(args, "ii", &n, &rounds))
		return NULL;
	n = n < THREADS_MAX ? n : THREADS_MAX;
	Py_BEGIN_ALLOW_THREADS
	for (int i = 0; i < n; i++) {
		workers[i] = none;
		workers[i].number = i;
		workers[i].rounds = rounds;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			n = i;
	}
	for (int i = 0; i < n; i++) {
		pthread_join(workers[i].thread, NULL);
		sum.ok += workers[i].ok;
		sum.lost += workers[i].lost;
		sum.stopped += workers[i].stopped;
	}
	Py_END_ALLOW_THREADS
	return Py_BuildValue("(iii)", sum.ok, sum.lost, sum.stopped);
}

/* fork(sample) -> the child's exit status: what flushing the parent's sample gave, and a new one, there. */
static PyObject *fork_and_flush(PyObject *module, PyObject *number)
{
	int status = -1;
	struct sneck_sample *sample = sample_of(number);
	(void)module;
	pid_t child = fork();
	if (child == 0) {
		struct worker worker;
		worker.number = 99;
		int stale = sneck->push_value(sample, 0, 1) == SNECK_STOPPED && sneck->sample_flush(sample) == SNECK_STOPPED;
		int fresh = one_sample(&worker, 0) == SNECK_OK;
		_exit((stale ? 0 : 1) | (fresh ? 0 : 2));
	}
	if (child > 0)
		waitpid(child, &status, 0);
	return PyLong_FromLong(status);
}

static PyMethodDef methods[] = {
	{"is_running", is_running, METH_NOARGS, NULL},
	{"versions", versions, METH_NOARGS, NULL},
	{"sample_type", sample_type, METH_VARARGS, NULL},
	{"start", start, METH_NOARGS, NULL},
	{"frame", frame, METH_VARARGS, NULL},
	{"label", label, METH_VARARGS, NULL},
	{"value", value, METH_VARARGS, NULL},
	{"stack", stack, METH_O, NULL},
	{"stack_without_gil", stack_without_gil, METH_O, NULL},
	{"flush", flush, METH_O, NULL},
	{"drop", drop, METH_O, NULL},
	{"storm", storm, METH_VARARGS, NULL},
	{"fork_and_flush", fork_and_flush, METH_O, NULL},
	{NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
	PyModuleDef_HEAD_INIT, "probe", NULL, -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_probe(void)
{
	sneck = sneck_import();
	return sneck ? PyModule_Create(&definition) : NULL;
}
