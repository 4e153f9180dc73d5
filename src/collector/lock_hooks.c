/*
 * lock_hooks.c - the hot paths: what runs in place of CPython's lock functions.
 *
 * Each row of lock_methods.def gets one function per calling convention.  The path that
 * takes no sample is: count down, look at the lock, jump to the original.  Nothing is
 * called, nothing saved on the stack: all that needs a frame is beyond the _slow twin, which is
 * kept out of line and jumped to, and jumps on.
 *
 * Hot: every function here whose name does not end in _slow.
 */
#include <config.h>

#include "collector/lock_hooks.h"

#include "collector/holds.h"
#include "runtime/hot.h"
#include "runtime/threads.h"

#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define COLD __attribute__((noinline, cold))

struct lock_look lock_looks[LOCK_KINDS] SNECK_HOT;
struct rlock_owner rlock_owner_look SNECK_HOT;

typedef PyObject *(*varargs_keywords_fn)(PyObject *, PyObject *, PyObject *);
typedef PyObject *(*fastcall_keywords_fn)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);
typedef PyObject *(*fastcall_fn)(PyObject *, PyObject *const *, Py_ssize_t);

/* Worth a closer look?  An acquire: when its turn has come, or the lock is not free, and not mine. */
#define ACQUIRE_LOCK(l) (--thread_hot.countdown == 0 || lock_is_busy(l, &lock_looks[LOCK_KIND_LOCK]))
static inline bool is_foreign(const PyObject *lock)
{
	return lock_is_busy(lock, &lock_looks[LOCK_KIND_RLOCK]) && rlock_owner(lock) != thread_hot.ident;
}
#define ACQUIRE_RLOCK(l) (--thread_hot.countdown == 0 || is_foreign(l))
/* A release, or a reset: when the lock may have a sampled hold. */
#define RELEASE_LOCK(l) holds_maybe(l)
#define RELEASE_RLOCK(l) holds_maybe(l)
#define RESET_LOCK(l) holds_maybe(l)
#define RESET_RLOCK(l) holds_maybe(l)

#define SLOW_ACQUIRE lock_acquire_slow
#define SLOW_RELEASE lock_release_slow
#define SLOW_RESET lock_reset_slow

#define HOOK(id, suffix, type, look, slow, params, arguments, ...) \
	static COLD PyObject *id##_##suffix##_slow params \
	{ \
		return slow(&lock_methods[METHOD_##id], __VA_ARGS__); \
	} \
	static PyObject *id##_##suffix params \
	{ \
		if (UNLIKELY(look(lock))) \
			return id##_##suffix##_slow arguments; \
		return ((type)lock_methods[METHOD_##id].place.original) arguments; \
	}

#define HOOKS(id, look, slow) \
	HOOK(id, varargs_keywords, varargs_keywords_fn, look, slow, (PyObject *lock, PyObject *a, PyObject *k), (lock, a, k), \
	     CALL_VARARGS_KEYWORDS, lock, a, 0, k) \
	HOOK(id, fastcall_keywords, fastcall_keywords_fn, look, slow, \
	     (PyObject *lock, PyObject *const *v, Py_ssize_t n, PyObject *k), (lock, v, n, k), \
	     CALL_FASTCALL_KEYWORDS, lock, v, n, k) \
	HOOK(id, varargs, PyCFunction, look, slow, (PyObject *lock, PyObject *a), (lock, a), CALL_VARARGS, lock, a, 0, NULL) \
	HOOK(id, fastcall, fastcall_fn, look, slow, (PyObject *lock, PyObject *const *v, Py_ssize_t n), (lock, v, n), \
	     CALL_FASTCALL, lock, v, n, NULL) \
	HOOK(id, noargs, PyCFunction, look, slow, (PyObject *lock, PyObject *a), (lock, a), CALL_NOARGS, lock, a, 0, NULL)

#define LOCK_METHOD(identifier, kind, name, role) HOOKS(identifier, role##_##kind, SLOW_##role)
#include "collector/lock_methods.def"
#undef LOCK_METHOD

struct lock_method lock_methods[LOCK_METHODS] = {
#define LOCK_METHOD(identifier, lock_kind, method, lock_role) \
	[METHOD_##identifier] = { \
		.name = method, .kind = LOCK_KIND_##lock_kind, .role = ROLE_##lock_role, \
		.hooks = { \
			[CALL_VARARGS_KEYWORDS] = (void *)identifier##_varargs_keywords, \
			[CALL_FASTCALL_KEYWORDS] = (void *)identifier##_fastcall_keywords, \
			[CALL_VARARGS] = (void *)identifier##_varargs, \
			[CALL_FASTCALL] = (void *)identifier##_fastcall, \
			[CALL_NOARGS] = (void *)identifier##_noargs, \
		}, \
		.slow = { \
			[CALL_VARARGS_KEYWORDS] = (void *)identifier##_varargs_keywords_slow, \
			[CALL_FASTCALL_KEYWORDS] = (void *)identifier##_fastcall_keywords_slow, \
			[CALL_VARARGS] = (void *)identifier##_varargs_slow, \
			[CALL_FASTCALL] = (void *)identifier##_fastcall_slow, \
			[CALL_NOARGS] = (void *)identifier##_noargs_slow, \
		}, \
	},
#include "collector/lock_methods.def"
#undef LOCK_METHOD
};

SNECK_HOT_CODE PyObject *lock_call_original(const struct lock_call *call)
{
	void *original = call->method->place.original;
	switch (call->convention) {
	case CALL_VARARGS_KEYWORDS:
		return ((varargs_keywords_fn)original)(call->lock, call->args, call->keywords);
	case CALL_FASTCALL_KEYWORDS:
		return ((fastcall_keywords_fn)original)(call->lock, call->vector, call->n, call->keywords);
	case CALL_FASTCALL:
		return ((fastcall_fn)original)(call->lock, call->vector, call->n);
	default:
		return ((PyCFunction)original)(call->lock, call->args);
	}
}

int lock_convention_of(int flags)
{
	switch (flags) {
	case METH_VARARGS | METH_KEYWORDS:
		return CALL_VARARGS_KEYWORDS;
	case METH_FASTCALL | METH_KEYWORDS:
		return CALL_FASTCALL_KEYWORDS;
	case METH_VARARGS:
		return CALL_VARARGS;
	case METH_FASTCALL:
		return CALL_FASTCALL;
	case METH_NOARGS:
	case METH_O:
		return CALL_NOARGS;
	}
	return -1;
}
