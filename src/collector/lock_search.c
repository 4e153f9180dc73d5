/*
 * lock_search.c - look for one object among what a frame can reach.
 *
 *	locals, cells -> globals -> their attributes, items -> attributes of attributes
 *
 * The nearest name wins.  An instance's attributes cannot be listed (that would make its
 * dictionary), so they are tried by name: the names that the frame's own code uses, which it
 * needs to reach the lock at all, and those that the class's __init__ uses.
 *
 * Of a class's members only plain values and slots are read; whatever else stands in the way
 * of a name (a property, a method, a descriptor) hides it, and is left alone.
 */
#include <config.h>

#include "collector/lock_search.h"

#include <stdint.h>
#include <string.h>
#include <structmember.h>

#include "collector/py_symbols.h"
#include "runtime/py_frames.h"

/* The head of a PyMemberDescrObject, proved in lock_search_init(). */
struct member_descriptor {
	PyObject head;
	PyObject *type, *name, *qualified_name;
	const PyMemberDef *member;
};

enum {
	LEVELS = 2,
	ATTRIBUTE_PRICE = 4,	/* a lookup by name takes as long as looking at four items; measured, 60 to 80 ns */
};

struct search {
	PyObject *wanted;
	PyObject *names;	/* tuple: co_names of the frame's code */
	PyObject *init;		/* str "__init__" */
	int budget;
	struct lock_finding *finding;
};

static bool slots_are_proved;

/* ---- single steps ------------------------------------------------------------------------ */

/* Pay for a look at something; false when there is nothing left, or nothing left to find. */
static bool spend(struct search *s, int price)
{
	if (s->budget <= 0 || s->finding->name)
		return false;
	s->budget -= price;
	return true;
}

static void found(struct search *s, PyObject *name, bool in_container, PyObject *object)
{
	if (s->finding->name || !name || !PyUnicode_Check(name))
		return;
	s->finding->name = Py_NewRef(name);
	s->finding->in_container = in_container;
	if (!object || PyModule_Check(object))
		return;
	s->finding->owner = PyType_Check(object) ? (PyTypeObject *)object : Py_TYPE(object);
}

static bool is_found(const struct search *s)
{
	return s->finding->name != NULL;
}

/*
 * A slot's value, or NULL; new reference.  A class may have the descriptor of another, `lock = Other.lock`,
 * whose objects are larger than its own.
 */
static PyObject *slot_value(PyObject *object, PyObject *descriptor)
{
	const struct member_descriptor *slot = (struct member_descriptor *)descriptor;
	if (!slots_are_proved || !PyType_IsSubtype(Py_TYPE(object), (PyTypeObject *)slot->type))
		return NULL;
	const PyMemberDef *member = slot->member;
	PyObject *value;
	if (member->type != T_OBJECT && member->type != T_OBJECT_EX)
		return NULL;
	memcpy(&value, (char *)object + member->offset, sizeof(value));
	return Py_XNewRef(value);
}

static PyObject *instance_attribute(PyObject *object, PyObject *name)
{
	PyObject *member = py_symbols._PyType_Lookup((PyObject *)Py_TYPE(object), name);
	if (member && (void *)Py_TYPE(member) == py_symbols.PyMemberDescr_Type)
		return slot_value(object, member);
	if (member && PyType_GetSlot(Py_TYPE(member), Py_tp_descr_get))
		return NULL;
	return py_symbols._PyObject_GenericGetAttrWithDict(object, name, NULL, 1);
}

/* What object.name is without running anything; new reference or NULL. */
static PyObject *attribute(PyObject *object, PyObject *name)
{
	if (PyModule_Check(object))
		return Py_XNewRef(PyDict_GetItemWithError(PyModule_GetDict(object), name));
	if (PyType_Check(object))
		return Py_XNewRef(py_symbols._PyType_Lookup(object, name));
	return instance_attribute(object, name);
}

static PyObject *cell_content(PyObject *value)
{
	if ((void *)Py_TYPE(value) == py_symbols.PyCell_Type && py_symbols.PyCell_Get)
		return py_symbols.PyCell_Get(value);
	return Py_NewRef(value);
}

/* Tuple of the names that a class's __init__ uses, new reference or NULL. */
static PyObject *names_of_init(struct search *s, PyObject *object)
{
	PyObject *type = PyType_Check(object) ? object : (PyObject *)Py_TYPE(object);
	PyObject *init = s->init ? py_symbols._PyType_Lookup(type, s->init) : NULL;
	if (!init || (void *)Py_TYPE(init) != py_symbols.PyFunction_Type || !py_symbols.PyFunction_GetCode)
		return NULL;
	return PyObject_GetAttrString(py_symbols.PyFunction_GetCode(init), "co_names");
}

/* ---- items ---------------------------------------------------------------------------------- */

static bool dict_has(struct search *s, PyObject *dict)
{
	PyObject *key, *value;
	for (Py_ssize_t at = 0; PyDict_Next(dict, &at, &key, &value) && spend(s, 1);)
		if (value == s->wanted)
			return true;
	return false;
}

static bool sequence_has(struct search *s, PyObject *sequence, Py_ssize_t n, PyObject *(*get)(PyObject *, Py_ssize_t))
{
	for (Py_ssize_t i = 0; i < n && spend(s, 1); i++)
		if (get(sequence, i) == s->wanted)
			return true;
	return false;
}

static bool has_item(struct search *s, PyObject *object)
{
	if (PyDict_Check(object))
		return dict_has(s, object);
	if (PyList_Check(object))
		return sequence_has(s, object, PyList_Size(object), PyList_GetItem);
	return PyTuple_Check(object) && sequence_has(s, object, PyTuple_Size(object), PyTuple_GetItem);
}

/* ---- attributes ------------------------------------------------------------------------------- */

static void search_object(struct search *s, PyObject *object, int level);

/* One attribute: itself at level 0, its items at 1, its own attributes at 2. */
static void search_attribute(struct search *s, PyObject *object, PyObject *name, int level)
{
	PyObject *value = attribute(object, name);
	if (!value)
		return;
	if (value == s->wanted)
		found(s, name, false, object);
	else if (level == 1 && has_item(s, value))
		found(s, name, true, object);
	else if (level == 2 && value != object)
		search_object(s, value, 1);
	Py_DECREF(value);
}

static void search_names(struct search *s, PyObject *object, PyObject *names, int level)
{
	Py_ssize_t n = names && PyTuple_Check(names) ? PyTuple_Size(names) : 0;
	for (Py_ssize_t i = 0; i < n && spend(s, ATTRIBUTE_PRICE); i++)
		search_attribute(s, object, PyTuple_GetItem(names, i), level);
}

/* All that is up to so many levels below this object. */
static void search_object(struct search *s, PyObject *object, int level)
{
	PyObject *names = names_of_init(s, object);
	for (int i = 0; i <= level && !is_found(s); i++) {
		search_names(s, object, s->names, i);
		search_names(s, object, names, i);
	}
	Py_XDECREF(names);
}

static bool may_have_attributes(PyObject *object)
{
	return !PyUnicode_Check(object) && !PyLong_Check(object) && !PyFloat_Check(object) && object != Py_None
		&& !PyBytes_Check(object) && (void *)Py_TYPE(object) != py_symbols.PyFunction_Type;
}

/* What a variable holds: its items, then its attributes down to `level`. */
static void search_value(struct search *s, PyObject *name, PyObject *value, int level)
{
	if (has_item(s, value))
		found(s, name, true, NULL);
	else if (may_have_attributes(value))
		search_object(s, value, level);
}

/* ---- variables ----------------------------------------------------------------------------------- */

/* Level -1 looks at the variables themselves, 0 and up at what they hold. */
static void search_variable(struct search *s, PyObject *name, PyObject *value, int level)
{
	if (!value)
		return;
	if (level >= 0)
		search_value(s, name, value, level);
	else if (value == s->wanted)
		found(s, name, false, NULL);
}

static void search_slots(struct search *s, const struct py_frame_variables *variables, int level)
{
	for (size_t i = 0; i < variables->n_slots && spend(s, 1); i++) {
		uintptr_t name = 0, value = py_frames_variable(variables, i, &name);
		PyObject *content = value ? cell_content((PyObject *)value) : NULL;
		search_variable(s, (PyObject *)name, content, level);
		Py_XDECREF(content);
	}
}

static void search_dict(struct search *s, PyObject *dict)
{
	PyObject *key, *value;
	for (Py_ssize_t at = 0; PyDict_Next(dict, &at, &key, &value) && spend(s, 1);)
		if (value == s->wanted)
			found(s, key, false, NULL);
}

/* Those of a dictionary's values that the frame's code names. */
static void search_named(struct search *s, PyObject *dict, int level)
{
	Py_ssize_t n = s->names && PyTuple_Check(s->names) ? PyTuple_Size(s->names) : 0;
	for (Py_ssize_t i = 0; i < n && spend(s, 1); i++) {
		PyObject *name = PyTuple_GetItem(s->names, i);
		search_variable(s, name, PyDict_GetItemWithError(dict, name), level);
	}
}

static PyObject *dict_or_null(uintptr_t address)
{
	PyObject *object = (PyObject *)address;
	return object && PyDict_Check(object) ? object : NULL;
}

static void search_frame(struct search *s, const struct py_frame_variables *variables, bool attributes)
{
	PyObject *globals = dict_or_null(variables->globals), *namespace = dict_or_null(variables->namespace);
	search_slots(s, variables, -1);
	if (namespace)
		search_dict(s, namespace);
	if (attributes)
		search_slots(s, variables, 0);
	if (globals) {
		search_named(s, globals, -1);
		if (globals != namespace)
			search_dict(s, globals);
	}
	for (int level = 0; attributes && level <= LEVELS && !is_found(s); level++) {
		search_slots(s, variables, level);
		if (namespace)
			search_named(s, namespace, level);
		if (globals && globals != namespace)
			search_named(s, globals, level);
	}
}

void lock_search(const void *tstate, size_t index, PyObject *wanted, bool attributes, struct lock_finding *finding)
{
	struct py_frame_variables variables;
	memset(finding, 0, sizeof(*finding));
	if (PyErr_Occurred() || !py_frames_variables(tstate, index, &variables))
		return;
	struct search s = {.wanted = wanted, .budget = LOCK_SEARCH_MAX, .finding = finding};
	attributes = attributes && py_symbols._PyType_Lookup && py_symbols._PyObject_GenericGetAttrWithDict;
	s.names = PyObject_GetAttrString((PyObject *)variables.code, "co_names");
	s.init = PyUnicode_InternFromString("__init__");
	search_frame(&s, &variables, attributes);
	Py_XDECREF(s.names);
	Py_XDECREF(s.init);
	if (PyErr_Occurred())
		PyErr_Clear();
}

PyObject *lock_search_first_argument(const void *tstate, size_t index)
{
	struct py_frame_variables variables;
	uintptr_t name;
	if (!py_frames_variables(tstate, index, &variables) || variables.n_slots == 0)
		return NULL;
	PyObject *value = (PyObject *)py_frames_variable(&variables, 0, &name);
	if (!value || (void *)Py_TYPE(value) != py_symbols.PyCell_Type || !py_symbols.PyCell_Get)
		return value;
	value = py_symbols.PyCell_Get(value);	/* the cell goes on keeping it */
	Py_XDECREF(value);
	return value;
}

/* ---- proof ------------------------------------------------------------------------------------------ */

static bool has_expected_size(PyObject *type)
{
	PyObject *size = PyObject_GetAttrString(type, "__basicsize__");
	bool answer = size && PyLong_AsSsize_t(size) == (Py_ssize_t)sizeof(struct member_descriptor);
	Py_XDECREF(size);
	return answer;
}

/* A member that we can ask for in two ways: does our way give the same? */
static bool reads_as_expected(PyObject *object, PyObject *name)
{
	PyObject *member = py_symbols._PyType_Lookup((PyObject *)Py_TYPE(object), name);
	if (!member || (void *)Py_TYPE(member) != py_symbols.PyMemberDescr_Type
	    || ((struct member_descriptor *)member)->type != (PyObject *)Py_TYPE(object))
		return false;
	slots_are_proved = true;
	PyObject *ours = slot_value(object, member), *theirs = PyObject_GetAttr(object, name);
	bool answer = ours && ours == theirs;
	Py_XDECREF(ours);
	Py_XDECREF(theirs);
	return answer;
}

void lock_search_init(void)
{
	PyObject *code = Py_CompileString("lock = 0", "<sneck>", Py_file_input);
	PyObject *name = PyUnicode_InternFromString("co_names");
	slots_are_proved = code && name && py_symbols._PyType_Lookup && py_symbols.PyMemberDescr_Type
		&& has_expected_size((PyObject *)py_symbols.PyMemberDescr_Type) && reads_as_expected(code, name);
	Py_XDECREF(code);
	Py_XDECREF(name);
	PyErr_Clear();
}
