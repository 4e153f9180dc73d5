/*
 * py_offsets.c - read the interpreter's published offsets, or look up the compiled ones.
 *
 * From 3.13 on _PyRuntime begins with a record of offsets for debuggers: a cookie, the
 * version, then groups of 64-bit words, each group begun by the size of the structure it
 * describes.  Groups grow between minor versions, so where a group starts depends on the
 * version.  Every group has a size or a value that only the right start can show; a record
 * that does not (a pre-release, say) is refused.
 */
#include <config.h>

#include "runtime/py_offsets.h"

#include <string.h>

#include "runtime/error.h"

enum { VERSION_MASK = 0xffff0000u, PUBLISHED_FROM = 0x030d0000 };

/* ---- compiled ------------------------------------------------------------------------ */

#define MEASURED .frame_globals = PY_OFFSET_NONE, .frame_namespace = PY_OFFSET_NONE, .code_first_traceable = PY_OFFSET_NONE

static const struct py_offsets compiled[] = {
#define PY_OFFSETS(version_, ...) {.version = (version_), MEASURED, __VA_ARGS__},
#include "runtime/py_offsets_table.def"
#undef PY_OFFSETS
};

static int find_compiled(struct py_offsets *offsets, uint32_t version, const char **reason)
{
	for (size_t i = 0; i < sizeof(compiled) / sizeof(*compiled); i++) {
		if (compiled[i].version == version) {
			*offsets = compiled[i];
			return OK;
		}
	}
	*reason = "no offsets are known for this version of Python";
	return ERR_LAYOUT;
}

/* ---- published ----------------------------------------------------------------------- */

/* Words from the head of the record; the first three are cookie, version, free-threaded. */
struct published_groups {
	uint32_t version;
	uint8_t thread, frame, code, object, tuple;
};

static const struct published_groups published[] = {
	{0x030d0000, .thread = 19, .frame = 28, .code = 34, .object = 44, .tuple = 50},
	{0x030e0000, .thread = 22, .frame = 31, .code = 39, .object = 50, .tuple = 56},
	{0x030f0000, .thread = 22, .frame = 39, .code = 47, .object = 58, .tuple = 68},
};

enum { COOKIE, HEX_VERSION, FREE_THREADED };
enum { THREAD_SIZE, THREAD_PREV, THREAD_NEXT, THREAD_INTERP, THREAD_CURRENT_FRAME };
enum { FRAME_SIZE, FRAME_PREVIOUS, FRAME_EXECUTABLE, FRAME_INSTR_PTR, FRAME_LOCALSPLUS, FRAME_OWNER };
enum { CODE_SIZE, CODE_LOCALSPLUSNAMES = 7, CODE_CO_CODE_ADAPTIVE = 9 };
enum { OBJECT_SIZE, OBJECT_TYPE };
enum { TUPLE_SIZE, TUPLE_OB_ITEM, TUPLE_OB_SIZE };

/* Larger than any of these structures, and small enough for an offset. */
enum { STRUCTURE_SIZE_MAX = 4096 };

/* A pointer within a structure of this size. */
static bool is_field(uint64_t offset, uint64_t size)
{
	return offset % sizeof(void *) == 0 && offset + sizeof(void *) <= size;
}

static bool thread_makes_sense(const uint64_t *group)
{
	return group[THREAD_SIZE] <= STRUCTURE_SIZE_MAX && group[THREAD_PREV] == 0 &&
	       group[THREAD_NEXT] == sizeof(void *) && is_field(group[THREAD_CURRENT_FRAME], group[THREAD_SIZE]);
}

/* Its last member is an array declared with one element. */
static bool frame_makes_sense(const uint64_t *group)
{
	const uint64_t size = group[FRAME_SIZE];
	return size <= STRUCTURE_SIZE_MAX && is_field(group[FRAME_PREVIOUS], size) &&
	       is_field(group[FRAME_EXECUTABLE], size) && is_field(group[FRAME_INSTR_PTR], size) &&
	       is_field(group[FRAME_LOCALSPLUS], size) && group[FRAME_LOCALSPLUS] + sizeof(void *) == size &&
	       group[FRAME_OWNER] < group[FRAME_LOCALSPLUS];
}

/* Its last member is an array of bytes. */
static bool code_makes_sense(const uint64_t *group)
{
	return group[CODE_SIZE] <= STRUCTURE_SIZE_MAX && is_field(group[CODE_LOCALSPLUSNAMES], group[CODE_SIZE]) &&
	       is_field(group[CODE_CO_CODE_ADAPTIVE], group[CODE_SIZE]) &&
	       group[CODE_CO_CODE_ADAPTIVE] + sizeof(void *) == group[CODE_SIZE];
}

static bool object_makes_sense(const uint64_t *group)
{
	return group[OBJECT_SIZE] == 2 * sizeof(void *) && group[OBJECT_TYPE] == sizeof(void *);
}

/* Its last member is an array declared with one element. */
static bool tuple_makes_sense(const uint64_t *group)
{
	return group[TUPLE_SIZE] <= STRUCTURE_SIZE_MAX && group[TUPLE_OB_SIZE] == 2 * sizeof(void *) &&
	       is_field(group[TUPLE_OB_ITEM], group[TUPLE_SIZE]) &&
	       group[TUPLE_OB_ITEM] + sizeof(void *) == group[TUPLE_SIZE];
}

static bool record_makes_sense(const uint64_t *words, const struct published_groups *groups)
{
	return thread_makes_sense(words + groups->thread) && frame_makes_sense(words + groups->frame) &&
	       code_makes_sense(words + groups->code) && object_makes_sense(words + groups->object) &&
	       tuple_makes_sense(words + groups->tuple);
}

static const struct published_groups *find_groups(uint32_t version)
{
	for (size_t i = 0; i < sizeof(published) / sizeof(*published); i++) {
		if (published[i].version == version)
			return &published[i];
	}
	return NULL;
}

static void take_published(struct py_offsets *offsets, const uint64_t *words, const struct published_groups *groups)
{
	const uint64_t *frame = words + groups->frame, *code = words + groups->code;
	*offsets = (struct py_offsets){
		.version = groups->version,
		.thread_frame = (uint16_t)words[groups->thread + THREAD_CURRENT_FRAME],
		.cframe_frame = PY_OFFSET_NONE,
		.frame_previous = (uint16_t)frame[FRAME_PREVIOUS],
		.frame_code = (uint16_t)frame[FRAME_EXECUTABLE],
		.frame_instruction = (uint16_t)frame[FRAME_INSTR_PTR],
		.frame_owner = (uint16_t)frame[FRAME_OWNER],
		.frame_slots = (uint16_t)frame[FRAME_LOCALSPLUS],
		.code_bytecode = (uint16_t)code[CODE_CO_CODE_ADAPTIVE],
		.code_slot_names = (uint16_t)code[CODE_LOCALSPLUSNAMES],
		.code_local_names = PY_OFFSET_NONE,
		.code_cell_names = PY_OFFSET_NONE,
		.code_free_names = PY_OFFSET_NONE,
		.tuple_items = (uint16_t)words[groups->tuple + TUPLE_OB_ITEM],
		MEASURED,
	};
}

static int find_published(struct py_offsets *offsets, uint32_t version, const uint64_t *words, const char **reason)
{
	const struct published_groups *groups = find_groups(version);
	*reason = "this version of Python is newer than the offsets known";
	if (!groups)
		return ERR_LAYOUT;
	*reason = "the interpreter does not export _PyRuntime";
	if (!words)
		return ERR_LAYOUT;
	*reason = "the interpreter's debug offsets are of another version";
	if (memcmp(&words[COOKIE], "xdebugpy", 8) != 0 || (words[HEX_VERSION] & VERSION_MASK) != version)
		return ERR_LAYOUT;
	*reason = "free-threaded interpreters are not supported";
	if (words[FREE_THREADED])
		return ERR_LAYOUT;
	*reason = "the interpreter's debug offsets make no sense";
	if (!record_makes_sense(words, groups))
		return ERR_LAYOUT;
	*reason = NULL;
	take_published(offsets, words, groups);
	return OK;
}

int py_offsets_find(struct py_offsets *offsets, uint32_t version, const void *runtime, const char **reason)
{
	version &= VERSION_MASK;
	*reason = NULL;
	if (version < PUBLISHED_FROM)
		return find_compiled(offsets, version, reason);
	return find_published(offsets, version, runtime, reason);
}
