/*
 * lock_owner.c - qualified names of classes and functions.
 *
 * From 3.11 on a code object has its qualified name: "CacheManager.__init__" without its last
 * part is the class.  3.10 has it in objects alone: self's classes are asked which of them has
 * this method, and a class body keeps its own __qualname__.
 */
#include <config.h>

#include "collector/lock_owner.h"

#include <stdlib.h>
#include <string.h>

#include "collector/code_table.h"
#include "collector/lock_search.h"
#include "collector/py_symbols.h"
#include "collector/py_text.h"

/* type's own attribute, whatever the metaclass says; new reference or NULL. */
static PyObject *type_attribute(PyTypeObject *type, const char *name)
{
	PyObject *key = PyUnicode_InternFromString(name), *value = NULL;
	PyObject *descriptor = key && py_symbols._PyType_Lookup
		? py_symbols._PyType_Lookup((PyObject *)&PyType_Type, key) : NULL;
	descrgetfunc get = descriptor ? (descrgetfunc)PyType_GetSlot(Py_TYPE(descriptor), Py_tp_descr_get) : NULL;
	if (get)
		value = get(descriptor, (PyObject *)type, (PyObject *)Py_TYPE(type));
	Py_XDECREF(key);
	return value;
}

char *lock_owner_of_type(PyTypeObject *type)
{
	PyObject *name = type_attribute(type, "__qualname__");
	char *text = py_text(name);
	Py_XDECREF(name);
	return text;
}

/* Cut the method off its class: "C" of "C.f", nothing of "f" and of "g.<locals>.f". */
static void keep_class(char *qualified)
{
	char *dot = strrchr(qualified, '.');
	*(dot ? dot : qualified) = '\0';
	dot = strrchr(qualified, '.');
	if (strcmp(dot ? dot + 1 : qualified, "<locals>") == 0)
		*qualified = '\0';
}

/* Whether attribute `name` of this class is the function with this code. */
static bool has_method(PyObject *class, PyObject *name, uintptr_t code)
{
	PyObject *method = py_symbols._PyType_Lookup(class, name);
	return method && (void *)Py_TYPE(method) == py_symbols.PyFunction_Type
		&& (uintptr_t)py_symbols.PyFunction_GetCode(method) == code;
}

/* The furthest base whose method the code is, or the type itself; borrowed. */
static PyTypeObject *defining_class(PyTypeObject *type, uintptr_t code)
{
	PyObject *bases = type_attribute(type, "__mro__");
	PyObject *name = PyObject_GetAttrString((PyObject *)code, "co_name");
	Py_ssize_t n = name && bases && PyTuple_Check(bases) && py_symbols.PyFunction_GetCode ? PyTuple_Size(bases) : 0;
	PyTypeObject *found = type;
	for (Py_ssize_t i = 0; i < n; i++)
		if (has_method(PyTuple_GetItem(bases, i), name, code))
			found = (PyTypeObject *)PyTuple_GetItem(bases, i);
	Py_XDECREF(bases);
	Py_XDECREF(name);
	return found;
}

static char *class_of_self(const void *tstate, const struct raw_frame *frames, size_t i)
{
	PyObject *self = lock_search_first_argument(tstate, i);
	if (!self)
		return NULL;
	return lock_owner_of_type(defining_class(PyType_Check(self) ? (PyTypeObject *)self : Py_TYPE(self),
						 frames[i].code));
}

/* What a class body knows itself as; NULL in any other frame. */
static char *name_of_body(const void *tstate, size_t i)
{
	struct py_frame_variables variables;
	if (!py_frames_variables(tstate, i, &variables) || variables.namespace == variables.globals)
		return NULL;
	PyObject *namespace = (PyObject *)variables.namespace;
	PyObject *key = PyUnicode_InternFromString("__qualname__"), *name = NULL;
	if (key && namespace && PyDict_CheckExact(namespace))
		name = PyDict_GetItemWithError(namespace, key);
	Py_XDECREF(key);
	return py_text(name);
}

/* 3.10 */
static char *owner_by_objects(const void *tstate, const struct raw_frame *frames, size_t i, bool of_self)
{
	return of_self ? class_of_self(tstate, frames, i) : name_of_body(tstate, i);
}

char *lock_owner_of_frame(const void *tstate, const struct raw_frame *frames, size_t i, bool of_self)
{
	bool qualified = py_symbols_version() >= 0x030b0000;
	char *owner = qualified ? NULL : owner_by_objects(tstate, frames, i, of_self);
	struct frame frame;
	if (owner)
		return owner;
	code_table_resolve(&frames[i], 1, &frame);
	if (strcmp(frame.function->name, "<module>") == 0)
		return NULL;
	owner = strdup(frame.function->name);
	if (owner && of_self)
		keep_class(owner);
	return owner;
}
