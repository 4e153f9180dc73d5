/*
 * lock_exclude.c - matching a frame's module against the list of those left out.
 *
 * Asked once per class of locks and start, so the list is kept as the text it came as.
 */
#include <config.h>

#include <Python.h>

#include "collector/lock_exclude.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/py_text.h"
#include "runtime/options.h"
#include "runtime/py_frames.h"

static char excluded[OPTION_TEXT_MAX];

void lock_exclude_set(const char *modules)
{
	snprintf(excluded, sizeof(excluded), "%s", modules);
}

/* Is module `name`, or a package that it is in, the n bytes at prefix? */
static bool is_within(const char *name, const char *prefix, size_t n)
{
	return n && !strncmp(name, prefix, n) && (name[n] == '\0' || name[n] == '.');
}

bool lock_exclude_has(const char *module)
{
	for (const char *at = excluded; *at;) {
		at += strspn(at, ", \t");
		size_t n = strcspn(at, ", \t");
		if (is_within(module, at, n))
			return true;
		at += n;
	}
	return false;
}

void lock_exclude_module(const void *tstate, size_t index, char module[MODULE_NAME_MAX])
{
	struct py_frame_variables variables;
	module[0] = '\0';
	if (!py_frames_variables(tstate, index, &variables) || !variables.globals)
		return;
	PyObject *name = PyDict_GetItemString((PyObject *)variables.globals, "__name__");
	char *text = name && PyUnicode_Check(name) ? py_text(name) : NULL;
	if (text)
		snprintf(module, MODULE_NAME_MAX, "%s", text);
	free(text);
}
