/*
 * py_text.c - from str to UTF-8, whatever is in it.
 *
 * PyUnicode_AsUTF8AndSize() would raise on a lone surrogate, and an exception is an object
 * that the garbage collector counts.  So: take the code points, encode them here.
 */
#include <config.h>

#include "collector/py_text.h"

#include <stdio.h>
#include <stdlib.h>

/* The longest that one code point may become: \udc80 */
enum { POINT_BYTES_MAX = 6 };

static char *put_escape(char *out, Py_UCS4 point)
{
	return out + sprintf(out, point ? "\\u%04x" : "\\x%02x", (unsigned)point);
}

static char *put_tail(char *out, Py_UCS4 point, int n_bytes)
{
	while (n_bytes-- > 0)
		*out++ = (char)(0x80 | (point >> (6 * n_bytes) & 0x3f));
	return out;
}

static char *put_point(char *out, Py_UCS4 point)
{
	if (point == 0 || (point >= 0xd800 && point <= 0xdfff))
		return put_escape(out, point);
	if (point < 0x80) {
		*out++ = (char)point;
		return out;
	}
	if (point < 0x800) {
		*out++ = (char)(0xc0 | point >> 6);
		return put_tail(out, point, 1);
	}
	if (point < 0x10000) {
		*out++ = (char)(0xe0 | point >> 12);
		return put_tail(out, point, 2);
	}
	*out++ = (char)(0xf0 | point >> 18);
	return put_tail(out, point, 3);
}

static char *encode(const Py_UCS4 *points, size_t n)
{
	char *text = malloc(n * POINT_BYTES_MAX + 1), *end = text;
	if (!text)
		return NULL;
	for (size_t i = 0; i < n; i++)
		end = put_point(end, points[i]);
	*end = '\0';
	char *fitting = realloc(text, (size_t)(end - text) + 1);
	return fitting ? fitting : text;
}

char *py_text(PyObject *string)
{
	if (!string || !PyUnicode_Check(string))
		return NULL;
	Py_ssize_t n = PyUnicode_GetLength(string);
	Py_UCS4 *points = malloc(((size_t)n + 1) * sizeof(*points));
	if (!points)
		return NULL;
	char *text = PyUnicode_AsUCS4(string, points, n, 0) ? encode(points, (size_t)n) : NULL;
	free(points);
	return text;
}
