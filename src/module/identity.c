/*
 * identity.c - sys.orig_argv and sys.argv as plain C texts, for process_identity.c to read.
 */
#include <config.h>

#include <Python.h>

#include "module/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A list of sys as bytes objects: a new tuple, or NULL without an exception. */
static PyObject *arguments_of(const char *name)
{
	PyObject *list = PySys_GetObject(name);		/* borrowed */
	Py_ssize_t n = list && PyList_Check(list) ? PyList_Size(list) : 0;
	PyObject *tuple = PyTuple_New(n);
	for (Py_ssize_t i = 0; tuple && i < n; i++) {
		PyObject *item = PyList_GetItem(list, i);	/* borrowed; NULL: it became shorter */
		PyObject *bytes = item && PyUnicode_Check(item) ? PyUnicode_EncodeFSDefault(item) : NULL;
		if (!bytes || PyTuple_SetItem(tuple, i, bytes)) {
			Py_DECREF(tuple);
			tuple = NULL;
		}
	}
	PyErr_Clear();
	return tuple;
}

static const char *text_at(PyObject *tuple, Py_ssize_t i)
{
	return tuple && i < PyTuple_Size(tuple) ? PyBytes_AsString(PyTuple_GetItem(tuple, i)) : "";
}

/* "3.11.7" of "3.11.7 (main, ...) [GCC ...]". */
static void copy_version(char version[32])
{
	const char *text = Py_GetVersion();
	snprintf(version, 32, "%.*s", (int)strcspn(text, " "), text);
}

void identity_gather(struct process_identity *identity)
{
	PyObject *original = arguments_of("orig_argv"), *current = arguments_of("argv");
	size_t n = original ? (size_t)PyTuple_Size(original) : 0;
	const char **words = calloc(n + 1, sizeof(*words));
	for (size_t i = 0; words && i < n; i++)
		words[i] = text_at(original, (Py_ssize_t)i);
	process_identity_read(identity, words, words ? n : 0, text_at(current, 0), getenv);
	copy_version(identity->python_version);
	free(words);
	Py_XDECREF(original);
	Py_XDECREF(current);
}
