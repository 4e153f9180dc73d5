/*
 * module.c - the extension _sneck: one module object, one table of functions.
 */
#include <config.h>

#include <Python.h>

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "_sneck", .m_size = 0};

PyMODINIT_FUNC PyInit__sneck(void);

PyMODINIT_FUNC PyInit__sneck(void)
{
	return PyModuleDef_Init(&module);
}
