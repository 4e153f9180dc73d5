/*
 * program_name.c - from sys.argv[0], or, as long as that is "-m" (while the interpreter
 * starts), from sys.orig_argv.
 */
#include <config.h>

#include <Python.h>

#include "module/program_name.h"

#include <stdio.h>
#include <string.h>

/* The item of a list in sys as bytes; new, or NULL without an exception. */
static PyObject *argument(const char *list_name, Py_ssize_t i)
{
	PyObject *list = PySys_GetObject(list_name);	/* borrowed */
	PyObject *item = list && PyList_Check(list) ? PyList_GetItem(list, i) : NULL;
	PyObject *bytes = item && PyUnicode_Check(item) ? PyUnicode_EncodeFSDefault(item) : NULL;
	PyErr_Clear();
	return bytes;
}

static void copy_argument(const char *list_name, Py_ssize_t i, char text[PATH_MAX])
{
	PyObject *bytes = argument(list_name, i);
	const char *value = bytes ? PyBytes_AsString(bytes) : "";
	snprintf(text, PATH_MAX, "%s", value);
	Py_XDECREF(bytes);
}

/* What follows -m on the command line. */
static void copy_module(char text[PATH_MAX])
{
	for (Py_ssize_t i = 1;; i++) {
		copy_argument("orig_argv", i, text);
		if (!strcmp(text, "-m")) {
			copy_argument("orig_argv", i + 1, text);
			return;
		}
		if (!*text)
			return;
	}
}

static char *last_part(char *path)
{
	char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static void cut_ending(char *name, const char *ending)
{
	size_t length = strlen(name), cut = strlen(ending);
	if (length > cut && !strcmp(name + length - cut, ending))
		name[length - cut] = '\0';
}

/* A package is run by its __main__.py: its folder has the name. */
static char *name_in_path(char *path)
{
	char *name = last_part(path);
	if (strcmp(name, "__main__.py") || name == path)
		return name;
	name[-1] = '\0';
	return last_part(path);
}

void program_name(char name[PROGRAM_NAME_MAX])
{
	char path[PATH_MAX];
	copy_argument("argv", 0, path);
	if (!strcmp(path, "-m"))
		copy_module(path);
	char *found = name_in_path(path);
	cut_ending(found, ".py");
	snprintf(name, PROGRAM_NAME_MAX, "%s", *found && *found != '-' ? found : "python");
}
