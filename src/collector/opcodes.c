/*
 * opcodes.c - what the running interpreter's instructions do to the value stack.
 *
 * opcodes.def says what kinds of instruction matter, by name; the module `opcode` gives the
 * numbers, PyCompile_OpcodeStackEffectWithJump() what each does to the stack.  So a new
 * version that renumbers or adds caches costs nothing, one that renames costs a row.
 */
#include <config.h>

#include "collector/opcodes.h"

#include <Python.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "collector/py_symbols.h"
#include "runtime/error.h"

enum { UNIT_BYTES = 2, OPCODES = 256 };

/* What the interpreter answers when instruction and argument do not go together. */
enum { EFFECT_INVALID = INT_MAX };

static struct opcode opcodes[OPCODES];
static int extended_arg = -1, cache = -1;
static bool have_precall, global_has_flag, attribute_has_flag, one_row;
static int load_global = -1, load_attr = -1;

static const struct row {
	const char *name;
	uint8_t kind, pops, pops_per_argument;
} rows[] = {
#define OPCODE(name, kind, pops, per_argument) {#name, OP_##kind, pops, per_argument},
#include "collector/opcodes.def"
#undef OPCODE
};

/* The number of an instruction, or -1 when this version has none of that name. */
static int number_of(PyObject *map, const char *name)
{
	PyObject *number = PyMapping_GetItemString(map, name);
	long value = number ? PyLong_AsLong(number) : -1;
	Py_XDECREF(number);
	PyErr_Clear();
	return value >= 0 && value < OPCODES ? (int)value : -1;
}

static void learn_rows(PyObject *map)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int number = number_of(map, rows[i].name);
		if (number < 0)
			continue;
		struct opcode *op = &opcodes[number];
		op->kind = rows[i].kind;
		op->pops = rows[i].pops;
		op->pops_per_argument = rows[i].pops_per_argument;
		op->jumps_backward = strstr(rows[i].name, "BACKWARD") != NULL;
	}
}

/* STORE_FAST_LOAD_FAST and its like: any two halves that this version has joined. */
static void learn_pairs(PyObject *map)
{
	static const struct {
		const char *name;
		uint8_t kind;
	} halves[] = {
		{"LOAD_FAST", OP_LOAD_FAST}, {"LOAD_FAST_BORROW", OP_LOAD_FAST}, {"STORE_FAST", OP_STORE_FAST},
	};
	enum { N = sizeof(halves) / sizeof(*halves) };

	for (size_t i = 0; i < N * N; i++) {
		char name[64];
		snprintf(name, sizeof(name), "%s_%s", halves[i / N].name, halves[i % N].name);
		int number = number_of(map, name);
		if (number >= 0)
			opcodes[number] = (struct opcode){
				.kind = OP_PAIR, .first = halves[i / N].kind, .second = halves[i % N].kind};
	}
}

static void learn_absolute_jumps(PyObject *module)
{
	PyObject *list = PyObject_GetAttrString(module, "hasjabs");
	Py_ssize_t n = list ? PySequence_Size(list) : 0;
	for (Py_ssize_t i = 0; i < n; i++) {
		PyObject *item = PySequence_GetItem(list, i);
		long number = item ? PyLong_AsLong(item) : -1;
		if (number >= 0 && number < OPCODES)
			opcodes[number].jumps_absolute = true;
		Py_XDECREF(item);
	}
	Py_XDECREF(list);
	PyErr_Clear();
}

/* An argument whose last bit pushes one value more carries the name's index above it. */
static bool last_bit_is_flag(int number)
{
	return py_symbols.PyCompile_OpcodeStackEffectWithJump(number, 1, 0)
		!= py_symbols.PyCompile_OpcodeStackEffectWithJump(number, 0, 0);
}

static int learn(PyObject *module, PyObject *map)
{
	learn_rows(map);
	learn_pairs(map);
	learn_absolute_jumps(module);
	extended_arg = number_of(map, "EXTENDED_ARG");
	cache = number_of(map, "CACHE");
	have_precall = number_of(map, "PRECALL") >= 0;
	load_global = number_of(map, "LOAD_GLOBAL");
	load_attr = number_of(map, "LOAD_ATTR");
	one_row = number_of(map, "MAKE_CELL") >= 0;
	if (extended_arg < 0 || load_global < 0 || load_attr < 0)
		return ERR_LAYOUT;
	global_has_flag = last_bit_is_flag(load_global);
	attribute_has_flag = last_bit_is_flag(load_attr);
	return OK;
}

int opcodes_init(void)
{
	if (!py_symbols.PyCompile_OpcodeStackEffectWithJump)
		return ERR_LAYOUT;
	PyObject *module = PyImport_ImportModule("opcode");
	PyObject *map = module ? PyObject_GetAttrString(module, "opmap") : NULL;
	int error = map ? learn(module, map) : ERR_LAYOUT;
	Py_XDECREF(map);
	Py_XDECREF(module);
	PyErr_Clear();
	return error;
}

bool opcodes_decode(const uint8_t *bytes, size_t n_bytes, size_t at, struct instruction *instruction)
{
	instruction->start = at;
	instruction->argument = 0;
	do {
		if (at + UNIT_BYTES > n_bytes)
			return false;
		instruction->number = bytes[at];
		instruction->argument = instruction->argument << 8 | bytes[at + 1];
		at += UNIT_BYTES;
	} while (instruction->number == extended_arg);
	while (at + UNIT_BYTES <= n_bytes && bytes[at] == cache)
		at += UNIT_BYTES;
	instruction->end = at;
	instruction->op = &opcodes[instruction->number];
	return true;
}

size_t opcodes_jump_target(const struct instruction *instruction)
{
	size_t distance = (size_t)instruction->argument * UNIT_BYTES;
	if (instruction->op->jumps_absolute)
		return distance;
	if (!instruction->op->jumps_backward)
		return instruction->end + distance;
	return distance <= instruction->end ? instruction->end - distance : SIZE_MAX;
}

int opcodes_stack_effect(const struct instruction *instruction, bool jumps)
{
	int effect = py_symbols.PyCompile_OpcodeStackEffectWithJump(
		instruction->number, (int)instruction->argument, jumps);
	if (effect == EFFECT_INVALID)	/* it takes no argument, yet one was given */
		effect = py_symbols.PyCompile_OpcodeStackEffectWithJump(instruction->number, 0, jumps);
	return effect == EFFECT_INVALID ? 0 : effect;
}

int opcodes_call_pops(const struct instruction *instruction)
{
	/* 3.11 shares the effect of a call out between PRECALL and CALL. */
	if (have_precall && instruction->op->kind == OP_CALL)
		return (int)instruction->argument + 2;
	return 1 - opcodes_stack_effect(instruction, false);
}

unsigned opcodes_name_index(const struct instruction *instruction)
{
	bool flag = (instruction->number == load_global && global_has_flag)
		|| (instruction->number == load_attr && attribute_has_flag);
	return instruction->argument >> flag;
}

bool opcodes_variables_are_one_row(void)
{
	return one_row;
}
