/*
 * api_read_profile.c - read_profile(): a pprof file as Python lists and tuples.
 *
 * The file is read and checked without the GIL; then it is only copied.  Stacks share most
 * of their frames, so a frame's tuple is made once and kept by its address in a dictionary.
 */
#include <config.h>

#include "module/api.h"

#include <errno.h>

#include "module/convert.h"
#include "runtime/error.h"
#include "upload/pprof_read.h"

/* Far above any profile that is worth reading, and below what would make a machine swap. */
static const size_t memory_max_bytes = (size_t)2 << 30;

/* ---- a list of anything ----------------------------------------------------------------- */

typedef PyObject *(*item_maker)(const struct pprof_file *file, size_t i, PyObject *context);

static PyObject *list_of(const struct pprof_file *file, size_t n, item_maker make, PyObject *context)
{
	PyObject *list = PyList_New((Py_ssize_t)n);
	for (size_t i = 0; list && i < n; i++) {
		PyObject *item = make(file, i, context);
		if (!item || PyList_SetItem(list, (Py_ssize_t)i, item) < 0)
			Py_CLEAR(list);
	}
	return list;
}

static PyObject *sample_type(const struct pprof_file *file, size_t i, PyObject *unused)
{
	(void)unused;
	return Py_BuildValue("(NN)", text_object(file->types[i].name), text_object(file->types[i].unit));
}

static PyObject *comment(const struct pprof_file *file, size_t i, PyObject *unused)
{
	(void)unused;
	return text_object(file->comments[i]);
}

/* ---- samples ---------------------------------------------------------------------------- */

static PyObject *new_frame(const struct pprof_file_frame *frame)
{
	return Py_BuildValue("(NNL)", text_object(frame->function), text_object(frame->filename),
			     (long long)frame->line);
}

static PyObject *frame_tuple(const struct pprof_file_frame *frame, PyObject *known)
{
	PyObject *key = PyLong_FromVoidPtr((void *)(uintptr_t)frame);
	PyObject *tuple = key ? PyDict_GetItemWithError(known, key) : NULL;	/* borrowed */
	Py_XINCREF(tuple);
	if (!tuple && !PyErr_Occurred()) {
		tuple = new_frame(frame);
		if (tuple && PyDict_SetItem(known, key, tuple) < 0)
			Py_CLEAR(tuple);
	}
	Py_XDECREF(key);
	return tuple;
}

static PyObject *frame_list(const struct pprof_file_sample *sample, PyObject *known)
{
	PyObject *list = PyList_New((Py_ssize_t)sample->n_frames);
	for (size_t i = 0; list && i < sample->n_frames; i++) {
		PyObject *frame = frame_tuple(sample->frames[i], known);
		if (!frame || PyList_SetItem(list, (Py_ssize_t)i, frame) < 0)
			Py_CLEAR(list);
	}
	return list;
}

static PyObject *label_dict(const struct pprof_file_sample *sample)
{
	PyObject *dict = PyDict_New();
	for (size_t i = 0; dict && i < sample->n_labels; i++) {
		const struct pprof_file_label *label = &sample->labels[i];
		PyObject *value = label->string ? text_object(label->string) : PyLong_FromLongLong(label->number);
		if (record_set(dict, label->key, value) < 0)
			Py_CLEAR(dict);
	}
	return dict;
}

static PyObject *value_tuple(const struct pprof_file_sample *sample, size_t n)
{
	PyObject *tuple = PyTuple_New((Py_ssize_t)n);
	for (size_t i = 0; tuple && i < n; i++) {
		PyObject *value = PyLong_FromLongLong(sample->values[i]);
		if (!value || PyTuple_SetItem(tuple, (Py_ssize_t)i, value) < 0)
			Py_CLEAR(tuple);
	}
	return tuple;
}

static PyObject *sample_tuple(const struct pprof_file *file, size_t i, PyObject *known)
{
	const struct pprof_file_sample *sample = &file->samples[i];
	PyObject *frames = frame_list(sample, known);
	PyObject *labels = frames ? label_dict(sample) : NULL;
	PyObject *values = labels ? value_tuple(sample, file->n_types) : NULL;
	PyObject *tuple = values ? PyTuple_Pack(3, frames, labels, values) : NULL;
	Py_XDECREF(frames);
	Py_XDECREF(labels);
	Py_XDECREF(values);
	return tuple;
}

static PyObject *sample_list(const struct pprof_file *file)
{
	PyObject *known = PyDict_New();
	PyObject *list = known ? list_of(file, file->n_samples, sample_tuple, known) : NULL;
	Py_XDECREF(known);
	return list;
}

/* ---- the whole ---------------------------------------------------------------------------- */

static int fill_profile(PyObject *record, const struct pprof_file *file)
{
#define FIELD_Profile(key, value) \
	if (record_set(record, #key, value) < 0) \
		return -1;
#include "module/records.def"
	return 0;
}

static PyObject *profile_record(const struct pprof_file *file)
{
	PyObject *record = PyDict_New();
	if (record && fill_profile(record, file) < 0)
		Py_CLEAR(record);
	return record;
}

static PyObject *read_failed(int error, int os_error, const char *message, PyObject *path)
{
	if (error == ERR_NOMEM)
		return PyErr_NoMemory();
	if (error == ERR_IO && os_error) {
		errno = os_error;
		return PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, path);
	}
	PyErr_SetString(error == ERR_IO ? PyExc_OSError : PyExc_ValueError, message);
	return NULL;
}

PyObject *api_read_profile(PyObject *module, PyObject *argument)
{
	(void)module;
	PyObject *path;
	if (!PyUnicode_FSConverter(argument, &path))
		return NULL;
	struct pprof_file *file = NULL;
	char message[PPROF_MESSAGE_BYTES];
	const char *name = PyBytes_AsString(path);
	int error, os_error;
	Py_BEGIN_ALLOW_THREADS
	errno = 0;
	error = pprof_read_path(name, memory_max_bytes, &file, message);
	os_error = errno;
	Py_END_ALLOW_THREADS
	PyObject *record = error ? read_failed(error, os_error, message, argument) : profile_record(file);
	pprof_file_free(file);
	Py_DECREF(path);
	return record;
}
