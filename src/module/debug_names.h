/*
 * debug_names.h - private functions of the module that show what naming would answer: for
 * tests and bench/.
 */
#ifndef SNECK_MODULE_DEBUG_NAMES_H
#define SNECK_MODULE_DEBUG_NAMES_H

#include <Python.h>

/* _name_init(): prepare naming. */
PyObject *debug_name_init(PyObject *module, PyObject *unused);

/* _created_name(*anything, **anything) -> (label, owner): as if the call made a lock. */
PyObject *debug_created_name(PyObject *module, PyObject *args, PyObject *keywords);

/* _search_name(object[, attributes]) -> (label, owner): as if the call used this lock. */
PyObject *debug_search_name(PyObject *module, PyObject *args);

/* _search_count(object, rounds) -> how often it was found; makes no objects of its own. */
PyObject *debug_search_count(PyObject *module, PyObject *args);

/* _classify(is_rlock, object or None) -> (role, skip, owner or None, kind or None). */
PyObject *debug_classify(PyObject *module, PyObject *args);

/* _classify_cost(rounds) -> nanoseconds for one classification of the caller's frame. */
PyObject *debug_classify_cost(PyObject *module, PyObject *rounds);

#define DEBUG_NAMES_METHODS \
	{"_name_init", debug_name_init, METH_NOARGS, NULL}, \
	{"_created_name", (PyCFunction)(void (*)(void))debug_created_name, METH_VARARGS | METH_KEYWORDS, NULL}, \
	{"_search_name", debug_search_name, METH_VARARGS, NULL}, \
	{"_search_count", debug_search_count, METH_VARARGS, NULL}, \
	{"_classify", debug_classify, METH_VARARGS, NULL}, \
	{"_classify_cost", debug_classify_cost, METH_O, NULL}

#endif
