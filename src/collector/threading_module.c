/*
 * threading_module.c - by sys.modules, which PyImport_GetModuleDict() aborts the process for once it is gone:
 * finalisers take locks even then.
 */
#include <config.h>

#include "collector/threading_module.h"

PyObject *threading_global(const char *name)
{
	PyObject *modules = PySys_GetObject("modules");		/* borrowed, as all here */
	PyObject *threading = modules && PyDict_Check(modules) ? PyDict_GetItemString(modules, "threading") : NULL;
	return threading && PyModule_Check(threading) ? PyDict_GetItemString(PyModule_GetDict(threading), name) : NULL;
}
