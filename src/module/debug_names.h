/*
 * debug_names.h - private functions of the module that show what naming would answer: for
 * tests and bench/.
 */
#ifndef SNECK_MODULE_DEBUG_NAMES_H
#define SNECK_MODULE_DEBUG_NAMES_H

#include <Python.h>

/* _name_init(): prepare naming. */
PyObject *debug_name_init(PyObject *module, PyObject *unused);

/* _on_name(function): who is called with what the functions below find. */
PyObject *debug_on_name(PyObject *module, PyObject *function);

/*
 * _created_lock(*anything, **anything) and _created_rlock: make a lock, and tell (label,
 * owner) of its creation.
 */
PyObject *debug_created_lock(PyObject *module, PyObject *args, PyObject *keywords);
PyObject *debug_created_rlock(PyObject *module, PyObject *args, PyObject *keywords);

/* _used_lock(lock): tell (label, owner) as found at this use. */
PyObject *debug_used_lock(PyObject *module, PyObject *lock);

/*
 * _operated(*anything, **anything) -> True, and _operated_rlock: as if a method of a lock;
 * tell (role, the user's function, owning object or None, its kind or None).
 */
PyObject *debug_operated(PyObject *module, PyObject *args, PyObject *keywords);
PyObject *debug_operated_rlock(PyObject *module, PyObject *args, PyObject *keywords);

/* _search_name(object[, attributes]) -> (label, owner): as if the call used this lock. */
PyObject *debug_search_name(PyObject *module, PyObject *args);

/* _search_count(object, rounds) -> how often it was found; makes no objects of its own. */
PyObject *debug_search_count(PyObject *module, PyObject *args);

/* _role_in_library(function, lock) -> role of an operation on this lock in that function of the library's. */
PyObject *debug_role_in_library(PyObject *module, PyObject *args);

/* _forget_library(): what happens to the table of primitives at an interpreter's exit. */
PyObject *debug_forget_library(PyObject *module, PyObject *unused);

/* _follow(code, byte, arrival) -> (kind, name or None): where bytecode_follow() ends. */
PyObject *debug_follow(PyObject *module, PyObject *args);

/* _classify_cost(rounds) -> nanoseconds for one classification of the caller's frame. */
PyObject *debug_classify_cost(PyObject *module, PyObject *rounds);

#define DEBUG_NAMES_ANY(name, function) \
	{name, (PyCFunction)(void (*)(void))(function), METH_VARARGS | METH_KEYWORDS, NULL}
#define DEBUG_NAMES_METHODS \
	{"_name_init", debug_name_init, METH_NOARGS, NULL}, \
	{"_on_name", debug_on_name, METH_O, NULL}, \
	DEBUG_NAMES_ANY("_created_lock", debug_created_lock), \
	DEBUG_NAMES_ANY("_created_rlock", debug_created_rlock), \
	DEBUG_NAMES_ANY("_operated", debug_operated), \
	DEBUG_NAMES_ANY("_operated_rlock", debug_operated_rlock), \
	{"_used_lock", debug_used_lock, METH_O, NULL}, \
	{"_search_name", debug_search_name, METH_VARARGS, NULL}, \
	{"_search_count", debug_search_count, METH_VARARGS, NULL}, \
	{"_role_in_library", debug_role_in_library, METH_VARARGS, NULL}, \
	{"_forget_library", debug_forget_library, METH_NOARGS, NULL}, \
	{"_follow", debug_follow, METH_VARARGS, NULL}, \
	{"_classify_cost", debug_classify_cost, METH_O, NULL}

#endif
