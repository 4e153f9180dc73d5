/*
 * interpreter_end.c - a capsule in an interpreter's own dictionary, whose death is the news.
 *
 * That dictionary (PyInterpreterState_GetDict) is for extensions, no program sees it, and it is
 * cleared when the interpreter ends, by the thread that ends it: no module of ours need be
 * imported there, and no Python code runs.
 *
 * What the capsule takes is made inside a sample; the collector is held off meanwhile, as a
 * collection may run finalisers.  Without memory the references are kept for good.
 */
#include <config.h>

#include "collector/interpreter_end.h"

#include <Python.h>

#include "runtime/threads.h"

static const char capsule_name[] = "sneck.interpreter_end";
static const interpreter_forgetter *forgetters;

/* The interpreter this thread saw to last: ids are not used again. */
static __thread SNECK_TLS int64_t watched;

/* The one it ended last.  Python code may run even then: what is registered for forks goes later. */
static __thread SNECK_TLS int64_t ended;

void interpreter_end_init(const interpreter_forgetter *list)
{
	forgetters = list;
}

int64_t interpreter_id(void)
{
	return PyInterpreterState_GetID(PyInterpreterState_Get());
}

static void on_end(PyObject *capsule)
{
	int64_t interpreter = (int64_t)(intptr_t)PyCapsule_GetPointer(capsule, capsule_name);
	ended = interpreter;
	for (size_t i = 0; forgetters && forgetters[i]; i++)
		forgetters[i](interpreter);
}

bool interpreter_has_ended(void)
{
	return ended && ended == interpreter_id();
}

static void put_capsule(int64_t interpreter)
{
	PyObject *dict = PyInterpreterState_GetDict(PyInterpreterState_Get());	/* borrowed */
	if (!dict || PyDict_GetItemString(dict, capsule_name))
		return;
	PyObject *capsule = PyCapsule_New((void *)(intptr_t)interpreter, capsule_name, on_end);
	if (!capsule)
		return;
	if (PyDict_SetItemString(dict, capsule_name, capsule) < 0)
		PyCapsule_SetDestructor(capsule, NULL);
	Py_DecRef(capsule);
}

static void __attribute__((noinline, cold)) watch(int64_t interpreter)
{
	PyObject *type, *value, *traceback;
	PyErr_Fetch(&type, &value, &traceback);
	int collecting = PyGC_Disable();
	put_capsule(interpreter);
	if (collecting)
		PyGC_Enable();
	PyErr_Restore(type, value, traceback);
	watched = interpreter;
}

void interpreter_end_watch(void)
{
	int64_t interpreter = interpreter_id();
	if (interpreter > 0 && interpreter != watched)
		watch(interpreter);
}
