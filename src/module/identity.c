/*
 * identity.c - hand the command line over as plain texts.
 */
#include <config.h>

#include <Python.h>

#include "module/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A command line longer than this is told by its beginning. */
enum { WORDS_MAX = 64 };

struct words {
	PyObject *bytes[WORDS_MAX];	/* own the texts */
	const char *texts[WORDS_MAX];
	size_t n;
};

static void read_words(struct words *words, const char *list_name)
{
	PyObject *list = PySys_GetObject(list_name);	/* borrowed */
	Py_ssize_t n = list && PyList_Check(list) ? PyList_Size(list) : 0;
	words->n = 0;
	for (Py_ssize_t i = 0; i < n && words->n < WORDS_MAX; i++) {
		PyObject *item = PyList_GetItem(list, i);
		PyObject *bytes = item && PyUnicode_Check(item) ? PyUnicode_EncodeFSDefault(item) : NULL;
		if (!bytes)
			break;
		words->bytes[words->n] = bytes;
		words->texts[words->n++] = PyBytes_AsString(bytes);
	}
	PyErr_Clear();
}

static void free_words(struct words *words)
{
	for (size_t i = 0; i < words->n; i++)
		Py_DECREF(words->bytes[i]);
}

/* "3.11.7" of "3.11.7 (main, ...) [GCC ...]" */
static void read_version(struct process_identity *identity)
{
	const char *version = Py_GetVersion();
	snprintf(identity->python_version, sizeof(identity->python_version), "%.*s", (int)strcspn(version, " "), version);
}

void identity_read(struct process_identity *identity)
{
	struct words original, arguments;
	read_words(&original, "orig_argv");
	read_words(&arguments, "argv");
	process_identity_read(identity, original.texts, original.n, arguments.n ? arguments.texts[0] : "", getenv);
	read_version(identity);
	free_words(&original);
	free_words(&arguments);
}
