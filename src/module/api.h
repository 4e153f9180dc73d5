/*
 * api.h - the C functions behind api.def, each with the GIL held.
 */
#ifndef SNECK_MODULE_API_H
#define SNECK_MODULE_API_H

#include <Python.h>

#define API_PROTOTYPE_NOARGS(function) PyObject *function(PyObject *module, PyObject *unused);
#define API_PROTOTYPE_O(function) PyObject *function(PyObject *module, PyObject *argument);
#define API_PROTOTYPE_KEYWORDS(function) PyObject *function(PyObject *module, PyObject *arguments, PyObject *keywords);
#define API(name, function, flags, signature, doc) API_PROTOTYPE_##flags(function)
#include "module/api.def"
#undef API

#endif
