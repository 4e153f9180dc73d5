/*
 * debug_stack.c - show the stack as samples would record it.
 */
#include <config.h>

#include "module/debug_stack.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collector/code_table.h"
#include "collector/frame_objects.h"
#include "collector/frames.h"
#include "collector/interpreter_end.h"
#include "runtime/clocks.h"

/* A stack as walked; n and total as py_frames_walk() gave them. */
struct stack {
	struct raw_frame *raw;
	struct frame *frames;
	size_t max, n, total;
};

static int stack_init(struct stack *stack, PyObject *limit)
{
	*stack = (struct stack){0};
	stack->max = PyLong_AsSize_t(limit);
	if (PyErr_Occurred())
		return -1;
	if (stack->max > 1 << 20)
		stack->max = 1 << 20;
	stack->raw = calloc(stack->max + 1, sizeof(*stack->raw));
	stack->frames = calloc(stack->max + 1, sizeof(*stack->frames));
	if (stack->raw && stack->frames)
		return 0;
	PyErr_NoMemory();
	return -1;
}

static void stack_fini(struct stack *stack)
{
	free(stack->raw);
	free(stack->frames);
}

static void stack_take(struct stack *stack, py_frames_walker walk)
{
	stack->n = walk(PyThreadState_Get(), stack->raw, stack->max, &stack->total);
	code_table_resolve(stack->raw, stack->n, stack->frames);
}

static int append_new(PyObject *list, PyObject *item)
{
	int error = item ? PyList_Append(list, item) : -1;
	Py_DecRef(item);
	return error;
}

static PyObject *stack_list(const struct stack *stack)
{
	PyObject *list = PyList_New(0);
	for (size_t i = 0; list && i < stack->n; i++) {
		const struct frame *frame = &stack->frames[i];
		if (append_new(list, Py_BuildValue("ssi", frame->function->name, frame->function->filename, frame->line)))
			Py_CLEAR(list);
	}
	return list;
}

static PyObject *show(PyObject *limit, py_frames_walker walk)
{
	struct stack stack;
	PyObject *result = NULL;
	frames_init();
	if (stack_init(&stack, limit) == 0) {
		stack_take(&stack, walk);
		PyObject *list = stack_list(&stack);
		if (list)
			result = Py_BuildValue("Nn", list, (Py_ssize_t)(stack.total - stack.n));
	}
	stack_fini(&stack);
	return result;
}

PyObject *debug_stack(PyObject *module, PyObject *limit)
{
	(void)module;
	return show(limit, py_frames_walk);
}

PyObject *debug_stack_slowly(PyObject *module, PyObject *limit)
{
	(void)module;
	return show(limit, frame_objects_walk);
}

static PyObject *variables_list(const struct py_frame_variables *variables)
{
	PyObject *list = PyList_New(0);
	for (size_t i = 0; list && i < variables->n_slots; i++) {
		uintptr_t name, value = py_frames_variable(variables, i, &name);
		if (value && append_new(list, Py_BuildValue("OO", (PyObject *)name, (PyObject *)value)))
			Py_CLEAR(list);
	}
	return list;
}

PyObject *debug_stack_variables(PyObject *module, PyObject *index)
{
	(void)module;
	struct py_frame_variables variables;
	size_t i = PyLong_AsSize_t(index);
	if (PyErr_Occurred())
		return NULL;
	frames_init();
	if (!py_frames_variables(PyThreadState_Get(), i, &variables))
		Py_RETURN_NONE;
	PyObject *list = variables_list(&variables);
	if (!list)
		return NULL;
	PyObject *namespace = variables.namespace ? (PyObject *)variables.namespace : Py_None;
	return Py_BuildValue("OON", (PyObject *)variables.globals, namespace, list);
}

static PyObject *text_or_none(const char *text)
{
	if (!text)
		Py_RETURN_NONE;
	return PyUnicode_FromString(text);
}

PyObject *debug_stack_way(PyObject *module, PyObject *unused)
{
	(void)module, (void)unused;
	frames_init();
	return text_or_none(frames_slow_reason());
}

PyObject *debug_stack_refuse(PyObject *module, PyObject *unused)
{
	(void)module, (void)unused;
	frames_init_slowly("a test refused the offsets");
	return text_or_none(frames_slow_reason());
}

PyObject *debug_stack_prove(PyObject *module, PyObject *arguments)
{
	(void)module;
	Py_ssize_t member;
	int delta;
	const char *reason;
	if (!PyArg_ParseTuple(arguments, "ni", &member, &delta))
		return NULL;
	frames_init();
	if (frames_prove_shifted((size_t)member, delta, &reason))
		return text_or_none(reason);
	PyErr_SetString(PyExc_LookupError, "no such offset");
	return NULL;
}

static double ns_a_frame(int64_t start_ns, size_t rounds, size_t frames)
{
	return (double)(clock_now_ns() - start_ns) / ((double)rounds * (double)frames);
}

PyObject *debug_stack_cost(PyObject *module, PyObject *rounds)
{
	(void)module;
	struct raw_frame raw[STACK_DEPTH_MAX];
	struct frame frames[STACK_DEPTH_MAX];
	const void *tstate = PyThreadState_Get();
	size_t n = PyLong_AsSize_t(rounds), depth = 0, total = 1;
	if (PyErr_Occurred())
		return NULL;
	frames_init();
	int64_t start_ns = clock_now_ns();
	for (size_t i = 0; i < n; i++)
		depth = py_frames_walk(tstate, raw, STACK_DEPTH_MAX, &total);
	double walk_ns = ns_a_frame(start_ns, n, total);
	code_table_resolve(raw, depth, frames);
	start_ns = clock_now_ns();
	for (size_t i = 0; i < n; i++)
		code_table_resolve(raw, depth, frames);
	return Py_BuildValue("dd", walk_ns, ns_a_frame(start_ns, n, depth));
}

/* ---- the table of codes ------------------------------------------------------------------ */

static long step(void)
{
	code_table_new_period();
	return (long)code_table_trim();
}

static long schedule(void)
{
	code_table_new_period();
	return code_table_schedule_trim();
}

static long forget(void)
{
	return (long)code_table_forget_interpreter(interpreter_id());
}

static bool resolves(const struct raw_frame *raw, size_t depth, const struct frame *expected)
{
	struct frame frames[STACK_DEPTH_MAX];
	code_table_resolve(raw, depth, frames);
	for (size_t i = 0; i < depth; i++) {
		if (frames[i].function != expected[i].function || frames[i].line != expected[i].line)
			return false;
	}
	return true;
}

static long fork_and_resolve(void)
{
	struct raw_frame raw[STACK_DEPTH_MAX];
	struct frame frames[STACK_DEPTH_MAX];
	size_t total, depth = py_frames_walk(PyThreadState_Get(), raw, STACK_DEPTH_MAX, &total);
	int status = -1;
	code_table_resolve(raw, depth, frames);
	code_table_prefork();
	pid_t child = fork();
	if (child == 0) {
		code_table_postfork_child();
		_exit(resolves(raw, depth, frames) ? 0 : 1);
	}
	code_table_postfork_parent();
	return child > 0 && waitpid(child, &status, 0) == child && resolves(raw, depth, frames) ? status : -1;
}

PyObject *debug_code_table(PyObject *module, PyObject *action)
{
	static const struct {
		const char *name;
		long (*act)(void);
	} actions[] = {{"step", step}, {"schedule", schedule}, {"forget", forget}, {"fork", fork_and_resolve}};
	(void)module;
	frames_init();
	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++) {
		if (PyUnicode_CompareWithASCIIString(action, actions[i].name) == 0) {
			long result = actions[i].act();
			return Py_BuildValue("nl", (Py_ssize_t)code_table_stats().codes, result);
		}
	}
	PyErr_SetString(PyExc_ValueError, "no such action");
	return NULL;
}
