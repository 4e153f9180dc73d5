/*
 * threading_module.h - what stands in the module threading, without running Python.
 */
#ifndef SNECK_COLLECTOR_THREADING_MODULE_H
#define SNECK_COLLECTOR_THREADING_MODULE_H

#include <Python.h>

/* A global of threading's, borrowed.  NULL: none, threading is not imported, or the interpreter is at its end. */
PyObject *threading_global(const char *name);

#endif
