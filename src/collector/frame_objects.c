/*
 * frame_objects.c - walk a stack by PyFrame_GetBack().
 *
 * Making a frame object may start the garbage collector, and with it a finaliser that takes
 * a lock: so the collector rests while we walk.
 */
#include <config.h>

#include "collector/frame_objects.h"

#include "collector/py_symbols.h"

/* An attribute of a builtin type that always has it: no code of the user's. */
static PyObject *attribute(PyObject *object, const char *name)
{
	PyObject *value = PyObject_GetAttrString(object, name);
	if (!value)
		PyErr_Clear();
	return value;
}

PyObject *frame_objects_leaf(const void *tstate)
{
	return (PyObject *)PyThreadState_GetFrame((PyThreadState *)tstate);
}

PyObject *frame_objects_back(PyObject *frame)
{
	if (py_symbols.PyFrame_GetBack)
		return py_symbols.PyFrame_GetBack(frame);
	PyObject *back = attribute(frame, "f_back");
	if (back != Py_None)
		return back;
	Py_DecRef(back);
	return NULL;
}

static uintptr_t read_instruction(PyObject *frame)
{
	PyObject *number = attribute(frame, "f_lasti");
	long instruction = number ? PyLong_AsLong(number) : -1;
	Py_DecRef(number);
	return (uintptr_t)(intptr_t)instruction;
}

/* The frame keeps its code alive, so the address outlives our reference. */
struct raw_frame frame_objects_read(PyObject *frame)
{
	PyObject *code = (PyObject *)PyFrame_GetCode((PyFrameObject *)frame);
	struct raw_frame raw = {(uintptr_t)code, read_instruction(frame)};
	Py_DecRef(code);
	return raw;
}

static size_t walk(const void *tstate, struct raw_frame *frames, size_t max)
{
	size_t depth = 0;
	PyObject *frame = frame_objects_leaf(tstate);
	while (frame) {
		if (depth < max)
			frames[depth] = frame_objects_read(frame);
		depth++;
		PyObject *back = frame_objects_back(frame);
		Py_DecRef(frame);
		frame = back;
	}
	return depth;
}

size_t frame_objects_walk(const void *tstate, struct raw_frame *frames, size_t max, size_t *total)
{
	PyObject *type, *value, *traceback;
	PyErr_Fetch(&type, &value, &traceback);
	int collecting = PyGC_Disable();
	*total = walk(tstate, frames, max);
	if (collecting)
		PyGC_Enable();
	PyErr_Restore(type, value, traceback);
	return *total < max ? *total : max;
}
