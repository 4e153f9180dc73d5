/*
 * py_text.h - Python strings as C text.
 */
#ifndef SNECK_COLLECTOR_PY_TEXT_H
#define SNECK_COLLECTOR_PY_TEXT_H

#include <Python.h>

/*
 * A str as valid UTF-8.  Lone surrogates and NUL come out as Python's backslashreplace has
 * them (\udc80, \x00).  Gives (free()); NULL without memory, or if it is no str.
 *
 * With the GIL; may be called inside a sample: runs no Python code, allocates no object
 * but what the garbage collector ignores, leaves exceptions as they were.
 */
char *py_text(PyObject *string);

#endif
