/*
 * pushed_stack.c - from the running Python stack to a pushed sample.
 *
 * Frames become functions at once: when the sample is flushed, perhaps by a thread without
 * the GIL, the code objects may be gone.
 */
#include <config.h>

#include "collector/pushed_stack.h"

#include <Python.h>

#include "collector/code_table.h"
#include "collector/py_symbols.h"
#include "collector/thread_name.h"
#include "collector/thread_state.h"
#include "runtime/error.h"
#include "runtime/py_frames.h"

/* Once a subinterpreter was made, PyGILState_Check() says yes to all: asked only where the thread state is not proved. */
static bool has_gil(void)
{
	if (thread_state_at)
		return thread_state() != NULL;
	return !py_symbols.PyGILState_Check || py_symbols.PyGILState_Check();
}

/* Guarded like a sample of ours: what a slow walk sets off is not sampled in its turn. */
static int push_frames(struct pushed *sample, struct thread *thread)
{
	struct raw_frame raw[STACK_DEPTH_MAX];
	struct frame frames[STACK_DEPTH_MAX];
	bool was_sampling = thread_hot.is_sampling;
	thread_hot.is_sampling = true;
	size_t total, depth = py_frames_walk(PyThreadState_Get(), raw, STACK_DEPTH_MAX, &total);
	code_table_resolve(raw, depth, frames);
	if (thread && !was_sampling)
		thread_name_refresh(thread);
	thread_hot.is_sampling = was_sampling;
	return pushed_frames(sample, frames, depth, total - depth);
}

int pushed_stack(struct pushed *sample)
{
	int error = pushed_check(sample);
	if (error)
		return error;
	return has_gil() ? push_frames(sample, thread_self()) : ERR_INVALID;
}
