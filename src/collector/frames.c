/*
 * frames.c - choose how stacks are walked.
 *
 * Locking: none; the first caller holds the GIL of the only interpreter that has us yet.
 * Fork:    the child keeps the choice.
 */
#include <config.h>

#include "collector/frames.h"

#include <stdbool.h>

#include "collector/frame_objects.h"
#include "collector/frames_proof.h"
#include "collector/py_symbols.h"
#include "runtime/error.h"

static bool chosen;
static const char *slow_reason;

static const char *find_and_prove(struct py_offsets *offsets)
{
	const char *reason;
	if (py_offsets_find(offsets, py_symbols_version(), py_symbols._PyRuntime, &reason) != OK)
		return reason;
	return frames_prove(offsets);
}

void frames_init(void)
{
	if (chosen)
		return;
	chosen = true;
	py_symbols_init();
	struct py_offsets offsets;
	slow_reason = find_and_prove(&offsets);
	if (slow_reason)
		py_frames_use_walker(frame_objects_walk);
	else
		py_frames_use_offsets(&offsets);
}

const char *frames_slow_reason(void)
{
	return slow_reason;
}
