/*
 * convert.c - Python values as texts and back, so that options have one parser.
 */
#include <config.h>

#include "module/convert.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"

PyObject *text_object(const char *text)
{
	if (!text)
		Py_RETURN_NONE;
	return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
}

int record_set(PyObject *record, const char *key, PyObject *value)
{
	if (!value)
		return -1;
	int error = PyDict_SetItemString(record, key, value);
	Py_DECREF(value);
	return error;
}

/* ---- from C ---------------------------------------------------------------------------- */

static PyObject *shown_text(const struct options *options, enum option_id id)
{
	char *text = option_shown_text(id, options_string(options, id));
	PyObject *object = text ? PyUnicode_DecodeFSDefault(text) : PyErr_NoMemory();
	free(text);
	return object;
}

PyObject *option_value(const struct options *options, enum option_id id)
{
	switch (option_infos[id].type) {
	case OPTION_BOOL:
		return PyBool_FromLong(options_bool(options, id));
	case OPTION_INT:
		return PyLong_FromLongLong(options_int(options, id));
	case OPTION_STRING:
	case OPTION_NAME:
	case OPTION_SECRET:
		return shown_text(options, id);
	default:
		return PyFloat_FromDouble(options_double(options, id));
	}
}

const char *option_type_name(enum option_id id)
{
	switch (option_infos[id].type) {
	case OPTION_BOOL:
		return "bool";
	case OPTION_INT:
		return "int";
	case OPTION_STRING:
	case OPTION_NAME:
	case OPTION_SECRET:
		return "str";
	default:
		return "float";
	}
}

/* ---- to C ------------------------------------------------------------------------------ */

static PyObject *bool_text(PyObject *value)
{
	if (!PyBool_Check(value)) {
		PyErr_SetString(PyExc_TypeError, "must be True or False");
		return NULL;
	}
	return PyBytes_FromString(value == Py_True ? "1" : "0");
}

static bool is_whole(PyObject *value)
{
	return PyIndex_Check(value) && !PyBool_Check(value);
}

static PyObject *int_text(PyObject *value)
{
	if (!is_whole(value)) {
		PyErr_SetString(PyExc_TypeError, "must be an int");
		return NULL;
	}
	PyObject *digits = PyNumber_ToBase(value, 10);
	PyObject *text = digits ? PyUnicode_AsASCIIString(digits) : NULL;
	Py_XDECREF(digits);
	return text;
}

static PyObject *double_text(PyObject *value)
{
	if (!PyFloat_Check(value) && !is_whole(value)) {
		PyErr_SetString(PyExc_TypeError, "must be a number");
		return NULL;
	}
	double number = PyFloat_AsDouble(value);
	if (number == -1 && PyErr_Occurred())
		return NULL;
	char *digits = PyOS_double_to_string(number, 'r', 0, 0, NULL);
	if (!digits)
		return NULL;
	PyObject *text = PyBytes_FromString(digits);
	PyMem_Free(digits);
	return text;
}

static PyObject *string_text(PyObject *value)
{
	PyObject *text = NULL;
	return PyUnicode_FSConverter(value, &text) ? text : NULL;
}

/* The value as the environment would have it, in bytes. */
static PyObject *option_text(enum option_id id, PyObject *value)
{
	switch (option_infos[id].type) {
	case OPTION_BOOL:
		return bool_text(value);
	case OPTION_INT:
		return int_text(value);
	case OPTION_STRING:
	case OPTION_NAME:
	case OPTION_SECRET:
		return string_text(value);
	default:
		return double_text(value);
	}
}

/* Put the option's name before the exception's words; its type stays. */
static void name_in_error(enum option_id id)
{
	PyObject *type, *value, *traceback;
	PyErr_Fetch(&type, &value, &traceback);
	PyErr_Format(type, "%s: %S", option_infos[id].name, value ? value : type);
	Py_XDECREF(type);
	Py_XDECREF(value);
	Py_XDECREF(traceback);
}

int option_set_from(struct options *options, enum option_id id, PyObject *value)
{
	PyObject *text = option_text(id, value);
	if (!text) {
		name_in_error(id);
		return -1;
	}
	char problem[OPTION_PROBLEM_MAX];
	int error = options_set(options, id, PyBytes_AsString(text), OPTION_BY_ARGUMENT, problem);
	Py_DECREF(text);
	if (error != ERR_INVALID)
		return 0;
	PyErr_Format(PyExc_ValueError, "%s: %R %s", option_infos[id].name, value, problem);
	return -1;
}

/* The option that start() knows under this name, or OPTIONS. */
static enum option_id find_keyword(PyObject *name)
{
	for (enum option_id id = 0; id < OPTIONS; id++) {
		const char *keyword = option_infos[id].keyword;
		if (keyword && PyUnicode_CompareWithASCIIString(name, keyword) == 0)
			return id;
	}
	return OPTIONS;
}

int options_set_from(struct options *options, PyObject *keywords)
{
	PyObject *name, *value;
	for (Py_ssize_t i = 0; keywords && PyDict_Next(keywords, &i, &name, &value);) {
		enum option_id id = find_keyword(name);
		if (id == OPTIONS) {
			PyErr_Format(PyExc_TypeError, "there is no option %R", name);
			return -1;
		}
		if (option_set_from(options, id, value) < 0)
			return -1;
	}
	return 0;
}
