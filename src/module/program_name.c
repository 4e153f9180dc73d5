/*
 * program_name.c - from sys.argv[0], or, as long as that is "-m" (while the interpreter
 * starts), from the command line.
 */
#include <config.h>

#include <Python.h>

#include "module/program_name.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* sys.argv[0], or "". */
static void copy_argument(char text[PATH_MAX])
{
	PyObject *list = PySys_GetObject("argv");	/* borrowed */
	PyObject *item = list && PyList_Check(list) ? PyList_GetItem(list, 0) : NULL;
	PyObject *bytes = item && PyUnicode_Check(item) ? PyUnicode_EncodeFSDefault(item) : NULL;
	PyErr_Clear();
	snprintf(text, PATH_MAX, "%s", bytes ? PyBytes_AsString(bytes) : "");
	Py_XDECREF(bytes);
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

void program_name(char name[PROGRAM_NAME_MAX], const struct process_identity *identity)
{
	char path[PATH_MAX];
	copy_argument(path);
	if (!strcmp(path, "-m"))
		snprintf(path, sizeof(path), "%s", identity->entrypoint_name);
	char *found = name_in_path(path);
	cut_ending(found, ".py");
	snprintf(name, PROGRAM_NAME_MAX, "%s", *found && *found != '-' ? found : "python");
}
