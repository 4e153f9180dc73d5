/*
 * convert.h - between C values and Python objects.
 *
 * With the GIL held.  New references; NULL or -1 with an exception set.
 */
#ifndef SNECK_MODULE_CONVERT_H
#define SNECK_MODULE_CONVERT_H

#include <Python.h>

#include "runtime/options.h"

/* UTF-8; what is not, is replaced.  NULL gives None. */
PyObject *text_object(const char *text);

/* Put a value under a key; steals it, and takes NULL for an error that is set. */
int record_set(PyObject *record, const char *key, PyObject *value);

/* ---- options ------------------------------------------------------------------------- */

/* As start() would take it. */
PyObject *option_value(const struct options *options, enum option_id id);

/* "bool", "int", "float" or "str".  Static. */
const char *option_type_name(enum option_id id);

/* Set one from the value of a keyword: TypeError for another type, ValueError as the table says. */
int option_set_from(struct options *options, enum option_id id, PyObject *value);

/* Set those named in a dictionary, which may be NULL; TypeError for a name that is none. */
int options_set_from(struct options *options, PyObject *keywords);

#endif
