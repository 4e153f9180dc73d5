/*
 * sneck.h - bring samples of one's own into sneck's profiles, from C or C++.
 *
 *	#include <Python.h>
 *	#include <sneck.h>
 *
 *	static const struct sneck_api *sneck;
 *
 *	sneck = sneck_import();			(once, with the GIL; NULL: go without)
 *
 *	struct sneck_sample *s = sneck ? sneck->sample_start() : NULL;
 *	if (s) {				(NULL whenever the profiler does not run)
 *		sneck->push_label(s, "lock name", "pool.c:12:connections");
 *		sneck->push_python_stack(s);
 *		sneck->push_value(s, wait_type, waited_ns);
 *		sneck->sample_flush(s);
 *	}
 *
 * A sample belongs to whoever started it until it is flushed or dropped; both free it.  It is
 * used by one thread at a time, and counts as the one that flushes it.
 *
 * Every function takes a NULL sample, and answers SNECK_STOPPED.  None raises an exception,
 * prints, or runs Python code.  All but push_python_stack() may be called with or without the GIL, from
 * any thread; none from a C signal handler.
 *
 * Nothing is linked: everything is reached through the capsule, whose struct only ever grows at
 * its end.  docs/c-interface.md has the whole.
 */
#ifndef SNECK_H
#define SNECK_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version that this header knows, and what the capsule is called. */
#define SNECK_API_VERSION 1
#define SNECK_CAPSULE_NAME "sneck._sneck._C_API"

/* What a function gives back. */
enum sneck_result {
	SNECK_OK = 0,
	SNECK_STOPPED = -1,	/* the profiler does not run, or the sample is NULL or from before a fork */
	SNECK_NOMEM = -2,
	SNECK_LIMIT = -3,	/* no more labels or texts are taken in; the sample stays as it was */
	SNECK_INVALID = -4,	/* an argument makes no sense: the sample stays as it was */
	SNECK_NO_GIL = -5,	/* push_python_stack() by a thread without it; where this cannot be told, it is believed:
				   on 3.10 and 3.11, once a subinterpreter was made */
	SNECK_BUSY = -6		/* the sample was lost: its thread was taking one, or all were being drained */
};

struct sneck_sample;

/* Function pointers, in the order of their first version. */
struct sneck_api {
	uint32_t version;	/* highest version served; every lower one is too */
	uint32_t size_bytes;	/* of this struct, as the extension has it */

	/* ---- version 1 ---- */

	/* 1 while the profiler runs, else 0: two loads. */
	int (*is_running)(void);

	/* The number of a sample type by its name in a profile ("lock-acquire-wait"), or SNECK_INVALID. */
	int (*sample_type)(const char *name);

	/* A new sample, or NULL: the profiler does not run, or there is no memory. */
	struct sneck_sample *(*sample_start)(void);

	/*
	 * The next frame, towards the root; the leaf comes first.  Texts are UTF-8 and copied; file
	 * may be NULL, line 0.  What is deeper than max_frames is counted, and shown as that.
	 */
	int (*push_frame)(struct sneck_sample *sample, const char *function, const char *file, int line);

	/* The calling thread's Python frames, from the running one on.  With the GIL. */
	int (*push_python_stack)(struct sneck_sample *sample);

	/*
	 * A label by its key in a profile: one of those that tell of a lock, "lock name", "lock kind",
	 * "lock owner", "outcome".  A later one replaces an earlier one.  The text is copied.
	 */
	int (*push_label)(struct sneck_sample *sample, const char *key, const char *text);

	/* Add to a value of the sample: a finite number, not negative, already scaled. */
	int (*push_value)(struct sneck_sample *sample, int sample_type, double value);

	/* Into the profile, and free it; SNECK_INVALID: it had no value. */
	int (*sample_flush)(struct sneck_sample *sample);

	/* Free it without. */
	void (*sample_drop)(struct sneck_sample *sample);
};

#ifdef Py_PYTHON_H
/*
 * The interface, or NULL with an exception set: no sneck here, or one too old for this header.
 * With the GIL.  The pointer holds for the life of the process.
 */
static inline const struct sneck_api *sneck_import(void)
{
	PyObject *module = PyImport_ImportModule("sneck._sneck");
	const struct sneck_api *api;
	if (!module)
		return NULL;
	Py_DecRef(module);	/* sys.modules keeps it */
	api = (const struct sneck_api *)PyCapsule_Import(SNECK_CAPSULE_NAME, 0);
	if (api && api->version < SNECK_API_VERSION) {
		PyErr_SetString(PyExc_ImportError, "the sneck installed is older than this extension needs");
		return NULL;
	}
	return api;
}
#endif

#ifdef __cplusplus
}
#endif

#endif
