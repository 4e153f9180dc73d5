/*
 * module.c - the extension _sneck: one module object, one table of functions.
 *
 * The module has no state of its own: what runs, runs in the process, for all of its
 * interpreters.  So it may be loaded into each of them, those with a GIL of their own too.
 */
#include <config.h>

#include <Python.h>

#include <stdbool.h>

#include "module/api.h"
#include "module/api_docs.h"
#include "module/c_interface.h"
#include "module/convert.h"
#include "module/debug_names.h"
#include "module/debug_stack.h"

#define API_FLAGS_NOARGS METH_NOARGS
#define API_FLAGS_O METH_O
#define API_FLAGS_KEYWORDS (METH_VARARGS | METH_KEYWORDS)

static PyMethodDef methods[] = {
#define API(name, function, flags, signature, doc) \
	{#name, (PyCFunction)(void (*)(void))function, API_FLAGS_##flags, API_DOC_##name},
#include "module/api.def"
#undef API
	DEBUG_STACK_METHODS,
	DEBUG_NAMES_METHODS,
	{0},
};

static int set_up(PyObject *module)
{
	int error = PyModule_AddStringConstant(module, "__version__", PACKAGE_VERSION);
	return error ? error : c_interface_add(module);
}

/*
 * Py_mod_multiple_interpreters = Py_MOD_PER_INTERPRETER_GIL_SUPPORTED, from 3.12 on.  The
 * limited API of 3.10 has no name for it, and 3.10 and 3.11 refuse a slot they do not know:
 * hence two definitions, and a choice at run time.
 */
enum { SLOT_MULTIPLE_INTERPRETERS = 3 };
#define OWN_GIL_SUPPORTED ((void *)2)

static PyModuleDef_Slot slots[] = {{Py_mod_exec, set_up}, {SLOT_MULTIPLE_INTERPRETERS, OWN_GIL_SUPPORTED}, {0}};
static PyModuleDef_Slot slots_before_3_12[] = {{Py_mod_exec, set_up}, {0}};

#define DEFINITION(slots_) \
	{PyModuleDef_HEAD_INIT, .m_name = "_sneck", .m_doc = "What sneck's Python modules stand on.", .m_size = 0, \
	 .m_methods = methods, .m_slots = (slots_)}

static struct PyModuleDef definition = DEFINITION(slots);
static struct PyModuleDef definition_before_3_12 = DEFINITION(slots_before_3_12);

static bool is_before_3_12(void)
{
	PyObject *version = PySys_GetObject("hexversion");	/* borrowed; of the running interpreter */
	return version && PyLong_AsLong(version) < 0x030c0000;
}

PyMODINIT_FUNC PyInit__sneck(void);

PyMODINIT_FUNC PyInit__sneck(void)
{
	return PyModuleDef_Init(is_before_3_12() ? &definition_before_3_12 : &definition);
}
