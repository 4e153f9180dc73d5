/*
 * py_symbols.c - look up by name what the limited API leaves out.
 */
#include <config.h>

#include "collector/py_symbols.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct py_symbols py_symbols;

const struct py_symbol_info py_symbol_infos[] = {
#define PY_FUNCTION(result, name, arguments, why) {#name, why, offsetof(struct py_symbols, name)},
#define PY_DATA(name, why) {#name, why, offsetof(struct py_symbols, name)},
#include "collector/py_symbols.def"
#undef PY_FUNCTION
#undef PY_DATA
};

const size_t py_symbols_count = sizeof(py_symbol_infos) / sizeof(*py_symbol_infos);

size_t py_symbols_init(void)
{
	size_t found = 0;
	for (size_t i = 0; i < py_symbols_count; i++) {
		void *address = dlsym(RTLD_DEFAULT, py_symbol_infos[i].name);
		memcpy((char *)&py_symbols + py_symbol_infos[i].offset, &address, sizeof(address));
		found += address != NULL;
	}
	return found;
}

int py_symbols_found(const struct py_symbol_info *info)
{
	void *address;
	memcpy(&address, (const char *)&py_symbols + info->offset, sizeof(address));
	return address != NULL;
}

uint32_t py_symbols_version(void)
{
	unsigned major = 0, minor = 0;
	if (sscanf(Py_GetVersion(), "%u.%u", &major, &minor) != 2)
		return 0;
	return major << 24 | minor << 16;
}
