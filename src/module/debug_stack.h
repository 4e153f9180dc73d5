/*
 * debug_stack.h - private functions of the module that show what the stack walk sees: for
 * tests and bench/.
 */
#ifndef SNECK_MODULE_DEBUG_STACK_H
#define SNECK_MODULE_DEBUG_STACK_H

#include <Python.h>

/* _stack(limit) -> ([(function, file, line), ...], omitted): the caller's stack, leaf first. */
PyObject *debug_stack(PyObject *module, PyObject *limit);

/* The same through frame objects. */
PyObject *debug_stack_slowly(PyObject *module, PyObject *limit);

/* _stack_variables(index) -> (globals, namespace or None, [(name, value), ...]), or None the slow way. */
PyObject *debug_stack_variables(PyObject *module, PyObject *index);

/* _stack_way() -> None when stacks are walked by offsets, else why not. */
PyObject *debug_stack_way(PyObject *module, PyObject *unused);

/* _stack_refuse() -> as _stack_way(): before the first walk, makes all go the slow way. */
PyObject *debug_stack_refuse(PyObject *module, PyObject *unused);

/* _stack_prove(member, delta) -> as _stack_way() if that offset were off by delta; LookupError at the last. */
PyObject *debug_stack_prove(PyObject *module, PyObject *arguments);

/* _stack_cost(rounds) -> (walk, resolve): nanoseconds a frame on the caller's stack. */
PyObject *debug_stack_cost(PyObject *module, PyObject *rounds);

/*
 * _code_table(action) -> (codes kept, result).  Actions: "step": a period ends and the table
 * is trimmed, result is how many were given back; "schedule": a period ends, a trim will
 * follow; "forget": as at the interpreter's exit; "fork": fork and resolve the stack in the
 * child too, result is the child's wait status.
 */
PyObject *debug_code_table(PyObject *module, PyObject *action);

#define DEBUG_STACK_METHODS \
	{"_stack", debug_stack, METH_O, NULL}, \
	{"_stack_slowly", debug_stack_slowly, METH_O, NULL}, \
	{"_stack_variables", debug_stack_variables, METH_O, NULL}, \
	{"_stack_way", debug_stack_way, METH_NOARGS, NULL}, \
	{"_stack_refuse", debug_stack_refuse, METH_NOARGS, NULL}, \
	{"_stack_prove", debug_stack_prove, METH_VARARGS, NULL}, \
	{"_stack_cost", debug_stack_cost, METH_O, NULL}, \
	{"_code_table", debug_code_table, METH_O, NULL}

#endif
