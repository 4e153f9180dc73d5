/*
 * py_symbols.h - the one place that knows symbols outside the limited API.
 *
 * They are looked up by name at run time, so that one extension serves every version.  Test
 * before use: any of them may be NULL.  The table is py_symbols.def.
 */
#ifndef SNECK_COLLECTOR_PY_SYMBOLS_H
#define SNECK_COLLECTOR_PY_SYMBOLS_H

#include <Python.h>

struct py_symbols {
#define PY_FUNCTION(result, name, arguments, why) result(*name) arguments;
#define PY_DATA(name, why) void *name;
#include "collector/py_symbols.def"
#undef PY_FUNCTION
#undef PY_DATA
};

extern struct py_symbols py_symbols;

struct py_symbol_info {
	const char *name, *why;
	size_t offset;		/* of its pointer, into struct py_symbols */
};

extern const struct py_symbol_info py_symbol_infos[];
extern const size_t py_symbols_count;

/* Look all of them up.  With the GIL; again does no harm.  The answer is how many were found. */
size_t py_symbols_init(void);

/* Whether this one was found: for status(). */
int py_symbols_found(const struct py_symbol_info *info);

/* The running interpreter's version as Py_Version has it from 3.11 on, major and minor alone. */
uint32_t py_symbols_version(void);

#endif
