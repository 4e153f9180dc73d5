/*
 * c_interface.h - what include/sneck.h promises to other extensions.
 */
#ifndef SNECK_MODULE_C_INTERFACE_H
#define SNECK_MODULE_C_INTERFACE_H

#include <Python.h>

/* Put the capsule into the module.  -1 with an exception set. */
int c_interface_add(PyObject *module);

#endif
