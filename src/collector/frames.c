/*
 * frames.c - choose how stacks are walked.
 *
 * Locking: one caller is let in; the others see empty stacks until it is done.
 * Fork:    the child keeps the choice.  One that was under way is nobody's there: it begins anew.
 */
#include <config.h>

#include "collector/frames.h"

#include <stdatomic.h>

#include "collector/frame_objects.h"
#include "collector/frames_proof.h"
#include "collector/py_symbols.h"
#include "runtime/error.h"
#include "runtime/fork.h"

enum { NOT_BEGUN, UNDER_WAY, DONE };

static _Atomic int progress = NOT_BEGUN;
static const char *slow_reason;

static const char *find_and_prove(struct py_offsets *offsets)
{
	const char *reason;
	if (py_offsets_find(offsets, py_symbols_version(), py_symbols._PyRuntime, &reason) != OK)
		return reason;
	return frames_prove(offsets);
}

static void choose(const char *refused)
{
	int expected = NOT_BEGUN;
	if (!atomic_compare_exchange_strong(&progress, &expected, UNDER_WAY))
		return;
	py_symbols_init();
	struct py_offsets offsets;
	slow_reason = refused ? refused : find_and_prove(&offsets);
	if (slow_reason)
		py_frames_use_walker(frame_objects_walk);
	else
		py_frames_use_offsets(&offsets);
	progress = DONE;
}

void frames_init(void)
{
	choose(NULL);
}

void frames_init_slowly(const char *refused)
{
	choose(refused);
}

SNECK_FORK_CODE void frames_postfork_child(void)
{
	if (progress == UNDER_WAY)
		progress = NOT_BEGUN;
}

const char *frames_slow_reason(void)
{
	return slow_reason;
}

static uint16_t *find_member(struct py_offsets *o, size_t member)
{
	uint16_t *members[] = {
		&o->thread_frame, &o->cframe_frame, &o->frame_previous, &o->frame_code, &o->frame_instruction,
		&o->frame_owner, &o->frame_slots, &o->code_bytecode, &o->code_slot_names, &o->code_local_names,
		&o->code_cell_names, &o->code_free_names, &o->tuple_items,
	};
	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
		if (*members[i] != PY_OFFSET_NONE && member-- == 0)
			return members[i];
	}
	return NULL;
}

bool frames_prove_shifted(size_t member, int delta, const char **reason)
{
	struct py_offsets offsets;
	if (py_offsets_find(&offsets, py_symbols_version(), py_symbols._PyRuntime, reason) != OK)
		return false;
	uint16_t *offset = find_member(&offsets, member);
	if (!offset)
		return false;
	*offset = (uint16_t)(*offset + delta);
	*reason = frames_prove(&offsets);
	return true;
}
