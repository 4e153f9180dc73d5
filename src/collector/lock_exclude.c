/*
 * lock_exclude.c - matching a frame's module against the list of those left out.
 *
 * Asked once per creation site, so the list is kept as the text it came as.
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

static bool is_listed(const char *name)
{
	for (const char *at = excluded; *at;) {
		at += strspn(at, ", \t");
		size_t n = strcspn(at, ", \t");
		if (is_within(name, at, n))
			return true;
		at += n;
	}
	return false;
}

bool lock_exclude_frame(const void *tstate, size_t index)
{
	struct py_frame_variables variables;
	if (!*excluded || !py_frames_variables(tstate, index, &variables) || !variables.globals)
		return false;
	PyObject *name = PyDict_GetItemString((PyObject *)variables.globals, "__name__");
	char *text = name && PyUnicode_Check(name) ? py_text(name) : NULL;
	bool answer = text && is_listed(text);
	free(text);
	return answer;
}
