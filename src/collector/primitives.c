/*
 * primitives.c - the library's functions that use locks, found by code object.
 *
 *	code object -> slot (by its hash) -> entry -> row of primitives.def
 *
 * A table of some hundred entries, filled from sys.modules: every function of a listed
 * module, its classes' methods, and the functions inside them.  What is not in it is the
 * user's.  So a hot sample pays one probe, and nothing need be remembered of user code.
 * Entries lie one behind the other: scattered by hash they touched 64 pages, each one more
 * for a fork to copy.
 * A look at the size of sys.modules tells whether something new was imported.
 *
 * The locks that a listed module keeps in its own globals are in the table by address: they
 * are inner whoever of the library uses them.
 *
 * Locking: table_lock (LOCK_RANK_PRIMITIVES) guards writing.  Readers take none: a slot is
 *          written last (release), read first (acquire).  Python is called before the
 *          lock is taken, never under it.
 * Fork:    the table is copied with the process and stays right: code objects keep their addresses.
 */
#include <config.h>

#include "collector/primitives.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/interpreter_end.h"
#include "collector/py_symbols.h"
#include "runtime/fork.h"
#include "runtime/hot.h"
#include "runtime/mutex.h"

/* Roles as the table has them; what they amount to together is in classify(). */
enum row_role {
	ROLE_INNER, ROLE_TRANSPARENT, ROLE_OWNED, ROLE_SEMAPHORE_ACQUIRE, ROLE_SEMAPHORE_RELEASE,
	ROLE_GO_BETWEEN,	/* transparent, but its first argument owns no lock */
	ROLE_CONDITION_WAIT,	/* its leaf operations are on a lock made for this one wait */
	ROLE_THREAD,		/* where a thread's stack begins: inner as a leaf, the end of the walk elsewhere */
	ROLE_AFTER_FORK,	/* inner, and so are the locks it makes */
	ROLE_LOCK,		/* no code, but a lock */
};

static const struct row {
	const char *module, *function;
	enum row_role role;
} rows[] = {
#define PRIMITIVE(module, function, role) {module, function, ROLE_##role},
#include "collector/primitives.def"
#undef PRIMITIVE
};

enum {
	ROWS = sizeof(rows) / sizeof(*rows),
	SLOTS = 8192,		/* power of two; the listed modules have some 1,500 functions together */
	ENTRIES_MAX = SLOTS * 3 / 4,
	FREE = 0,		/* a slot that ends a search; else an entry's number + 1, or */
	STONE = UINT16_MAX,	/* of an entry given back: searches step over it */
	INTERPRETERS_MAX = 64,
	NESTED_MAX = 4,		/* functions in functions in ... */
	KIND_BYTES = 64,
	KINDS_MAX = 512,	/* classes in the listed modules: some 150 */
};

struct entry {
	_Atomic uintptr_t key;	/* address of a code object, or of a lock; kept alive.  0: given back, or never used */
	enum row_role role;
	const char *kind;	/* "threading.Condition", or NULL */
	PyObject *modules;	/* whose interpreter's: its sys.modules */
};

/* What has been resolved in one interpreter.  But for `number`, its own GIL guards it. */
struct interpreter {
	_Atomic int64_t number;	/* its id + 1; 0: free */
	PyObject *modules;	/* its sys.modules, new: the interpreter's own goes before its last finalisers run */
	Py_ssize_t n_modules;	/* its size when last looked through */
	bool done[ROWS];	/* by the first row of each module */
};

static _Atomic uint16_t slots[SLOTS];
static size_t n_taken;		/* of the slots: not free */
static struct entry entries[ENTRIES_MAX];
static size_t lowest_unused;	/* of the entries: none before it is */
static struct interpreter interpreters[INTERPRETERS_MAX];
static struct mutex table_lock SNECK_AT_FORK = MUTEX_INITIALIZER(LOCK_RANK_PRIMITIVES);

/* ---- the table ----------------------------------------------------------------------- */

static size_t slot_of(uintptr_t key)
{
	return (size_t)((key >> 4) * 0x9e3779b97f4a7c15u >> 32) & (SLOTS - 1);
}

/* Hot: no lock, no call.  The table is never full, so a free slot ends the search. */
static const struct entry *find(uintptr_t key)
{
	for (size_t i = slot_of(key);; i = (i + 1) & (SLOTS - 1)) {
		unsigned there = atomic_load_explicit(&slots[i], memory_order_acquire);
		if (there == FREE)
			return NULL;
		if (there != STONE && atomic_load_explicit(&entries[there - 1].key, memory_order_relaxed) == key)
			return &entries[there - 1];
	}
}

/* The first slot on the key's way that is free, or whose entry was given back. */
static _Atomic uint16_t *place_for(uintptr_t key)
{
	size_t i = slot_of(key);
	while (slots[i] != FREE && slots[i] != STONE)
		i = (i + 1) & (SLOTS - 1);
	return &slots[i];
}

/* There is one as long as there is a slot for it. */
static size_t unused_entry(void)
{
	while (entries[lowest_unused].key)
		lowest_unused++;
	return lowest_unused;
}

uintptr_t primitive_strangers[PRIMITIVE_STRANGERS];

static void insert(PyObject *object, enum row_role role, const char *kind, PyObject *modules)
{
	uintptr_t key = (uintptr_t)object;
	mutex_lock(&table_lock);
	if (!find(key) && n_taken < ENTRIES_MAX) {
		_Atomic uint16_t *slot = place_for(key);
		size_t number = unused_entry();
		struct entry *entry = &entries[number];
		n_taken += *slot == FREE;
		entry->role = role;
		entry->kind = kind;
		entry->modules = modules;
		Py_INCREF(object);
		if (primitives_are_strangers_to(key))
			__atomic_store_n(primitive_stranger_slot(key), 0, __ATOMIC_RELAXED);
		atomic_store_explicit(&entry->key, key, memory_order_relaxed);
		/* release: pairs with the acquire in find(). */
		atomic_store_explicit(slot, (uint16_t)(number + 1), memory_order_release);
	}
	mutex_unlock(&table_lock);
}

/* ---- resolving a module ---------------------------------------------------------------- */

struct resolving {
	const char *module;
	PyObject *globals;	/* of that module */
	PyObject *modules;	/* sys.modules */
	PyObject *lock_types[2];
};

static bool fits(const char *pattern, const char *name)
{
	const char *star = strchr(pattern, '*');
	return star ? strncmp(pattern, name, (size_t)(star - pattern)) == 0 : strcmp(pattern, name) == 0;
}

static const struct row *row_for(const char *module, const char *function)
{
	for (size_t i = 0; i < ROWS; i++)
		if (strcmp(rows[i].module, module) == 0 && fits(rows[i].function, function))
			return &rows[i];
	return NULL;
}

/* A code object and those that its constants hold: inner functions, comprehensions. */
static void add_code(const struct resolving *r, PyObject *code, const struct row *row, const char *kind, int level)
{
	insert(code, row->role, kind, r->modules);
	PyObject *constants = PyObject_GetAttrString(code, "co_consts");
	Py_ssize_t n = constants && PyTuple_Check(constants) ? PyTuple_Size(constants) : 0;
	for (Py_ssize_t i = 0; i < n && level < NESTED_MAX; i++) {
		PyObject *constant = PyTuple_GetItem(constants, i);
		if (Py_TYPE(constant) == Py_TYPE(code))
			add_code(r, constant, row, kind, level + 1);
	}
	Py_XDECREF(constants);
}

static bool is_lock(const struct resolving *r, PyObject *value)
{
	return (PyObject *)Py_TYPE(value) == r->lock_types[0] || (PyObject *)Py_TYPE(value) == r->lock_types[1];
}

/* A function of the module itself: one that was put there from elsewhere is not the library's. */
static PyObject *own_code(const struct resolving *r, PyObject *value)
{
	if ((void *)Py_TYPE(value) != py_symbols.PyFunction_Type
	    || py_symbols.PyFunction_GetGlobals(value) != r->globals)
		return NULL;
	return py_symbols.PyFunction_GetCode(value);
}

/* Text of a str that is an identifier; the library's are ASCII. */
static bool put_text(char *out, size_t n_bytes, PyObject *string)
{
	const char *text = PyUnicode_Check(string) ? PyUnicode_AsUTF8AndSize(string, NULL) : NULL;
	if (!text || strlen(text) >= n_bytes) {
		PyErr_Clear();
		return false;
	}
	strcpy(out, text);
	return true;
}

/* Lives as long as the process, for samples keep it: one a class, whatever interpreter's. */
static const char *kind_of(const struct resolving *r, const char *class_name)
{
	static char *kinds[KINDS_MAX];
	char kind[2 * KIND_BYTES + 2];
	size_t i = 0;
	snprintf(kind, sizeof(kind), "%s.%s", r->module, class_name);
	mutex_lock(&table_lock);
	while (i < KINDS_MAX - 1 && kinds[i] && strcmp(kinds[i], kind))
		i++;
	if (!kinds[i])
		kinds[i] = strdup(kind);
	const char *kept = kinds[i] && !strcmp(kinds[i], kind) ? kinds[i] : NULL;
	mutex_unlock(&table_lock);
	return kept;
}

static void add_function(const struct resolving *r, PyObject *code, const char *class_name, const char *kind,
			 const char *name)
{
	char function[2 * KIND_BYTES + 2];
	snprintf(function, sizeof(function), "%s%s%s", class_name, *class_name ? "." : "", name);
	const struct row *row = row_for(r->module, function);
	if (row)
		add_code(r, code, row, kind, 0);
}

static void add_members(const struct resolving *r, PyObject *members, const char *class_name)
{
	const char *kind = NULL;
	PyObject *key, *value;
	char name[KIND_BYTES];
	for (Py_ssize_t at = 0; PyDict_Next(members, &at, &key, &value);) {
		PyObject *code = own_code(r, value);
		if (code && put_text(name, sizeof(name), key)) {
			if (!kind && *class_name)
				kind = kind_of(r, class_name);
			add_function(r, code, class_name, kind, name);
		} else if (is_lock(r, value)) {
			insert(value, ROLE_LOCK, NULL, r->modules);
		}
	}
}

/* A copy of a class's dictionary, asked of type itself: a metaclass has no say. */
static PyObject *class_members(PyObject *class)
{
	getattrofunc getattro = (getattrofunc)PyType_GetSlot(&PyType_Type, Py_tp_getattro);
	PyObject *name = PyUnicode_InternFromString("__dict__"), *proxy = NULL, *members = NULL;
	if (name && (getattrofunc)PyType_GetSlot(Py_TYPE(class), Py_tp_getattro) == getattro)
		proxy = getattro(class, name);
	if (proxy)
		members = PyObject_CallMethod(proxy, "copy", NULL);
	Py_XDECREF(proxy);
	Py_XDECREF(name);
	PyErr_Clear();
	return members;
}

static void add_class(const struct resolving *r, PyObject *class, PyObject *name)
{
	char class_name[KIND_BYTES];
	PyObject *members = put_text(class_name, sizeof(class_name), name) ? class_members(class) : NULL;
	if (members && PyDict_Check(members))
		add_members(r, members, class_name);
	Py_XDECREF(members);
}

static void add_module(const struct resolving *r)
{
	add_members(r, r->globals, "");
	PyObject *key, *value;
	for (Py_ssize_t at = 0; PyDict_Next(r->globals, &at, &key, &value);)
		if (PyType_Check(value))
			add_class(r, value, key);
}

/* Whether an import of this module is under way: it may lack functions yet. */
static bool is_being_imported(PyObject *globals)
{
	PyObject *spec = PyDict_GetItemString(globals, "__spec__");
	PyObject *name = PyUnicode_InternFromString("_initializing"), *flag = NULL;
	if (spec && name && spec != Py_None)
		flag = py_symbols._PyObject_GenericGetAttrWithDict(spec, name, NULL, 1);
	bool answer = flag == Py_True;
	Py_XDECREF(flag);
	Py_XDECREF(name);
	return answer;
}

static void find_lock_types(struct resolving *r)
{
	static const char *const names[] = {"LockType", "RLock"};
	PyObject *thread = PyDict_GetItemString(r->modules, "_thread");
	PyObject *globals = thread && PyModule_Check(thread) ? PyModule_GetDict(thread) : NULL;
	for (int i = 0; i < 2; i++)
		r->lock_types[i] = globals ? PyDict_GetItemString(globals, names[i]) : NULL;
}

/* True when the module is done with: resolved in full, or not there. */
static bool resolve_module(struct resolving *r, bool *present)
{
	PyObject *module = PyDict_GetItemString(r->modules, r->module);
	*present = module && PyModule_Check(module);
	if (!*present)
		return true;
	r->globals = PyModule_GetDict(module);
	bool whole = !is_being_imported(r->globals);
	add_module(r);
	return whole;
}

static bool have_symbols(void)
{
	return py_symbols.PyFunction_GetCode && py_symbols.PyFunction_GetGlobals && py_symbols.PyFunction_Type
		&& py_symbols._PyObject_GenericGetAttrWithDict;
}

/* Look through sys.modules for what was not there last time.  False: look again. */
static bool resolve(struct interpreter *interpreter)
{
	struct resolving r = {.modules = interpreter->modules};
	bool whole = true;
	find_lock_types(&r);
	for (size_t i = 0; i < ROWS; i++) {
		bool present;
		if (interpreter->done[i] || (i > 0 && strcmp(rows[i].module, rows[i - 1].module) == 0))
			continue;
		r.module = rows[i].module;
		bool done = resolve_module(&r, &present);
		interpreter->done[i] = done && present;
		whole &= done;
	}
	return whole;
}

/* ---- keeping up with imports --------------------------------------------------------------- */

static struct interpreter *interpreter_numbered(int64_t number)
{
	for (size_t i = 0; i < INTERPRETERS_MAX; i++)
		if (interpreters[i].number == number)
			return &interpreters[i];
	return NULL;
}

/* NULL: it is at its end, or there are too many. */
static struct interpreter *interpreter_of(int64_t number)
{
	PyObject *modules = PySys_GetObject("modules");		/* borrowed */
	mutex_lock(&table_lock);
	struct interpreter *mine = interpreter_numbered(number);
	if (!mine && modules && PyDict_Check(modules) && (mine = interpreter_numbered(0)) != NULL) {
		mine->modules = modules;
		mine->number = number;
		Py_INCREF(modules);
	}
	mutex_unlock(&table_lock);
	return mine;
}

/* Slow: something was imported.  The collector is held off, for this makes short-lived objects. */
static void __attribute__((noinline)) catch_up(struct interpreter *interpreter, Py_ssize_t n_modules)
{
	if (!have_symbols() || PyErr_Occurred())
		return;
	interpreter_end_watch();
	int collected = PyGC_Disable();
	bool whole = resolve(interpreter);
	if (collected)
		PyGC_Enable();
	interpreter->n_modules = whole ? n_modules : -1;
}

/*
 * The interpreter whose modules were looked at last: most processes have but one, so one
 * comparison tells that nothing is new.
 */
static struct interpreter *last;

/* False: there may be primitives we do not know yet. */
static bool keep_up(void)
{
	int64_t number = interpreter_id() + 1;
	struct interpreter *mine = __atomic_load_n(&last, __ATOMIC_RELAXED);
	if (!mine || mine->number != number) {
		mine = interpreter_of(number);
		__atomic_store_n(&last, mine, __ATOMIC_RELAXED);
	}
	if (!mine)
		return false;
	Py_ssize_t n_modules = PyDict_Size(mine->modules);
	if (mine->n_modules != n_modules)
		catch_up(mine, n_modules);
	return mine->n_modules == n_modules;
}

void primitives_init(void)
{
	keep_up();
}

/* The entry of a leaf's code, after a look for new modules; NULL: it is the user's. */
static SNECK_HOT_CODE const struct entry *find_leaf(uintptr_t code)
{
	if (primitives_are_strangers_to(code))
		return NULL;
	bool is_whole = keep_up();
	const struct entry *entry = find(code);
	if (!entry && is_whole)
		__atomic_store_n(primitive_stranger_slot(code), code, __ATOMIC_RELAXED);
	return entry;
}

SNECK_HOT_CODE bool primitives_knows(uintptr_t code)
{
	return find_leaf(code) != NULL;
}

bool primitives_makes_inner_locks(uintptr_t code)
{
	const struct entry *entry = find(code);
	return entry && entry->role == ROLE_AFTER_FORK;
}

/* ---- classifying ---------------------------------------------------------------------------- */

struct walk {
	bool on_waiter;		/* the lock is the one that Condition.wait() made for this wait */
	bool waited;		/* the way led through Condition.wait() */
	struct primitive_use *use;
};

static void own(struct primitive_use *use, const struct entry *entry, enum primitive_role role, size_t frame)
{
	use->role = role;
	use->owner_frame = frame;
	use->kind = entry->kind;
}

/* Take one more of the library's frames into account.  False: it decides alone, or ends the walk. */
static bool add_frame(struct walk *walk, const struct entry *entry, size_t i)
{
	struct primitive_use *use = walk->use;
	bool first_owner = use->role == PRIMITIVE_NONE || use->role == PRIMITIVE_TRANSPARENT;
	switch (entry->role) {
	case ROLE_CONDITION_WAIT:
		walk->waited = true;
		if (first_owner)
			own(use, entry, PRIMITIVE_TRANSPARENT, i);
		return true;
	case ROLE_TRANSPARENT:
		if (first_owner)
			own(use, entry, PRIMITIVE_TRANSPARENT, i);
		return true;
	case ROLE_GO_BETWEEN:
		if (use->role == PRIMITIVE_NONE)
			use->role = PRIMITIVE_TRANSPARENT;
		return true;
	case ROLE_OWNED:
		if (first_owner)
			own(use, entry, PRIMITIVE_OWNED, i);
		return true;
	case ROLE_SEMAPHORE_ACQUIRE:
		own(use, entry, PRIMITIVE_SEMAPHORE_ACQUIRE, i);
		return true;
	case ROLE_SEMAPHORE_RELEASE:
		own(use, entry, PRIMITIVE_SEMAPHORE_RELEASE, i);
		return true;
	case ROLE_THREAD:
		if (i > 0)
			return false;
		use->role = PRIMITIVE_INNER;
		return false;
	case ROLE_INNER: case ROLE_AFTER_FORK: case ROLE_LOCK: default:
		use->role = PRIMITIVE_INNER;
		return false;
	}
}

/* A wait's own lock is inner, unless what waits is a semaphore. */
static enum primitive_role role_of_wait(const struct walk *walk)
{
	if (walk->use->role == PRIMITIVE_SEMAPHORE_ACQUIRE)
		return walk->on_waiter ? PRIMITIVE_SEMAPHORE_WAIT : PRIMITIVE_INNER;
	return walk->on_waiter ? PRIMITIVE_INNER : walk->use->role;
}

static void classify(const struct raw_frame *frames, size_t depth, bool is_rlock, const struct entry *entry,
		     struct primitive_use *use)
{
	struct walk walk = {.on_waiter = entry->role == ROLE_CONDITION_WAIT && !is_rlock, .use = use};
	size_t i = 0;
	while (entry && add_frame(&walk, entry, i)) {
		i++;
		entry = i < depth ? find(frames[i].code) : NULL;
	}
	if (walk.waited && use->role != PRIMITIVE_INNER)
		use->role = role_of_wait(&walk);
	/* Where a thread runs nothing of the user's, the outermost function is shown. */
	use->skip = i > 0 && (i == depth || entry) && use->role != PRIMITIVE_INNER ? i - 1 : i;
}

enum primitive_role primitives_classify(const struct raw_frame *frames, size_t depth, uintptr_t lock, bool is_rlock,
					struct primitive_use *use)
{
	*use = (struct primitive_use){.role = PRIMITIVE_NONE, .owner_frame = SIZE_MAX};
	const struct entry *leaf = depth > 0 ? find_leaf(frames[0].code) : NULL;
	if (!leaf)
		return PRIMITIVE_NONE;
	classify(frames, depth, is_rlock, leaf, use);
	if (lock && find(lock))
		use->role = PRIMITIVE_INNER;
	return use->role;
}

/* ---- the end of an interpreter, and forks ------------------------------------------------------ */

/* The next object to give back, or NULL.  Its slot is left as a stepping stone for find(). */
static PyObject *take_back(PyObject *modules, size_t *at)
{
	PyObject *object = NULL;
	mutex_lock(&table_lock);
	for (; *at < SLOTS && !object; (*at)++) {
		size_t number = slots[*at] - 1u;
		if (slots[*at] == FREE || slots[*at] == STONE || entries[number].modules != modules)
			continue;
		object = (PyObject *)entries[number].key;
		slots[*at] = STONE;
		entries[number].key = 0;
		if (number < lowest_unused)
			lowest_unused = number;
	}
	mutex_unlock(&table_lock);
	return object;
}

/* No search goes on from a stone before a free slot: it can be free too. */
static void empty_dead_ends(void)
{
	mutex_lock(&table_lock);
	for (size_t i = SLOTS; i-- > 0;)
		if (slots[i] == STONE && slots[(i + 1) % SLOTS] == FREE) {
			slots[i] = FREE;
			n_taken--;
		}
	mutex_unlock(&table_lock);
}

void primitives_forget_interpreter(int64_t id)
{
	struct interpreter *interpreter = interpreter_numbered(id + 1);
	size_t at = 0;
	if (!interpreter)
		return;
	for (PyObject *object; (object = take_back(interpreter->modules, &at)) != NULL;)
		Py_DECREF(object);
	empty_dead_ends();
	memset(interpreter->done, 0, sizeof(interpreter->done));
	interpreter->n_modules = 0;
	Py_CLEAR(interpreter->modules);
	interpreter->number = 0;
}

void primitives_prefork(void)
{
	mutex_lock(&table_lock);
}

void primitives_postfork_parent(void)
{
	mutex_unlock(&table_lock);
}

SNECK_FORK_CODE void primitives_postfork_child(void)
{
	mutex_postfork_child(&table_lock);
}
