/*
 * c_interface.c - the table behind the capsule: checks, and words for errors.
 *
 * One table a process, static: an extension keeps its address for as long as it likes.  Only
 * ever add members at its end, and count SNECK_API_VERSION up.
 */
#include <config.h>

#include "module/c_interface.h"

#include "sneck.h"

#include "collector/pushed_stack.h"
#include "collector/thread_name.h"
#include "runtime/error.h"
#include "runtime/pushed.h"

static struct pushed *ours(struct sneck_sample *sample)
{
	return (struct pushed *)(void *)sample;
}

static int result_of(int error)
{
	switch (error) {
	case OK:
		return SNECK_OK;
	case ERR_STATE:
		return SNECK_STOPPED;
	case ERR_NOMEM:
		return SNECK_NOMEM;
	case ERR_LIMIT:
		return SNECK_LIMIT;
	case ERR_AGAIN:
		return SNECK_BUSY;
	}
	return SNECK_INVALID;
}

static int is_running(void)
{
	return pushed_is_enabled();
}

static int sample_type(const char *name)
{
	int type = pushed_sample_type(name);
	return type < 0 ? result_of(type) : type;
}

static struct sneck_sample *sample_start(void)
{
	return (struct sneck_sample *)(void *)pushed_new();
}

static int push_frame(struct sneck_sample *sample, const char *function, const char *file, int line)
{
	return result_of(pushed_frame(ours(sample), function, file, line));
}

static int push_python_stack(struct sneck_sample *sample)
{
	int error = pushed_stack(ours(sample));
	return error == ERR_INVALID ? SNECK_NO_GIL : result_of(error);
}

static int push_label(struct sneck_sample *sample, const char *key, const char *text)
{
	return result_of(pushed_label(ours(sample), key, text));
}

static int push_value(struct sneck_sample *sample, int type, double value)
{
	return result_of(pushed_value(ours(sample), type, value));
}

static int sample_flush(struct sneck_sample *sample)
{
	struct thread *thread = pushed_check(ours(sample)) ? NULL : thread_self_wait();
	if (thread)
		thread_name_from_kernel(thread);
	return sample ? result_of(pushed_flush(ours(sample), thread)) : SNECK_STOPPED;
}

static void sample_drop(struct sneck_sample *sample)
{
	pushed_free(ours(sample));
}

static const struct sneck_api api = {
	.version = SNECK_API_VERSION,
	.size_bytes = sizeof(api),
	.is_running = is_running,
	.sample_type = sample_type,
	.sample_start = sample_start,
	.push_frame = push_frame,
	.push_python_stack = push_python_stack,
	.push_label = push_label,
	.push_value = push_value,
	.sample_flush = sample_flush,
	.sample_drop = sample_drop,
};

int c_interface_add(PyObject *module)
{
	PyObject *capsule = PyCapsule_New((void *)(uintptr_t)&api, SNECK_CAPSULE_NAME, NULL);
	int error = capsule ? PyModule_AddObjectRef(module, "_C_API", capsule) : -1;
	Py_XDECREF(capsule);
	return error;
}
