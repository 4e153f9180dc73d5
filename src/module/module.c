/*
 * module.c - the extension _sneck: one module object, one table of functions.
 */
#include <config.h>

#include <Python.h>

#include "module/debug_names.h"
#include "module/debug_stack.h"

static PyMethodDef methods[] = {
	DEBUG_STACK_METHODS,
	DEBUG_NAMES_METHODS,
	{0},
};

static struct PyModuleDef module = {
	PyModuleDef_HEAD_INIT,
	.m_name = "_sneck",
	.m_size = 0,
	.m_methods = methods,
};

PyMODINIT_FUNC PyInit__sneck(void);

PyMODINIT_FUNC PyInit__sneck(void)
{
	return PyModuleDef_Init(&module);
}
