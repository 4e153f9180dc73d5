/*
 * instrument.c - finding, proving and writing the pointers that CPython calls through.
 *
 * A builtin method object holds, right behind its header, a pointer to the PyMethodDef it
 * was made from.  That record is shared by every object of the type and by bound methods
 * made earlier; swapping its ml_meth redirects them all.
 */
#include <config.h>

#include "collector/instrument.h"

#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "runtime/error.h"

/*
 * Does this memory take a write?  Asked of the kernel, which answers EFAULT where the
 * processor would raise SIGSEGV: the bytes go through a pipe and come back to their place.
 */
static bool is_writable(void *address, size_t size)
{
	int ends[2];
	if (pipe(ends))
		return false;
	bool came_back = write(ends[1], address, size) == (ssize_t)size && read(ends[0], address, size) == (ssize_t)size;
	close(ends[0]);
	close(ends[1]);
	return came_back;
}

static const char *method_doubt(PyObject *method, const PyMethodDef *def, const char *name)
{
	if (def->ml_meth != PyCFunction_GetFunction(method) || def->ml_flags != PyCFunction_GetFlags(method))
		return "a builtin method is not where it was expected";
	if (strcmp(def->ml_name, name))
		return "a builtin method has another name";
	return NULL;
}

static int prove_method(PyObject *method, const char *name, struct place *place, const char **reason)
{
	if (!PyCFunction_CheckExact(method)) {
		*reason = "what makes locks, or a method of theirs, is not CPython's own (gevent's patch, for one: start before it)";
		return ERR_LAYOUT;
	}
	PyMethodDef *def = *(PyMethodDef **)((char *)method + sizeof(PyObject));
	*reason = method_doubt(method, def, name);
	if (!*reason && !is_writable(&def->ml_meth, sizeof(def->ml_meth)))
		*reason = "the method table cannot be written to";
	if (*reason)
		return ERR_LAYOUT;
	*place = (struct place){.at = (void **)&def->ml_meth, .original = (void *)def->ml_meth, .flags = def->ml_flags};
	return OK;
}

int place_of_method(PyObject *owner, const char *name, struct place *place, const char **reason)
{
	*place = (struct place){0};
	*reason = "no such method";
	PyObject *method = PyObject_GetAttrString(owner, name);
	if (!method) {
		PyErr_Clear();
		return ERR_STATE;
	}
	int error = prove_method(method, name, place, reason);
	Py_DECREF(method);
	return error;
}

/* How many bytes a type object itself has: the basic size of its metatype. */
static size_t type_object_size(PyTypeObject *type)
{
	PyObject *size = PyObject_GetAttrString((PyObject *)Py_TYPE(type), "__basicsize__");
	if (!size) {
		PyErr_Clear();
		return 0;
	}
	size_t bytes = PyLong_AsSize_t(size);
	Py_DECREF(size);
	return bytes;
}

int place_of_slot(PyTypeObject *type, int slot, struct place *place, const char **reason)
{
	*place = (struct place){0};
	void *value = PyType_GetSlot(type, slot);
	if (!value) {
		PyErr_Clear();
		*reason = "no such slot";
		return ERR_STATE;
	}
	void **words = (void **)type, **found = NULL;
	size_t n = type_object_size(type) / sizeof(*words), times = 0;
	for (size_t i = 0; i < n; i++)
		if (words[i] == value) {
			found = &words[i];
			times++;
		}
	*reason = times != 1 ? "a slot's value does not stand exactly once in its type" :
		  !is_writable(found, sizeof(*found)) ? "the type cannot be written to" : NULL;
	if (*reason)
		return ERR_LAYOUT;
	*place = (struct place){.at = found, .original = value};
	return OK;
}

void place_redirect(struct place *place, void *function)
{
	if (place->at)
		__atomic_store_n(place->at, function, __ATOMIC_RELEASE);
}

void place_restore(struct place *place)
{
	place_redirect(place, place->original);
}
