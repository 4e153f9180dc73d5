/*
 * debug_names.c - ask for names without any lock being sampled.
 */
#include <config.h>

#include "module/debug_names.h"

#include "collector/bytecode.h"
#include "collector/code_table.h"
#include "collector/frames.h"
#include "collector/interpreter_end.h"
#include "collector/lock_name.h"
#include "collector/lock_search.h"
#include "runtime/clocks.h"
#include "runtime/sample.h"

struct stack {
	const void *tstate;
	struct raw_frame frames[STACK_DEPTH_MAX];
	size_t depth;
};

static void take(struct stack *stack)
{
	size_t total;
	stack->tstate = PyThreadState_Get();
	stack->depth = py_frames_walk(stack->tstate, stack->frames, STACK_DEPTH_MAX, &total);
}

static PyObject *answer(const struct lock_name *name)
{
	char label[LOCK_LABEL_BYTES];
	lock_name_label(name, label);
	return Py_BuildValue("(ss)", label, name->owner);
}

PyObject *debug_name_init(PyObject *module, PyObject *unused)
{
	(void)module, (void)unused;
	frames_init();
	lock_name_init();
	Py_RETURN_NONE;
}

static PyObject *on_name;

PyObject *debug_on_name(PyObject *module, PyObject *function)
{
	(void)module;
	PyObject *old = on_name;
	on_name = Py_NewRef(function);
	Py_XDECREF(old);
	Py_RETURN_NONE;
}

/* Takes the arguments. */
static int tell(PyObject *arguments)
{
	PyObject *nothing = arguments && on_name ? PyObject_CallObject(on_name, arguments) : NULL;
	Py_XDECREF(arguments);
	Py_XDECREF(nothing);
	return PyErr_Occurred() ? -1 : 0;
}

/* The stack is the caller's: nothing of Python's lies between. */
static int tell_creation(void)
{
	struct stack stack;
	struct lock_name name;
	take(&stack);
	lock_name_from_creation(stack.tstate, stack.frames, stack.depth, &name);
	return tell(answer(&name));
}

static PyObject *make(const char *maker)
{
	PyObject *thread = PyImport_ImportModule("_thread");
	PyObject *lock = thread ? PyObject_CallMethod(thread, maker, NULL) : NULL;
	Py_XDECREF(thread);
	return lock;
}

PyObject *debug_created_lock(PyObject *module, PyObject *args, PyObject *keywords)
{
	(void)module, (void)args, (void)keywords;
	return tell_creation() == 0 ? make("allocate_lock") : NULL;
}

PyObject *debug_created_rlock(PyObject *module, PyObject *args, PyObject *keywords)
{
	(void)module, (void)args, (void)keywords;
	return tell_creation() == 0 ? make("RLock") : NULL;
}

static void search(PyObject *lock, bool attributes, struct lock_name *name)
{
	struct stack stack;
	struct primitive_use use;
	take(&stack);
	primitives_classify(stack.frames, stack.depth, (uintptr_t)lock, false, &use);
	lock_name_from_search(stack.tstate, lock, stack.frames, stack.depth, &use, attributes, name);
}

PyObject *debug_search_name(PyObject *module, PyObject *args)
{
	(void)module;
	struct lock_name name = {0};
	PyObject *lock;
	int attributes = 1;
	if (!PyArg_ParseTuple(args, "O|p", &lock, &attributes))
		return NULL;
	search(lock, attributes, &name);
	return answer(&name);
}

PyObject *debug_used_lock(PyObject *module, PyObject *lock)
{
	(void)module;
	struct lock_name name = {0};
	search(lock, true, &name);
	if (tell(answer(&name)) != 0)
		return NULL;
	Py_RETURN_NONE;
}

PyObject *debug_search_count(PyObject *module, PyObject *args)
{
	(void)module;
	PyObject *lock;
	long rounds, found = 0;
	if (!PyArg_ParseTuple(args, "Ol", &lock, &rounds))
		return NULL;
	for (long i = 0; i < rounds; i++) {
		struct lock_name name = {0};
		search(lock, true, &name);
		found += name.name[0] != '\0';
	}
	return PyLong_FromLong(found);
}

static const char *role_name(enum primitive_role role)
{
	switch (role) {
	case PRIMITIVE_NONE: return "none";
	case PRIMITIVE_TRANSPARENT: return "transparent";
	case PRIMITIVE_OWNED: return "owned";
	case PRIMITIVE_SEMAPHORE_ACQUIRE: return "semaphore-acquire";
	case PRIMITIVE_SEMAPHORE_RELEASE: return "semaphore-release";
	case PRIMITIVE_SEMAPHORE_WAIT: return "semaphore-wait";
	case PRIMITIVE_INNER: return "inner";
	}
	return "?";
}

static PyObject *operate(bool is_rlock)
{
	struct stack stack;
	struct primitive_use use;
	struct frame leaf = {0};
	take(&stack);
	primitives_classify(stack.frames, stack.depth, 0, is_rlock, &use);
	PyObject *owner = use.owner_frame != SIZE_MAX ? lock_search_first_argument(stack.tstate, use.owner_frame) : NULL;
	if (use.skip < stack.depth)
		code_table_resolve(&stack.frames[use.skip], 1, &leaf);
	if (tell(Py_BuildValue("(szOz)", role_name(use.role), leaf.function ? leaf.function->name : NULL,
			       owner ? owner : Py_None, use.kind)) != 0)
		return NULL;
	Py_RETURN_TRUE;
}

PyObject *debug_operated(PyObject *module, PyObject *args, PyObject *keywords)
{
	(void)module, (void)args, (void)keywords;
	return operate(false);
}

PyObject *debug_operated_rlock(PyObject *module, PyObject *args, PyObject *keywords)
{
	(void)module, (void)args, (void)keywords;
	return operate(true);
}

PyObject *debug_role_in_library(PyObject *module, PyObject *args)
{
	(void)module;
	PyObject *function, *lock;
	struct primitive_use use;
	if (!PyArg_ParseTuple(args, "OO", &function, &lock))
		return NULL;
	PyObject *code = PyObject_GetAttrString(function, "__code__");
	if (!code)
		return NULL;
	struct raw_frame frame = {(uintptr_t)code, 0};
	primitives_classify(&frame, 1, (uintptr_t)lock, false, &use);
	Py_DECREF(code);
	return PyUnicode_FromString(role_name(use.role));
}

PyObject *debug_forget_library(PyObject *module, PyObject *unused)
{
	(void)module, (void)unused;
	primitives_forget_interpreter(interpreter_id());
	Py_RETURN_NONE;
}

PyObject *debug_follow(PyObject *module, PyObject *args)
{
	(void)module;
	PyObject *code;
	Py_ssize_t byte;
	int way;
	struct destination destination;
	if (!PyArg_ParseTuple(args, "Oni", &code, &byte, &way))
		return NULL;
	if (bytecode_follow(code, (uintptr_t)byte, (struct arrival){(enum arrival_way)way, -1}, &destination) != 0)
		return PyErr_NoMemory();
	PyObject *end = Py_BuildValue("(iO)", destination.kind, destination.name ? destination.name : Py_None);
	bytecode_forget(&destination);
	return end;
}

PyObject *debug_classify_cost(PyObject *module, PyObject *rounds)
{
	(void)module;
	struct stack stack;
	struct primitive_use use;
	long n = PyLong_AsLong(rounds);
	if (n <= 0)
		return PyErr_Occurred() ? NULL : PyLong_FromLong(0);
	take(&stack);
	int64_t start = clock_monotonic_ns();
	for (long i = 0; i < n; i++)
		primitives_classify(stack.frames, stack.depth, 0, false, &use);
	return PyFloat_FromDouble((double)(clock_monotonic_ns() - start) / (double)n);
}
