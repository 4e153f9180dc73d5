/*
 * lock_name.c - from stacks to names.
 *
 * The bytecode of one frame says where a value goes next; when that is "to the caller", ask
 * there.  Frames of the standard library are stepped over, so that Queue()'s lock goes where
 * the Queue goes.
 *
 *	lock made in  threading.py Condition.__init__   (stepped over)
 *	              queue.py     Queue.__init__       (stepped over)
 *	              jobs.py:12   self.jobs = Queue()  -> "jobs.py:12:jobs"
 */
#include <config.h>

#include "collector/lock_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/bytecode.h"
#include "collector/code_table.h"
#include "collector/lock_owner.h"
#include "collector/lock_search.h"
#include "collector/opcodes.h"
#include "collector/py_symbols.h"
#include "collector/py_text.h"
#include "runtime/error.h"

/* So many callers are asked: factories of factories. */
enum { CALLERS_MAX = 8 };

static bool bytecode_is_known;

void lock_name_init(void)
{
	bytecode_is_known = opcodes_init() == OK;
	lock_search_init();
	primitives_init();
}

/* ---- texts ---------------------------------------------------------------------------- */

/* Copy, cut before a character that does not fit whole. */
static void put(char out[LOCK_NAME_BYTES], const char *text)
{
	size_t n = strlen(text);
	if (n >= LOCK_NAME_BYTES) {
		n = LOCK_NAME_BYTES - 1;
		while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
	}
	memcpy(out, text, n);
	out[n] = '\0';
}

static void put_string(char out[LOCK_NAME_BYTES], PyObject *string)
{
	char *text = py_text(string);
	put(out, text ? text : "");
	free(text);
}

/* "name", or "name[...]" for one of its items. */
static void put_name(struct lock_name *name, PyObject *string, bool in_container)
{
	static const char suffix[] = "[...]";
	put_string(name->name, string);
	size_t n = strlen(name->name);
	if (in_container && n > 0 && n + sizeof(suffix) <= LOCK_NAME_BYTES)
		memcpy(name->name + n, suffix, sizeof(suffix));
}

/* ---- functions ---------------------------------------------------------------------------- */

static struct frame resolved(const struct raw_frame *raw)
{
	struct frame frame;
	code_table_resolve(raw, 1, &frame);
	return frame;
}

/* "__init__" of "CacheManager.__init__". */
static const char *last_part(const char *qualified)
{
	const char *dot = strrchr(qualified, '.');
	return dot ? dot + 1 : qualified;
}

static bool is_init(const struct raw_frame *raw)
{
	return strcmp(last_part(resolved(raw).function->name), "__init__") == 0;
}

static bool has_no_file(const struct raw_frame *raw)
{
	return resolved(raw).function->filename[0] == '<';
}

static void put_place(struct lock_name *name, const struct raw_frame *raw)
{
	struct frame frame = resolved(raw);
	const char *slash = strrchr(frame.function->filename, '/');
	put(name->file, slash ? slash + 1 : frame.function->filename);
	name->line = frame.line;
}

/* [Lock() for ...] up to 3.11: a function for the interpreter, but not for who reads the code. */
static bool is_comprehension(const struct raw_frame *raw)
{
	const char *name = last_part(resolved(raw).function->name);
	return name[0] == '<' && strcmp(name, "<lambda>") != 0 && strcmp(name, "<module>") != 0;
}

/* An __init__ written by dataclasses or its like: its caller's file is the one that exists. */
static bool is_generated(const struct raw_frame *frames, size_t depth, size_t i)
{
	return i + 1 < depth && has_no_file(&frames[i]) && is_init(&frames[i]) && !has_no_file(&frames[i + 1]);
}

/* Takes the text. */
static void put_owner(struct lock_name *name, char *owner)
{
	put(name->owner, owner ? owner : "");
	free(owner);
}

/* ---- creation -------------------------------------------------------------------------------- */

/* The first frame at or behind i that is the user's. */
static size_t skip_library(const struct raw_frame *frames, size_t depth, size_t i)
{
	while (i < depth && primitives_knows(frames[i].code))
		i++;
	return i;
}

struct trail {
	const void *tstate;
	const struct raw_frame *frames;
	size_t depth;
	size_t at;		/* the frame that is asked now */
	size_t place;		/* the frame whose line the lock is called by */
	bool of_primitive;	/* what is followed is the primitive that made the lock */
	struct lock_name *name;
};

static void put_destination(struct trail *t, const struct destination *destination)
{
	put_name(t->name, destination->name, destination->in_container);
	t->name->is_guess = false;
	if (!destination->is_attribute || destination->of_self)
		put_owner(t->name, lock_owner_of_frame(t->tstate, t->frames, t->at, destination->of_self));
	if (is_generated(t->frames, t->depth, t->at))
		t->place = skip_library(t->frames, t->depth, t->at + 1);
}

/* Step to the caller.  The place moves along, but not out of a comprehension. */
static bool go_to_caller(struct trail *t)
{
	bool stay = is_comprehension(&t->frames[t->at]);
	t->at = skip_library(t->frames, t->depth, t->at + 1);
	if (t->at < t->depth && !stay)
		t->place = t->at;
	return t->at < t->depth;
}

/* super().__init__() in a subclass of a primitive: the lock goes where the object goes. */
static bool is_dropped_by_init(const struct trail *t)
{
	return t->of_primitive && is_init(&t->frames[t->at]);
}

/* Ask one frame.  True: ask its caller, where the value arrives so. */
static bool ask(struct trail *t, struct arrival *arrival)
{
	struct destination destination;
	bool goes_on = false;
	if (bytecode_follow((PyObject *)t->frames[t->at].code, t->frames[t->at].instruction, *arrival,
			    &destination) != OK)
		return false;
	if (destination.keyword && !t->name->name[0]) {
		put_name(t->name, destination.keyword, false);
		t->name->is_guess = true;
	}
	arrival->position = destination.position;
	switch (destination.kind) {
	case GOES_NAMED: put_destination(t, &destination); break;
	case GOES_RETURNED: arrival->way = ARRIVES_RETURNED; goes_on = true; break;
	case GOES_YIELDED: arrival->way = ARRIVES_YIELDED; goes_on = true; break;
	case GOES_HELD: arrival->way = ARRIVES_HELD; goes_on = true; break;
	case GOES_DROPPED: arrival->way = ARRIVES_RETURNED; goes_on = is_dropped_by_init(t); break;
	case GOES_UNKNOWN: default: break;
	}
	bytecode_forget(&destination);
	return goes_on;
}

/*
 * How many frames tell the name.  Where the user's function that a thread begins with returns the lock, a
 * caller would have been asked that other stacks have; below the library's, Thread._bootstrap, there is never one.
 */
static size_t frames_used(const struct trail *t)
{
	size_t last = t->at > t->place ? t->at : t->place;
	if (last < t->depth)
		return last + 1;
	return primitives_knows(t->frames[t->depth - 1].code) ? t->depth : 0;
}

void lock_name_from_creation(const void *tstate, const struct raw_frame *frames, size_t depth, struct lock_name *name)
{
	memset(name, 0, sizeof(*name));
	if (depth == 0 || PyErr_Occurred())
		return;
	struct trail t = {.tstate = tstate, .frames = frames, .depth = depth, .name = name};
	size_t user = skip_library(frames, depth, 0);
	t.of_primitive = user > 0 && user < depth;
	t.at = t.place = user < depth ? user : 0;
	struct arrival arrival = {.way = t.of_primitive ? ARRIVES_RETURNED : ARRIVES_MADE};
	size_t first = t.place;
	for (int callers = 0; bytecode_is_known && callers < CALLERS_MAX && ask(&t, &arrival); callers++)
		if (!go_to_caller(&t))
			break;
	name->frames_used = frames_used(&t);
	if (!name->name[0] || name->is_guess)
		t.place = first;
	name->place = t.place < depth ? t.place : first;
	put_place(name, &frames[name->place]);
}

/* ---- use ----------------------------------------------------------------------------------------- */

bool lock_name_wants_search(const struct lock_name *name)
{
	return !name->name[0] || name->is_guess;
}

/* The object that the user knows: the lock, or the primitive that it is inside of. */
static PyObject *wanted_object(const void *tstate, PyObject *lock, const struct primitive_use *use)
{
	PyObject *owner = use->owner_frame != SIZE_MAX ? lock_search_first_argument(tstate, use->owner_frame) : NULL;
	return owner ? owner : lock;
}

void lock_name_from_search(const void *tstate, PyObject *lock, const struct raw_frame *frames, size_t depth,
			   const struct primitive_use *use, bool attributes, struct lock_name *name)
{
	size_t user = use->skip < depth ? use->skip : 0;
	struct lock_finding finding;
	if (depth == 0 || PyErr_Occurred())
		return;
	lock_search(tstate, user, wanted_object(tstate, lock, use), attributes, &finding);
	if (finding.name) {
		put_name(name, finding.name, finding.in_container);
		name->is_guess = false;
		put_owner(name, finding.owner ? lock_owner_of_type(finding.owner)
					      : lock_owner_of_frame(tstate, frames, user, false));
	}
	Py_XDECREF(finding.name);
	if (!name->file[0])
		put_place(name, &frames[user]);
}

void lock_name_label(const struct lock_name *name, char label[LOCK_LABEL_BYTES])
{
	const char *colon = name->name[0] ? ":" : "";
	snprintf(label, LOCK_LABEL_BYTES, "%s:%d%s%s", name->file, name->line, colon, name->name);
}
