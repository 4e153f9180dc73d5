/*
 * thread_name.c - reading threading's register of threads without running Python.
 *
 * threading._active maps idents to Thread objects; it is walked, not indexed, so that no
 * int need be made.  A thread it does not know (started by C, or by _thread alone) has the
 * name the kernel shows, where that differs from the process's own.
 */
#include <config.h>

#include <Python.h>

#include "collector/thread_name.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/py_symbols.h"
#include "collector/py_text.h"
#include "collector/threading_module.h"
#include "runtime/utf8.h"

/* Borrowed; NULL if the program has not imported threading. */
static PyObject *active_threads(void)
{
	PyObject *active = threading_global("_active");
	return active && PyDict_Check(active) ? active : NULL;
}

/* Borrowed. */
static PyObject *thread_object(uintptr_t ident)
{
	PyObject *active = active_threads(), *key, *value;
	Py_ssize_t at = 0;
	while (active && PyDict_Next(active, &at, &key, &value))
		if (PyLong_CheckExact(key) && PyLong_AsUnsignedLong(key) == ident)
			return value;
	return NULL;
}

/* The attribute _name, unless the class has something of its own to say about it.  New reference. */
static PyObject *name_attribute(PyObject *object)
{
	PyObject *key = py_symbols._PyObject_GenericGetAttrWithDict ? PyUnicode_FromString("_name") : NULL;
	PyObject *name = NULL;
	if (key && py_symbols._PyType_Lookup && !py_symbols._PyType_Lookup((PyObject *)Py_TYPE(object), key))
		name = py_symbols._PyObject_GenericGetAttrWithDict(object, key, NULL, 1);
	Py_XDECREF(key);
	return name;
}

static char *python_name(uintptr_t ident)
{
	PyObject *object = thread_object(ident);
	PyObject *name = object ? name_attribute(object) : NULL;
	char *text = name ? py_text(name) : NULL;
	Py_XDECREF(name);
	return text;
}

static void kernel_name(const struct thread *thread, char *name, size_t size)
{
	char own[16] = "", process[16] = "";
	FILE *comm = fopen("/proc/self/comm", "re");
	if (comm && fgets(process, sizeof(process), comm))
		process[strcspn(process, "\n")] = '\0';
	if (comm)
		fclose(comm);
	if (!pthread_getname_np(pthread_self(), own, sizeof(own)) && *own && strcmp(own, process))
		snprintf(name, size, "%s", own);
	else
		snprintf(name, size, "thread %ld", thread->native_id);
}

static void set_name(struct thread *thread, const char *text)
{
	mutex_lock(&thread->cache.lock);
	utf8_clean(thread->name, sizeof(thread->name), text);
	mutex_unlock(&thread->cache.lock);
}

/* A thread is not yet known when it starts: after 1, 2, 4, 8 ... misses it is looked for again. */
static bool is_due(const struct thread *thread)
{
	return (thread->name_misses & (thread->name_misses - 1)) == 0;
}

void thread_name_from_kernel(struct thread *thread)
{
	char name[32];
	if (*thread->name)
		return;
	kernel_name(thread, name, sizeof(name));
	set_name(thread, name);
}

void thread_name_refresh(struct thread *thread)
{
	unsigned period = threads_period();
	if (thread->name_period == period || (thread->name_misses++ && !is_due(thread)))
		return;
	char *text = python_name(thread->ident);
	if (text) {
		set_name(thread, text);
		thread->name_period = period;
		thread->name_misses = 0;
	} else {
		thread_name_from_kernel(thread);
	}
	free(text);
}
