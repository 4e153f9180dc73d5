/*
 * api_options.c - options() and sample_types(): the tables, as Python sees them.
 */
#include <config.h>

#include "module/api.h"

#include <math.h>
#include <stdlib.h>

#include "module/control.h"
#include "module/convert.h"
#include "runtime/sample.h"

static int append_text(PyObject *list, const char *text)
{
	PyObject *object = text_object(text);
	int error = object ? PyList_Append(list, object) : -1;
	Py_XDECREF(object);
	return error;
}

static PyObject *variable_names(const struct option_info *info)
{
	PyObject *list = PyList_New(0);
	int error = list ? append_text(list, info->variable) : 0;
	for (const char *const *shared = info->shared_variables; list && !error && *shared; shared++)
		error = append_text(list, *shared);
	if (error)
		Py_CLEAR(list);
	return list;
}

static PyObject *limit_object(const struct option_info *info, double limit)
{
	if (info->type == OPTION_BOOL || info->room)
		Py_RETURN_NONE;
	return PyFloat_FromDouble(limit);
}

static int fill_option(PyObject *record, const struct options *options, const struct options *defaults,
		       enum option_id id)
{
	const struct option_info *info = &option_infos[id];
#define FIELD_Option(key, value) \
	if (record_set(record, #key, value) < 0) \
		return -1;
#include "module/records.def"
	return 0;
}

/* Append an option's record to the list. */
static int append_option(PyObject *list, const struct options *options, const struct options *defaults,
			 enum option_id id)
{
	PyObject *record = PyDict_New();
	int error = record ? fill_option(record, options, defaults, id) : -1;
	if (!error)
		error = PyList_Append(list, record);
	Py_XDECREF(record);
	return error;
}

PyObject *api_options(PyObject *module, PyObject *unused)
{
	(void)module, (void)unused;
	struct options options, defaults;
	options_init(&defaults);
	control_options_in_force(&options);
	PyObject *list = PyList_New(0);
	for (enum option_id id = 0; list && id < OPTIONS; id++)
		if (append_option(list, &options, &defaults, id) < 0)
			Py_CLEAR(list);
	return list;
}

PyObject *api_sample_types(PyObject *module, PyObject *unused)
{
	(void)module, (void)unused;
	PyObject *list = PyList_New(0);
	for (size_t i = 0; list && i < SAMPLE_TYPES; i++) {
		const struct sample_type_info *info = &sample_type_infos[i];
		PyObject *row = Py_BuildValue("(sss)", info->name, info->unit, info->doc);
		if (!row || PyList_Append(list, row) < 0)
			Py_CLEAR(list);
		Py_XDECREF(row);
	}
	return list;
}
