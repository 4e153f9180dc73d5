/*
 * lock_site.c - a tree of creation stacks, kept in one hash table.
 *
 * A node is (parent node, code, instruction, kind); its value is a class, or "look at the
 * next frame as well".  The root's children are the frames that make locks themselves.
 * Code objects in it are kept alive until their interpreter ends: their number is bounded by
 * the table.
 *
 * Locking: sites_lock (LOCK_RANK_SITES) guards adding nodes.  They are read without it: a
 *          slot's value is stored last (release) and never changes but from one class to
 *          its successor, and to DEAD when its interpreter ends.
 * Fork:    the child keeps the tree.
 */
#include <config.h>

#include <Python.h>

#include "collector/lock_site.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "collector/interpreter_end.h"
#include "collector/lock_exclude.h"
#include "collector/lock_name.h"
#include "collector/lock_table.h"
#include "collector/primitives.h"
#include "runtime/mutex.h"
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

static struct mutex sites_lock = MUTEX_INITIALIZER(LOCK_RANK_SITES);
static struct node *nodes;	/* 3 MiB of address space, touched as used */
static uint32_t n_nodes;	/* slots that are not empty */

/*
 * Where a thread lately made locks, by the marks of py_frames_mark(): most are found here, by
 * a handful of loads.  Where the leaf does not tell, its entry says DEEPER and the one that
 * does stands where leaf and caller together hash to; else the caller is 0.
 */
struct recent_site {
	struct py_frames_mark leaf, caller;	/* their frames are 0 */
	uint32_t class_id;
	enum lock_kind kind;
};

enum { RECENT_BITS = 6 };

/*
 * What a thread remembers goes by addresses; after an interpreter's end they may be another's.
 * So it is of use as long as it knows of as many ends as there were.
 */
struct recent_sites {
	uint32_t n_ends;
	struct recent_site sites[1 << RECENT_BITS];
};

static uint32_t n_ends;

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

static uint32_t node_add(uint32_t parent, const struct raw_frame *frame, uint32_t value)
{
	uint32_t slot = node_slot(parent, frame);
	if (!nodes[slot].value) {
		struct node *node = &nodes[slot = free_slot(parent, frame)];
		Py_IncRef((PyObject *)frame->code);
		n_nodes += !node->value;
		node->code = frame->code;
		node->instruction = (uint32_t)frame->instruction;
		node->parent = parent;
		node->interpreter = (uint32_t)interpreter_id();
	}
	struct node *node = &nodes[slot];
	__atomic_store_n(&node->value, value, __ATOMIC_RELEASE);
	return slot;
}

static void tree_add(const struct raw_frame *frames, size_t used, enum lock_kind kind, uint32_t class_id)
{
	mutex_lock(&sites_lock);
	uint32_t parent = 0;
	for (size_t i = 0; i < used && n_nodes < NODES_MAX; i++)
		parent = node_add(node_parent(parent, kind), &frames[i], i + 1 < used ? (uint32_t)DEEPER : class_id) + 1;
	mutex_unlock(&sites_lock);
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

static uint32_t name_site(const void *tstate, enum lock_kind kind, const struct raw_frame *frames, size_t depth,
			  size_t *used)
{
	struct lock_name name;
	char module[MODULE_NAME_MAX];
	interpreter_end_watch();
	lock_name_from_creation(tstate, frames, depth, &name);
	lock_exclude_module(tstate, name.place, module);
	struct lock_class *c = lock_class_named(lock_kind_name(kind), &name, module);
	if (!c)
		return LOCK_CLASS_NONE;
	*used = name.frames_used ? name.frames_used : 1;
	tree_add(frames, *used, kind, c->id);
	return c->id;
}

static bool is_marked(const struct py_frames_mark *mark, const struct raw_frame *frame)
{
	return (mark->code & ~(uintptr_t)3) == frame->code;	/* a tag apart, in 3.14 and later */
}

static inline size_t mark_hash(const struct py_frames_mark *mark)
{
	return (mark->code ^ mark->instruction << 7 ^ mark->instruction) * 0x9e3779b97f4a7c15;
}

static inline size_t leaf_index(const struct py_frames_mark *leaf)
{
	return mark_hash(leaf) >> (64 - RECENT_BITS);
}

static inline size_t pair_index(const struct py_frames_mark *leaf, const struct py_frames_mark *caller)
{
	return (mark_hash(leaf) + 3 * mark_hash(caller)) >> (64 - RECENT_BITS);
}

static inline bool is_same(const struct py_frames_mark *a, const struct py_frames_mark *b)
{
	return a->code == b->code && a->instruction == b->instruction;
}

/* Remember the site, if the marked frames are those that tell it. */
static void remember(struct recent_site *recents, const struct recent_site *site, const struct raw_frame *frames,
		     size_t used)
{
	if (used > 2 || !is_marked(&site->leaf, &frames[0]) || (used == 2 && !is_marked(&site->caller, &frames[1])))
		return;
	struct recent_site leaf = *site;
	leaf.caller = (struct py_frames_mark){0};
	if (used == 2) {
		leaf.class_id = DEEPER;
		recents[pair_index(&site->leaf, &site->caller)] = *site;
	}
	recents[leaf_index(&leaf.leaf)] = leaf;
}

static inline struct recent_site *current_sites(void)
{
	struct recent_sites *recents = thread_hot.sites;
	return recents && recents->n_ends == __atomic_load_n(&n_ends, __ATOMIC_RELAXED) ? recents->sites : NULL;
}

/* By itself, or by way of the function threading.RLock(). */
static bool is_made_after_fork(const struct raw_frame *frames, size_t depth)
{
	return primitives_makes_inner_locks(frames[0].code) ||
	       (depth > 1 && primitives_makes_inner_locks(frames[1].code));
}

static struct recent_site *recent_sites(void)
{
	struct recent_sites *recents = thread_hot.sites;
	if (recents && current_sites())
		return recents->sites;
	if (!recents && thread_self())
		recents = thread_hot.sites = malloc(sizeof(*recents));
	if (recents)
		*recents = (struct recent_sites){.n_ends = __atomic_load_n(&n_ends, __ATOMIC_ACQUIRE)};
	return recents ? recents->sites : NULL;
}

/* site: its marks and kind are set; its class is found. */
static __attribute__((noinline, cold)) uint32_t find_class(const void *tstate, struct recent_site *site)
{
	struct raw_frame frames[STACK_MAX];
	struct recent_site *recents = recent_sites();
	size_t total, used, depth = py_frames_walk(tstate, frames, STACK_MAX, &total);
	if (!depth || is_made_after_fork(frames, depth) || !is_ready())
		return LOCK_CLASS_NONE;
	site->class_id = tree_find(frames, depth, site->kind, &used);
	if (!site->class_id)
		site->class_id = name_site(tstate, site->kind, frames, depth, &used);
	if (site->class_id && recents)
		remember(recents, site, frames, used);
	return site->class_id;
}

/*
 * The leaf is not among the recent ones, or it does not tell.  A mark comes in registers: to
 * store it in parts and copy it whole costs more than all else here.
 */
static __attribute__((noinline)) uint32_t class_by_caller(const void *tstate, enum lock_kind kind, uintptr_t frame,
							  uintptr_t code, uintptr_t instruction, bool is_known)
{
	struct py_frames_mark leaf = {frame, code, instruction}, caller = py_frames_mark_caller(&leaf);
	if (is_known && caller.code) {
		const struct recent_sites *recents = thread_hot.sites;
		const struct recent_site *recent = &recents->sites[pair_index(&leaf, &caller)];
		if (is_same(&recent->leaf, &leaf) && is_same(&recent->caller, &caller) && recent->kind == kind)
			return recent->class_id;
	}
	return find_class(tstate, &(struct recent_site){.leaf = leaf, .caller = caller, .kind = kind});
}

uint32_t lock_site_class(const void *tstate, enum lock_kind kind)
{
	struct py_frames_mark leaf = py_frames_mark(tstate);
	const struct recent_site *recent = current_sites();
	bool is_known = false;
	if (recent && leaf.code) {
		recent += leaf_index(&leaf);
		is_known = is_same(&recent->leaf, &leaf) && recent->kind == kind && !recent->caller.code;
		if (is_known && recent->class_id != DEEPER)
			return recent->class_id;
	}
	return class_by_caller(tstate, kind, leaf.frame, leaf.code, leaf.instruction, is_known);
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
	__atomic_add_fetch(&n_ends, 1, __ATOMIC_RELEASE);
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

void lock_site_postfork_child(void)
{
	mutex_postfork_child(&sites_lock);
}
