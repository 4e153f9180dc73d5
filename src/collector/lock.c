/*
 * lock.c - starting and stopping the lock sampler.
 *
 * Start proves everything before it writes anything: the method tables (shared by every
 * lock, every bound method made earlier, every interpreter), the slots by which locks are
 * made and die (one set per type object, so one per interpreter), and the place of a lock's
 * state.  Stop writes the original pointers back.  Nothing else need be told: the interpreter
 * reads these pointers at each call, but for code that its JIT has compiled (see below).
 *
 * Locking: types_lock (LOCK_RANK_TYPES) guards the list of watched types; interpreters
 *          with a GIL of their own may meet there.
 * Fork:    prefork takes the lock; the child goes on sampling.
 */
#include <config.h>

#include "collector/lock.h"

#include <Python.h>

#include "collector/holds.h"
#include "collector/interpreter_end.h"
#include "collector/lock_hooks.h"
#include "collector/lock_look.h"
#include "collector/lock_sample.h"
#include "collector/lock_site.h"
#include "collector/lock_stubs.h"
#include "collector/lock_table.h"
#include "collector/py_text.h"
#include "collector/sampling.h"
#include "collector/thread_state.h"
#include "collector/threading_module.h"
#include "runtime/error.h"
#include "runtime/fast_clock.h"
#include "runtime/fork.h"
#include "runtime/mutex.h"
#include "runtime/stats.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define SLOW __attribute__((noinline))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

enum { TYPES_MAX = 64, KINDS = 2 };	/* Lock and RLock in each of 32 interpreters */

/* A type of lock, in one interpreter. */
struct watched_type {
	PyTypeObject *type;	/* kept alive until its interpreter ends: stop() writes to it */
	int64_t interpreter;
	enum lock_kind kind;
	struct place make, dealloc;
};

static struct mutex types_lock SNECK_AT_FORK = MUTEX_INITIALIZER(LOCK_RANK_TYPES);
static struct watched_type types[TYPES_MAX];
static size_t n_types;
static struct place allocate_lock, allocate;	/* _thread's functions; the second an old alias */
static const char *look_reason;

/* What the slots of each kind held: the same C functions in every interpreter. */
static void *original_make[KINDS];
static destructor original_dealloc[KINDS];
static ptrdiff_t dealloc_offset;	/* of a Lock's tp_dealloc in its type */

bool lock_is_running(void)
{
	return lock_sampler.is_running;
}

const char *lock_look_reason(void)
{
	return look_reason;
}

/* ---- making and dying ------------------------------------------------------------------ */

/*
 * Where in its page this code stands is the same in every build.  It runs for 4 ns amid 40 of the
 * interpreter's, and at some places it takes 10 more: as it seems, the processor mistakes the one's branches
 * for the other's.  Of four places none was best on all of five builds (ARCHITECTURE, "What it costs").
 */
__asm__(".pushsection sneck_making,\"ax\",%progbits\n\t.p2align 12\n\t.skip 1024\n\t.popsection");
#define MAKING_CODE __attribute__((section("sneck_making")))

static void lock_dealloc_hook(PyObject *lock);

static ALWAYS_INLINE PyObject *note_creation(PyObject *lock, enum lock_kind kind)
{
	if (UNLIKELY(!lock || !lock_sampler.is_running))
		return lock;
	uint32_t id = lock_site_class(thread_state(), kind);
	if (LIKELY(id) && UNLIKELY(lock_table_put(lock, id)))
		stats_count(STAT_locks_unlisted);
	return lock;
}

static void note_death(PyObject *lock)
{
	lock_table_remove(lock);
	if (holds_maybe(lock))
		holds_drop(lock);
}

/* Most die young and without a hold: nothing is called for them, nothing saved. */
static ALWAYS_INLINE bool needs_no_note(PyObject *lock)
{
	return UNLIKELY(!lock_sampler.is_running) || (LIKELY(!holds_maybe(lock)) && lock_table_remove_first(lock));
}

/*
 * _thread's functions are shared by all interpreters, a type's slots are not: a lock made in
 * an interpreter not yet met would be noted, and its death not be seen.
 */
static ALWAYS_INLINE bool is_death_seen(PyObject *lock)
{
	return *(void **)((char *)Py_TYPE(lock) + dealloc_offset) == (void *)lock_dealloc_hook;
}

static SLOW PyObject *meet_interpreter(PyObject *lock)
{
	if (!lock || !lock_sampler.is_running)
		return lock;
	if (lock_type_is_watched(Py_TYPE(lock), LOCK_KIND_LOCK) && is_death_seen(lock))
		return note_creation(lock, LOCK_KIND_LOCK);
	stats_count(STAT_locks_unlisted);
	return lock;
}

static ALWAYS_INLINE PyObject *note_allocation(PyObject *lock)
{
	if (lock && is_death_seen(lock))
		return note_creation(lock, LOCK_KIND_LOCK);
	return meet_interpreter(lock);
}

static MAKING_CODE PyObject *allocate_lock_hook(PyObject *module, PyObject *unused)
{
	return note_allocation(((PyCFunction)allocate_lock.original)(module, unused));
}

static MAKING_CODE PyObject *allocate_hook(PyObject *module, PyObject *unused)
{
	return note_allocation(((PyCFunction)allocate.original)(module, unused));
}

/*
 * Which slot a kind is made by.  Not tp_new where there may be subclasses: those made earlier
 * have the original in theirs, and Python, which compares the two, calls it unsafe to make one by __new__.
 * What tp_alloc gives is no lock yet: of it no more is known than its address.
 */
static const int making_slots[KINDS] = {Py_tp_new, Py_tp_alloc};

#define SLOT_HOOKS(name, kind, maker, params, arguments) \
	static MAKING_CODE PyObject *name##_make_hook params \
	{ \
		return note_creation(((maker)original_make[kind]) arguments, kind); \
	} \
	static SLOW void name##_dealloc_slow(PyObject *lock) \
	{ \
		note_death(lock); \
		original_dealloc[kind](lock); \
	} \
	static MAKING_CODE void name##_dealloc_hook(PyObject *lock) \
	{ \
		if (LIKELY(needs_no_note(lock))) \
			original_dealloc[kind](lock); \
		else \
			name##_dealloc_slow(lock); \
	}

SLOT_HOOKS(lock, LOCK_KIND_LOCK, newfunc, (PyTypeObject *type, PyObject *args, PyObject *keywords), (type, args, keywords))
SLOT_HOOKS(rlock, LOCK_KIND_RLOCK, allocfunc, (PyTypeObject *type, Py_ssize_t n), (type, n))

static void *const make_hooks[KINDS] = {(void *)lock_make_hook, (void *)rlock_make_hook};
static void *const dealloc_hooks[KINDS] = {(void *)lock_dealloc_hook, (void *)rlock_dealloc_hook};

/* ---- types ----------------------------------------------------------------------------- */

static PyObject *thread_module_attribute(const char *name)
{
	PyObject *module = PyImport_ImportModule("_thread");
	PyObject *attribute = module ? PyObject_GetAttrString(module, name) : NULL;
	Py_XDECREF(module);
	PyErr_Clear();
	return attribute;
}

static PyObject *call_thread_module(const char *name)
{
	PyObject *function = thread_module_attribute(name);
	PyObject *result = function ? PyObject_CallObject(function, NULL) : NULL;
	Py_XDECREF(function);
	PyErr_Clear();
	return result;
}

static PyObject *make_lock(void)
{
	return call_thread_module("allocate_lock");
}

static PyObject *make_rlock(void)
{
	return call_thread_module("RLock");
}

static PyObject *(*const makers[KINDS])(void) = {make_lock, make_rlock};

/*
 * Find the slots of a type of this kind.  A Lock has no tp_new of its own before 3.13:
 * _thread.allocate_lock makes them there, as it does later beside the type.
 */
static int prove_type(PyTypeObject *type, enum lock_kind kind, struct watched_type *watched, const char **reason)
{
	*watched = (struct watched_type){.type = type, .kind = kind, .interpreter = interpreter_id()};
	int error = place_of_slot(type, making_slots[kind], &watched->make, reason);
	if (error == ERR_LAYOUT)
		return error;
	return place_of_slot(type, Py_tp_dealloc, &watched->dealloc, reason);
}

static void watch(struct watched_type *watched)
{
	place_redirect(&watched->make, make_hooks[watched->kind]);
	place_redirect(&watched->dealloc, dealloc_hooks[watched->kind]);
}

static void unwatch(struct watched_type *watched)
{
	place_restore(&watched->make);
	place_restore(&watched->dealloc);
}

static struct watched_type *find_watched(PyTypeObject *type)
{
	for (size_t i = 0; i < n_types; i++)
		if (types[i].type == type)
			return &types[i];
	return NULL;
}

/* Does this type's kind have the functions we know?  Then its interpreter's locks are ours to see. */
static bool adopt(PyTypeObject *type, enum lock_kind kind)
{
	struct watched_type watched;
	const char *reason;
	if (n_types == TYPES_MAX || prove_type(type, kind, &watched, &reason) ||
	    watched.dealloc.original != (void *)original_dealloc[kind] ||
	    (watched.make.at && watched.make.original != original_make[kind]))
		return false;
	Py_IncRef((PyObject *)type);
	types[n_types] = watched;
	watch(&types[n_types++]);
	return true;
}

/* The type among a lock's bases that CPython itself defines: its tp_dealloc is the original. */
static bool watches_base(PyTypeObject *type, enum lock_kind kind)
{
	for (PyTypeObject *base = type; base; base = PyType_GetSlot(base, Py_tp_base)) {
		if (find_watched(base))
			return true;
		if (!(PyType_GetFlags(base) & Py_TPFLAGS_HEAPTYPE))
			return false;
		if (PyType_GetSlot(base, Py_tp_dealloc) == (void *)original_dealloc[kind])
			return adopt(base, kind);
	}
	return false;
}

bool lock_type_is_watched(PyTypeObject *type, enum lock_kind kind)
{
	interpreter_end_watch();
	mutex_lock(&types_lock);
	bool is_watched = watches_base(type, kind);
	mutex_unlock(&types_lock);
	return is_watched;
}

static PyTypeObject *take_back_type(int64_t interpreter)
{
	PyTypeObject *type = NULL;
	mutex_lock(&types_lock);
	for (size_t i = 0; i < n_types && !type; i++)
		if (types[i].interpreter == interpreter) {
			type = types[i].type;
			types[i] = types[--n_types];
		}
	mutex_unlock(&types_lock);
	return type;
}

/* Its slots stay redirected: locks that are still to die are struck from the table so. */
void lock_forget_interpreter(int64_t interpreter)
{
	for (PyTypeObject *type; (type = take_back_type(interpreter)) != NULL;)
		Py_DecRef((PyObject *)type);
}

/* ---- start and stop -------------------------------------------------------------------- */

static int prove_method(struct lock_method *method, PyObject *lock, const char **reason)
{
	int error = place_of_method(lock, method->name, &method->place, reason);
	if (error == ERR_STATE)
		return OK;	/* this interpreter does not have it */
	if (!error && lock_convention_of(method->place.flags) < 0) {
		*reason = "a method of the lock type has a calling convention we have no function for";
		error = ERR_LAYOUT;
	}
	return error;
}

static int prove_methods(PyObject *const locks[KINDS], const char **reason)
{
	bool has[KINDS][3] = {{false}};
	for (size_t i = 0; i < LOCK_METHODS; i++) {
		struct lock_method *method = &lock_methods[i];
		if (prove_method(method, locks[method->kind], reason))
			return ERR_LAYOUT;
		has[method->kind][method->role] |= method->place.at != NULL;
	}
	*reason = "a lock type without acquire and release";
	for (size_t kind = 0; kind < KINDS; kind++)
		if (!has[kind][ROLE_ACQUIRE] || !has[kind][ROLE_RELEASE])
			return ERR_LAYOUT;
	return OK;
}

static int prove_allocators(const char **reason)
{
	PyObject *module = PyImport_ImportModule("_thread");
	int error = module ? place_of_method(module, "allocate_lock", &allocate_lock, reason) : ERR_LAYOUT;
	if (!error && allocate_lock.flags != METH_NOARGS)
		error = ERR_LAYOUT;
	if (!error && place_of_method(module, "allocate", &allocate, reason) == ERR_LAYOUT)
		allocate = (struct place){0};
	Py_XDECREF(module);
	return error == ERR_STATE ? OK : error;
}

static int prove_first_types(PyObject *const locks[KINDS], const char **reason)
{
	for (size_t kind = 0; kind < KINDS; kind++) {
		if (find_watched(Py_TYPE(locks[kind])))
			continue;
		struct watched_type watched;
		if (prove_type(Py_TYPE(locks[kind]), (enum lock_kind)kind, &watched, reason))
			return ERR_LAYOUT;
		original_make[kind] = watched.make.original;
		original_dealloc[kind] = (destructor)watched.dealloc.original;
		if (kind == LOCK_KIND_LOCK)
			dealloc_offset = (char *)watched.dealloc.at - (char *)watched.type;
		Py_IncRef((PyObject *)watched.type);
		types[n_types++] = watched;
	}
	return OK;
}

/* Once: what is proved stays so, and the places are the same at every later start. */
static int prove_all(const char **reason)
{
	static bool is_proved;
	if (is_proved)
		return OK;
	PyObject *locks[KINDS] = {makers[0](), makers[1]()};
	*reason = "_thread makes no locks";
	int error = locks[0] && locks[1] ? OK : ERR_LAYOUT;
	if (!error)
		error = prove_methods(locks, reason);
	if (!error)
		error = prove_allocators(reason);
	if (!error)
		error = prove_first_types(locks, reason);
	Py_XDECREF(locks[0]);
	Py_XDECREF(locks[1]);
	PyErr_Clear();
	if (error)
		return error;
	look_reason = lock_look_prove(make_lock, make_rlock);
	lock_stubs_map();
	is_proved = true;
	return OK;
}

/* A later start may come from another interpreter than the first, or the first may be gone. */
static void watch_own_types(void)
{
	for (size_t kind = 0; kind < KINDS; kind++) {
		PyObject *lock = makers[kind]();
		if (lock)
			lock_type_is_watched(Py_TYPE(lock), (enum lock_kind)kind);
		Py_XDECREF(lock);
	}
}

/* ---- replaced by others ---------------------------------------------------------------- */

/* A type from 3.13 on, before that _thread.allocate_lock. */
static bool is_own_maker(PyObject *maker)
{
	if (PyType_Check(maker))
		return lock_type_is_watched((PyTypeObject *)maker, LOCK_KIND_LOCK);
	return PyCFunction_CheckExact(maker) && (void *)PyCFunction_GetFunction(maker) == *allocate_lock.at;
}

char *lock_replacement(void)
{
	PyObject *maker = lock_sampler.is_running ? threading_global("Lock") : NULL, *reason = NULL;
	Py_XINCREF(maker);
	if (maker && !is_own_maker(maker))
		reason = PyUnicode_FromFormat("threading.Lock is %R: of what it makes, only CPython's own locks are seen",
					      maker);
	char *text = reason ? py_text(reason) : NULL;
	Py_XDECREF(reason);
	Py_XDECREF(maker);
	PyErr_Clear();
	return text;
}

/* ---- redirecting ----------------------------------------------------------------------- */

static void redirect_method(struct lock_method *method)
{
	if (method->place.at)
		place_redirect(&method->place, method->stub ? method->stub :
					       method->hooks[lock_convention_of(method->place.flags)]);
}

/*
 * A release matters only while there is a sampled hold, so its functions are redirected just
 * as long: that halves what the unsampled path costs (a jump out of the interpreter's text
 * and back is all it costs).  Under the holds' lock, so what stands there agrees with it.
 */
static void redirect_releases(bool any_holds)
{
	for (size_t i = 0; i < LOCK_METHODS; i++)
		if (lock_methods[i].role != ROLE_ACQUIRE) {
			if (any_holds)
				redirect_method(&lock_methods[i]);
			else
				place_restore(&lock_methods[i].place);
		}
}

/* Code that 3.15's JIT has compiled goes on calling what stood there then: no swapping under it. */
static bool jit_is_enabled(void)
{
	PyObject *jit = PySys_GetObject("_jit");	/* borrowed */
	PyObject *answer = jit ? PyObject_CallMethod(jit, "is_enabled", NULL) : NULL;
	bool is_enabled = answer == Py_True;
	Py_XDECREF(answer);
	PyErr_Clear();
	return is_enabled;
}

/*
 * Where the JIT is on, have compiled code thrown away: it goes on calling what stood there.
 * PyType_Modified() would not do.  It does not reach a lock that is a constant to the JIT (a
 * global), for the types are immutable and not watched; and each call uses up one of the
 * thousand versions that a type has, after which nobody specialises code for it any more.
 */
static void forget_compiled_code(void)
{
	PyObject *clear = jit_is_enabled() ? PySys_GetObject("_clear_internal_caches") : NULL;	/* borrowed */
	Py_XDECREF(clear ? PyObject_CallObject(clear, NULL) : NULL);
	PyErr_Clear();
}

/* all_are_held: of every acquire, a hold is noted; there is always one, and nothing to swap for. */
static void redirect_all(bool all_are_held)
{
	for (size_t i = 0; i < LOCK_METHODS; i++)
		if (lock_methods[i].role == ROLE_ACQUIRE)
			redirect_method(&lock_methods[i]);
	bool swaps = !all_are_held && !jit_is_enabled();
	lock_stubs_set_holds(all_are_held || swaps);
	if (!swaps)
		redirect_releases(true);
	holds_on_change(swaps ? redirect_releases : all_are_held ? NULL : lock_stubs_set_holds);
	place_redirect(&allocate_lock, (void *)allocate_lock_hook);
	place_redirect(&allocate, (void *)allocate_hook);
	mutex_lock(&types_lock);
	for (size_t i = 0; i < n_types; i++)
		watch(&types[i]);
	mutex_unlock(&types_lock);
	forget_compiled_code();
}

static void restore_all(void)
{
	holds_on_change(NULL);
	for (size_t i = 0; i < LOCK_METHODS; i++)
		place_restore(&lock_methods[i].place);
	place_restore(&allocate_lock);
	place_restore(&allocate);
	mutex_lock(&types_lock);
	for (size_t i = 0; i < n_types; i++)
		unwatch(&types[i]);
	mutex_unlock(&types_lock);
	forget_compiled_code();
}

static struct sampling sampling_of(const struct options *options)
{
	/* who asks for everything gets everything, unless a budget was asked for too */
	bool takes_all = options->capture_pct >= 100;
	bool has_budget = !takes_all || options_is_given(options, OPTION_lock_budget_pct);
	return (struct sampling){
		.capture_pct = options->capture_pct,
		.budget_pct = has_budget ? options->lock_budget_pct : 0,
	};
}

int lock_start(const struct options *options, const char **reason)
{
	if (lock_sampler.is_running)
		return ERR_STATE;
	int error = prove_all(reason);
	if (error)
		return error;
	watch_own_types();
	struct sampling sampling = sampling_of(options);
	lock_table_clear();
	holds_clear();
	lock_sampler.max_frames = (size_t)options->max_frames;
	lock_sampler.inspects_objects = options->lock_name_inspect_dir;
	fast_clock_begin();
	sampling_set(&sampling);
	lock_stubs_choose(sampling.capture_pct > 0);
	__atomic_store_n(&lock_sampler.is_running, true, __ATOMIC_RELEASE);
	redirect_all(sampling_is_complete());
	return OK;
}

void lock_stop(void)
{
	if (!lock_sampler.is_running)
		return;
	restore_all();
	__atomic_store_n(&lock_sampler.is_running, false, __ATOMIC_RELEASE);
	holds_clear();
	lock_table_clear();
}

void lock_prefork(void)
{
	mutex_lock(&types_lock);
}

void lock_postfork_parent(void)
{
	mutex_unlock(&types_lock);
}

SNECK_FORK_CODE void lock_postfork_child(void)
{
	mutex_postfork_child(&types_lock);
}
