/*
 * lock_site.c - a tree of creation stacks, kept in one hash table.
 *
 * A node is (parent node, code, instruction, kind); its value is a class, or "look at the
 * next frame as well".  The root's children are the frames that make locks themselves.
 * Code objects in it are kept alive until their interpreter ends: their number is bounded by
 * the table.
 *
 * Locking: sites_lock (LOCK_RANK_SITES) guards adding nodes.  They are read without it: a
 *          slot's value is stored last (release) and never changes but to DEAD, when its
 *          interpreter ends.
 * Fork:    the child keeps the tree.
 */
#include <config.h>

#include <Python.h>

#include "collector/lock_site.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "collector/interpreter_end.h"
#include "collector/lock_exclude.h"
#include "collector/lock_name.h"
#include "collector/lock_table.h"
#include "collector/primitives.h"
#include "runtime/fork.h"
#include "runtime/mutex.h"
#include "runtime/stats.h"
#include "runtime/threads.h"

enum {
	SLOTS = 1 << 17,
	NODES_MAX = SLOTS / 2,
	STACK_MAX = 16,		/* frames a name may depend on */
	DEEPER = UINT32_MAX,	/* a value: the next frame decides */
	DEAD = UINT32_MAX - 1,	/* a value: nothing stands here any more; a search goes on */
};

struct node {
	uintptr_t code;
	uint32_t instruction;
	uint32_t parent;	/* slot + 1, or 0; the kind in the upper bits */
	uint32_t value;		/* class id, DEEPER, DEAD, or 0 for an empty slot */
	uint32_t interpreter;	/* whose GIL guards the reference to the code */
};

static struct mutex sites_lock SNECK_AT_FORK = MUTEX_INITIALIZER(LOCK_RANK_SITES);
static struct node *nodes;	/* 3 MiB of address space, touched as used */
static uint32_t n_nodes;	/* slots that are not empty */

uint64_t lock_site_ends;

static uint32_t node_parent(uint32_t parent, enum lock_kind kind)
{
	return parent | (uint32_t)kind << 24;
}

static uint32_t node_hash(uint32_t parent, const struct raw_frame *frame)
{
	uint64_t hash = (frame->code >> 4 ^ (uint64_t)frame->instruction << 40 ^ parent) * 0x9e3779b97f4a7c15;
	return (uint32_t)(hash >> 40);
}

/* The slot of the node, or the empty one that ends the search for it. */
static uint32_t node_slot(uint32_t parent, const struct raw_frame *frame)
{
	for (uint32_t i = node_hash(parent, frame);; i++) {
		const struct node *node = &nodes[i % SLOTS];
		uint32_t value = __atomic_load_n(&node->value, __ATOMIC_ACQUIRE);
		if (!value || (value != DEAD && node->code == frame->code && node->instruction == frame->instruction &&
			       node->parent == parent))
			return i % SLOTS;
	}
}

/*
 * Follow the stack down the tree as far as it is known: its class id, or 0; *used frames
 * were looked at.
 */
static uint32_t tree_find(const struct raw_frame *frames, size_t depth, enum lock_kind kind, size_t *used)
{
	uint32_t parent = 0;
	for (*used = 1; *used <= depth; ++*used) {
		uint32_t slot = node_slot(node_parent(parent, kind), &frames[*used - 1]);
		uint32_t value = __atomic_load_n(&nodes[slot].value, __ATOMIC_ACQUIRE);
		if (value != DEEPER)
			return value;
		parent = slot + 1;
	}
	return 0;
}

/* The first slot on the way that nothing stands in. */
static uint32_t free_slot(uint32_t parent, const struct raw_frame *frame)
{
	uint32_t i = node_hash(parent, frame);
	while (nodes[i % SLOTS].value && nodes[i % SLOTS].value != DEAD)
		i++;
	return i % SLOTS;
}

/* One that is there already keeps its value. */
static uint32_t node_add(uint32_t parent, const struct raw_frame *frame, uint32_t value)
{
	uint32_t slot = node_slot(parent, frame);
	if (nodes[slot].value)
		return slot;
	struct node *node = &nodes[slot = free_slot(parent, frame)];
	Py_IncRef((PyObject *)frame->code);
	n_nodes += !node->value;
	node->code = frame->code;
	node->instruction = (uint32_t)frame->instruction;
	node->parent = parent;
	node->interpreter = (uint32_t)interpreter_id();
	__atomic_store_n(&node->value, value, __ATOMIC_RELEASE);
	return slot;
}

static bool is_full(void)
{
	return __atomic_load_n(&n_nodes, __ATOMIC_RELAXED) >= NODES_MAX;
}

/* False: there is no room for all of it. */
static bool tree_add(const struct raw_frame *frames, size_t used, enum lock_kind kind, uint32_t class_id)
{
	mutex_lock(&sites_lock);
	uint32_t parent = 0;
	size_t i;
	for (i = 0; i < used && !is_full(); i++)
		parent = node_add(node_parent(parent, kind), &frames[i], i + 1 < used ? (uint32_t)DEEPER : class_id) + 1;
	mutex_unlock(&sites_lock);
	return i == used;
}

static bool is_ready(void)
{
	if (__atomic_load_n(&nodes, __ATOMIC_ACQUIRE))
		return true;
	mutex_lock(&sites_lock);
	if (!nodes) {
		void *memory = mmap(NULL, SLOTS * sizeof(*nodes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (memory != MAP_FAILED)
			__atomic_store_n(&nodes, memory, __ATOMIC_RELEASE);
	}
	mutex_unlock(&sites_lock);
	return nodes;
}

/* *used is 0 where the site is not in the tree after that. */
static uint32_t name_site(const void *tstate, enum lock_kind kind, const struct raw_frame *frames, size_t depth,
			  size_t *used)
{
	*used = 0;
	struct lock_name name;
	char module[MODULE_NAME_MAX];
	interpreter_end_watch();
	int collecting = PyGC_Disable();	/* a finaliser must not come upon a lock that is half made */
	lock_name_from_creation(tstate, frames, depth, &name);
	lock_exclude_module(tstate, name.place, module);
	struct lock_class *c = lock_class_named(lock_kind_name(kind), &name, module);
	if (collecting)
		PyGC_Enable();
	if (!c)
		return LOCK_CLASS_NONE;
	if (tree_add(frames, name.frames_used, kind, c->id))
		*used = name.frames_used;
	return c->id;
}

/* The marks of a creation's first two frames. */
struct marks {
	struct py_frames_mark leaf, caller;
};

static size_t pair_hash(const struct marks *marks)
{
	return mark_hash(marks->leaf.code, marks->leaf.instruction) +
	       3 * mark_hash(marks->caller.code, marks->caller.instruction);
}

static bool is_marked(const struct py_frames_mark *mark, const struct raw_frame *frame)
{
	return py_frames_mark_code(mark) == frame->code;
}

static bool have_recent_sites(void)
{
	if (thread_hot.sites || !thread_self())
		return thread_hot.sites != NULL;
	size_t n_bytes = RECENT_SITES * sizeof(struct recent_site);
	void *sites = aligned_alloc(sizeof(struct recent_site), n_bytes);
	thread_hot.sites = sites ? memset(sites, 0, n_bytes) : NULL;
	return sites != NULL;
}

/* Remember the site, if the marked frames are those that tell it: the tree keeps their codes alive. */
static void remember(const struct marks *marks, enum lock_kind kind, uint32_t class_id, const struct raw_frame *frames,
		     size_t used)
{
	const struct py_frames_mark *leaf = &marks->leaf, *caller = &marks->caller;
	if (used == 0 || used > 2 || !is_marked(leaf, &frames[0]) || (used == 2 && !is_marked(caller, &frames[1])) ||
	    !have_recent_sites())
		return;
	struct recent_site site = {.code = leaf->code, .instruction = leaf->instruction, .class_id = class_id};
	site.tag = recent_site_tag(kind, used == 1 ? SITE_TELLS : SITE_DEEPER);
	*recent_site_at(mark_hash(leaf->code, leaf->instruction)) = site;
	if (used == 1)
		return;
	site.tag = recent_site_tag(kind, SITE_OF_TWO);
	site.caller_code = caller->code;
	site.caller_instruction = caller->instruction;
	*recent_site_at(pair_hash(marks)) = site;
}

/* By itself, or by way of the function threading.RLock(). */
static bool is_made_after_fork(const struct raw_frame *frames, size_t depth)
{
	return primitives_makes_inner_locks(frames[0].code) ||
	       (depth > 1 && primitives_makes_inner_locks(frames[1].code));
}

static __attribute__((noinline, cold)) uint32_t find_class(const void *tstate, enum lock_kind kind,
							   const struct marks *marks)
{
	struct raw_frame frames[STACK_MAX];
	size_t used, depth = py_frames_leaves(tstate, frames, STACK_MAX);
	if (!depth || is_made_after_fork(frames, depth) || interpreter_has_ended() || !is_ready())
		return LOCK_CLASS_NONE;
	uint32_t class_id = tree_find(frames, depth, kind, &used);
	if (!class_id && is_full())
		stats_count(STAT_locks_unlisted);	/* named when it is first sampled: here it would be for each lock */
	else if (!class_id)
		class_id = name_site(tstate, kind, frames, depth, &used);
	if (class_id)
		remember(marks, kind, class_id, frames, used);
	return class_id;
}

/* A mark comes in registers: to store it in parts and copy it whole costs more than all else here. */
uint32_t lock_site_class_elsewhere(const void *tstate, enum lock_kind kind, uintptr_t frame, uintptr_t code,
				   uintptr_t instruction)
{
	struct marks marks = {.leaf = {frame, code, instruction}};
	marks.caller = py_frames_mark_caller(&marks.leaf);
	if (thread_hot.sites && marks.caller.code) {
		const struct recent_site *recent = recent_site_at(pair_hash(&marks));
		if (recent_site_is(recent, code, instruction, recent_site_tag(kind, SITE_OF_TWO)) &&
		    recent->caller_code == marks.caller.code && recent->caller_instruction == marks.caller.instruction)
			return recent->class_id;
	}
	return find_class(tstate, kind, &marks);
}

/* ---- the end of an interpreter ----------------------------------------------------------- */

/* The next code object to give back, or NULL. */
static PyObject *take_back(uint32_t interpreter, uint32_t *at)
{
	PyObject *code = NULL;
	mutex_lock(&sites_lock);
	for (; nodes && *at < SLOTS && !code; ++*at) {
		struct node *node = &nodes[*at];
		if (!node->value || node->value == DEAD || node->interpreter != interpreter)
			continue;
		code = (PyObject *)node->code;
		__atomic_store_n(&node->value, DEAD, __ATOMIC_RELEASE);
	}
	mutex_unlock(&sites_lock);
	return code;
}

/* No search goes through a slot before an empty one: it can be empty too. */
static void empty_dead_ends(void)
{
	mutex_lock(&sites_lock);
	for (uint32_t i = SLOTS; nodes && i-- > 0;)
		if (nodes[i].value == DEAD && !nodes[(i + 1) % SLOTS].value) {
			__atomic_store_n(&nodes[i].value, 0, __ATOMIC_RELEASE);
			n_nodes--;
		}
	mutex_unlock(&sites_lock);
}

void lock_site_forget_interpreter(int64_t interpreter)
{
	uint32_t at = 0;
	__atomic_add_fetch(&lock_site_ends, SITE_ENDS, __ATOMIC_RELEASE);
	for (PyObject *code; (code = take_back((uint32_t)interpreter, &at)) != NULL;)
		Py_DecRef(code);
	if (at)
		empty_dead_ends();
}

void lock_site_prefork(void)
{
	mutex_lock(&sites_lock);
}

void lock_site_postfork_parent(void)
{
	mutex_unlock(&sites_lock);
}

SNECK_FORK_CODE void lock_site_postfork_child(void)
{
	mutex_postfork_child(&sites_lock);
}
