/*
 * frames_proof.c - measure the last offsets, and compare two ways to walk.
 *
 * A small Python program of our own is run.  From inside functions whose shape we know it
 * calls back here:
 *
 *	expect(code, n)	this code's first traceable instruction is its n-th
 *	measure()	from a module whose globals and namespace are two dicts of ours
 *	compare()	walk this stack by offsets and by frame objects: are they equal?
 *	owned(n)	this frame's owner is n: 0 the thread, 1 a generator
 *	hold(n, ...)	this function has n variables, some of which are: name, value, ...
 *
 * All reading by offsets goes through safe_read(), so that a wrong offset is an answer and
 * not a crash.
 *
 * It runs in a thread of its own: Python calls signal handlers in the main thread alone, so none
 * comes between, nor what it raises.
 */
#include <config.h>

#include "collector/frames_proof.h"

#include <Python.h>

#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "collector/frame_objects.h"
#include "collector/interpreter_end.h"
#include "collector/py_symbols.h"
#include "runtime/py_frames.h"
#include "runtime/safe_read.h"

enum {
	EXPECTATIONS = 5,	/* calls of expect() in the program below */
	COMPARISONS = 12,	/* calls of compare() */
	OWNED = 4,		/* calls of owned() */
	HOLDINGS = 2,		/* calls of hold() */
	FRAMES_MAX = 64,	/* of a stack looked at: ours are the leaves; a system call a word */
	SHOWN_MIN = 16,		/* of those shown, when there are more: two in three may be hidden */
	STACK_BYTES = 1 << 20,	/* musl's 128 KiB are few for the compiler; as much as CPython's threads have there */
};

static const char measuring[] = "measure()\n";

static const char expecting[] =
	"def plain(check):\n"
	"    return check()\n"
	"def cells():\n"
	"    a = b = c = 0\n"
	"    def free():\n"
	"        return a, b, c\n"
	"    def both():\n"
	"        d = e = a + b + c\n"
	"        return lambda: (d, e)\n"
	"    return free, both\n"
	"def arguments(p, q, r, s, t):\n"
	"    return lambda: (p, q, r, s, t)\n"
	"free, both = cells()\n"
	"for f, first in (plain, 0), (cells, 3), (free, 1), (both, 3), (arguments, 5):\n"
	"    expect(f.__code__, first)\n";

/* __init__ is called often enough for the interpreter to inline it, which adds a hidden frame. */
static const char comparing[] =
	"class Init:\n"
	"    def __init__(self, last):\n"
	"        if last: compare()\n"
	"class Body:\n"
	"    compare()\n"
	"def deep(n):\n"
	"    def inner(): return deep(n - 1) if n else compare()\n"
	"    return inner()\n"
	"def generator():\n"
	"    value = 1\n"
	"    yield compare(), (lambda: value)\n"
	"def delegating():\n"
	"    yield from generator()\n"
	"async def coroutine():\n"
	"    compare()\n"
	"async def awaiting():\n"
	"    await coroutine()\n"
	"def finishing():\n"
	"    try: 1 / 0\n"
	"    except ZeroDivisionError: compare()\n"
	"    finally: compare()\n"
	"for i in range(32): Init(i == 31)\n"
	"deep(5)\n"
	"next(generator()), list(delegating())\n"
	"try: awaiting().send(None)\n"
	"except StopIteration: pass\n"
	"finishing()\n"
	"def enclosing():\n"
	"    free = other = 2.5\n"
	"    def variables(first, second, closure):\n"
	"        third, cell = [first], free\n"
	"        inner = lambda: (cell, other)\n"
	"        hold(8, 'second', second, 'third', third, 'inner', inner, 'free', closure[0])\n"
	"        hold(8, 'cell', inner.__closure__[0], 'first', first, 'other', closure[1])\n"
	"        owned(0)\n"
	"    return variables\n"
	"variables = enclosing()\n"
	"variables('x', ('y',), variables.__closure__)\n"
	"def owner_generator():\n"
	"    yield owned(1)\n"
	"async def owner_coroutine():\n"
	"    owned(1)\n"
	"next(owner_generator())\n"
	"try: owner_coroutine().send(None)\n"
	"except StopIteration: pass\n"
	"(lambda one: owned(0))(1)\n"
	"list(map(lambda _: compare(), (1,)))\n"
	"[compare() for _ in (1,)]\n"
	"max((1,), key=lambda _: deep(1) or 0)\n"
	"compare()\n";

/* The proof in progress: there is one, at start, under the GIL. */
static struct proof {
	struct py_offsets *offsets;
	const char *failure;
	size_t n_expected, n_compared, n_owned, n_held;
	bool measured;
	PyObject *codes[EXPECTATIONS];	/* new */
	int32_t first_traceable[EXPECTATIONS];
	uintptr_t globals, namespace;
} proof;

static void fail(const char *reason)
{
	if (!proof.failure)
		proof.failure = reason;
}

/* ---- measuring ------------------------------------------------------------------------- */

static PyObject *expect(PyObject *self, PyObject *arguments)
{
	(void)self;
	PyObject *code = PyTuple_GetItem(arguments, 0), *first = PyTuple_GetItem(arguments, 1);
	if (!code || !first || proof.n_expected == EXPECTATIONS)
		return NULL;
	Py_IncRef(code);
	proof.codes[proof.n_expected] = code;
	proof.first_traceable[proof.n_expected++] = (int32_t)PyLong_AsLong(first);
	proof.offsets->code_type = (uintptr_t)Py_TYPE(code);
	Py_RETURN_NONE;
}

static bool traceable_is_at(uint16_t offset)
{
	for (size_t i = 0; i < proof.n_expected; i++) {
		int32_t found;
		if (!safe_read((uintptr_t)proof.codes[i] + offset, &found, sizeof(found)) ||
		    found != proof.first_traceable[i])
			return false;
	}
	return proof.n_expected == EXPECTATIONS;
}

/* It stands somewhere before the bytecode, exactly once. */
static uint16_t find_first_traceable(void)
{
	uint16_t found = PY_OFFSET_NONE;
	for (uint16_t at = 0; at < proof.offsets->code_bytecode; at = (uint16_t)(at + sizeof(int32_t))) {
		if (!traceable_is_at(at))
			continue;
		if (found != PY_OFFSET_NONE)
			return PY_OFFSET_NONE;
		found = at;
	}
	return found;
}

/* Where the word stands in the frame before its slots, exactly once. */
static uint16_t find_in_frame(uintptr_t frame, uintptr_t wanted)
{
	uint16_t found = PY_OFFSET_NONE;
	for (uint16_t at = 0; at < proof.offsets->frame_slots; at = (uint16_t)(at + sizeof(wanted))) {
		uintptr_t word;
		if (!safe_read(frame + at, &word, sizeof(word)) || word != wanted)
			continue;
		if (found != PY_OFFSET_NONE)
			return PY_OFFSET_NONE;
		found = at;
	}
	return found;
}

static PyObject *measure(PyObject *self, PyObject *unused)
{
	(void)self, (void)unused;
	struct py_offsets *o = proof.offsets;
	uintptr_t frame = py_frames_address_carefully(o, PyThreadState_Get());
	o->frame_globals = find_in_frame(frame, proof.globals);
	o->frame_namespace = find_in_frame(frame, proof.namespace);
	if (!o->frame_objects) {
		o->code_first_traceable = find_first_traceable();
		if (o->code_first_traceable == PY_OFFSET_NONE)
			fail("the first traceable instruction of a function was not found");
	}
	if (o->frame_globals == PY_OFFSET_NONE || o->frame_namespace == PY_OFFSET_NONE)
		fail("the variables of a frame were not found");
	proof.measured = true;
	Py_RETURN_NONE;
}

/* ---- comparing ------------------------------------------------------------------------- */

static bool same_line(PyObject *frame, const struct raw_frame *raw)
{
	if (!py_symbols.PyCode_Addr2Line)
		return true;
	int line = py_symbols.PyCode_Addr2Line((PyObject *)raw->code, (int)raw->instruction);
	return line == PyFrame_GetLineNumber((PyFrameObject *)frame);
}

static const char *compare_frame(PyObject *frame, const struct raw_frame *raw)
{
	struct raw_frame shown = frame_objects_read(frame);
	if (shown.code != raw->code)
		return "a walk by offsets found other functions than the interpreter shows";
	if (shown.instruction != raw->instruction || !same_line(frame, raw))
		return "a walk by offsets found other lines than the interpreter shows";
	return NULL;
}

static const char *compare_stacks(const void *tstate)
{
	struct raw_frame raw[FRAMES_MAX];
	bool whole;
	size_t n = py_frames_walk_carefully(proof.offsets, tstate, raw, FRAMES_MAX, &whole), i = 0;
	PyObject *frame = frame_objects_leaf(tstate);
	const char *difference = NULL;
	while (frame && i < n && !difference) {
		difference = compare_frame(frame, &raw[i++]);
		PyObject *back = frame_objects_back(frame);
		Py_DecRef(frame);
		frame = back;
	}
	bool short_of = whole ? frame != NULL : n < SHOWN_MIN;
	if (!difference && (short_of || i < n || n == 0))
		difference = "a walk by offsets found another depth than the interpreter shows";
	Py_DecRef(frame);
	return difference;
}

static PyObject *compare(PyObject *self, PyObject *unused)
{
	(void)self, (void)unused;
	const char *difference = proof.failure ? NULL : compare_stacks(PyThreadState_Get());
	if (difference)
		fail(difference);
	proof.n_compared++;
	Py_RETURN_NONE;
}

/* ---- owners ---------------------------------------------------------------------------- */

static PyObject *owned(PyObject *self, PyObject *by)
{
	(void)self;
	uint8_t found;
	uintptr_t frame = py_frames_address_carefully(proof.offsets, PyThreadState_Get());
	bool has_owner = proof.offsets->frame_owner != PY_OFFSET_NONE;
	if (has_owner && (!safe_read(frame + proof.offsets->frame_owner, &found, 1) || found != PyLong_AsLong(by)))
		fail("the owner of a frame is not where it was expected");
	proof.n_owned++;
	Py_RETURN_NONE;
}

/* ---- variables ------------------------------------------------------------------------- */

/* Names in source are interned: the same text is the same object. */
static bool holds(const struct py_frame_variables *variables, PyObject *name, PyObject *value)
{
	for (size_t i = 0; i < variables->n_slots; i++) {
		uintptr_t found_name, found = py_frames_variable_carefully(proof.offsets, variables, i, &found_name);
		if (found_name == (uintptr_t)name)
			return found == (uintptr_t)value;
	}
	return false;
}

static bool holds_all(PyObject *arguments)
{
	struct py_frame_variables variables;
	if (!py_frames_variables_carefully(proof.offsets, PyThreadState_Get(), &variables) ||
	    variables.n_slots != PyLong_AsSize_t(PyTuple_GetItem(arguments, 0)) ||
	    variables.globals != proof.globals)
		return false;
	for (Py_ssize_t i = 1; i < PyTuple_Size(arguments); i += 2) {
		if (!holds(&variables, PyTuple_GetItem(arguments, i), PyTuple_GetItem(arguments, i + 1)))
			return false;
	}
	return true;
}

static PyObject *hold(PyObject *self, PyObject *arguments)
{
	(void)self;
	if (!proof.failure && !holds_all(arguments))
		fail("the variables of a frame are not where they were expected");
	proof.n_held++;
	Py_RETURN_NONE;
}

/* ---- running --------------------------------------------------------------------------- */

static PyMethodDef callbacks[] = {
	{"expect", expect, METH_VARARGS, NULL},
	{"measure", measure, METH_NOARGS, NULL},
	{"compare", compare, METH_NOARGS, NULL},
	{"owned", owned, METH_O, NULL},
	{"hold", hold, METH_VARARGS, NULL},
};

static int add_callbacks(PyObject *globals)
{
	for (size_t i = 0; i < sizeof(callbacks) / sizeof(*callbacks); i++) {
		PyObject *function = PyCFunction_NewEx(&callbacks[i], NULL, NULL);
		int error = function ? PyDict_SetItemString(globals, callbacks[i].ml_name, function) : -1;
		Py_DecRef(function);
		if (error)
			return error;
	}
	return 0;
}

static int run(const char *program, PyObject *globals, PyObject *namespace)
{
	PyObject *code = Py_CompileString(program, "<sneck>", Py_file_input);
	PyObject *result = code ? PyEval_EvalCode(code, globals, namespace) : NULL;
	int error = result ? 0 : -1;
	Py_DecRef(result);
	Py_DecRef(code);
	return error;
}

static int run_all(PyObject *globals, PyObject *namespace)
{
	if (!globals || !namespace || add_callbacks(globals))
		return -1;
	proof.globals = (uintptr_t)globals;
	proof.namespace = (uintptr_t)namespace;
	if (run(expecting, globals, globals) || run(measuring, globals, namespace))
		return -1;
	return proof.failure ? 0 : run(comparing, globals, globals);
}

static bool all_ran(void)
{
	return proof.measured && proof.n_compared == COMPARISONS && proof.n_owned == OWNED && proof.n_held == HOLDINGS;
}

static const char *prove(struct py_offsets *offsets)
{
	proof = (struct proof){.offsets = offsets};
	PyObject *globals = PyDict_New(), *namespace = PyDict_New();
	if (run_all(globals, namespace)) {
		PyErr_Clear();
		fail("the proof of the stack walk did not run");
	}
	if (!proof.failure && !all_ran())
		fail("the proof of the stack walk did not run to its end");
	for (size_t i = 0; i < proof.n_expected; i++)
		Py_DecRef(proof.codes[i]);
	if (globals)
		PyDict_Clear(globals);	/* the functions refer to it */
	Py_DecRef(namespace);
	Py_DecRef(globals);
	return proof.failure;
}

/* ---- in a thread of its own ------------------------------------------------------------- */

struct errand {
	PyInterpreterState *interpreter;
	struct py_offsets *offsets;
	const char *failure;
};

static void *run_errand(void *context)
{
	struct errand *errand = context;
	PyThreadState *state = PyThreadState_New(errand->interpreter);
	if (!state)
		return NULL;
	PyEval_AcquireThread(state);
	errand->failure = prove(errand->offsets);
	PyThreadState_Clear(state);
	PyEval_ReleaseThread(state);
	PyThreadState_Delete(state);
	return NULL;
}

static int create_thread(pthread_t *thread, struct errand *errand)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	int failed = pthread_attr_init(&attributes);
	if (failed)
		return failed;
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	sigfillset(&all);	/* no handler of the program's in C either */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = pthread_create(thread, &attributes, run_errand, errand);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return failed;
}

/* Subinterpreters call no handlers, and who is ending lets no other thread have the GIL. */
static bool needs_thread(void)
{
	PyObject *is_finalizing = PySys_GetObject("is_finalizing");	/* borrowed */
	PyObject *answer = is_finalizing ? PyObject_CallObject(is_finalizing, NULL) : NULL;
	bool is_alive = answer == Py_False;
	Py_XDECREF(answer);
	PyErr_Clear();
	return is_alive && interpreter_id() == 0;
}

const char *frames_prove(struct py_offsets *offsets)
{
	struct errand errand = {PyInterpreterState_Get(), offsets, "the proof of the stack walk found no memory"};
	pthread_t thread;
	if (!needs_thread() || create_thread(&thread, &errand))
		return prove(offsets);
	Py_BEGIN_ALLOW_THREADS
	pthread_join(thread, NULL);
	Py_END_ALLOW_THREADS
	return errand.failure;
}
