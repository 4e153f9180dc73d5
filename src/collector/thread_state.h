/*
 * thread_state.h - the calling thread's PyThreadState, without a call.
 *
 * From 3.12 on the interpreter keeps it in a thread-local variable of its own.  Where that is
 * proved to lie, a load tells what PyThreadState_Get() takes a call into another image for:
 * a third of what noting a lock's creation costs.
 */
#ifndef SNECK_COLLECTOR_THREAD_STATE_H
#define SNECK_COLLECTOR_THREAD_STATE_H

#include <Python.h>
#include <stddef.h>

/* From the thread pointer to that variable; 0: not proved.  Written once, before locks are sampled. */
extern ptrdiff_t thread_state_at __attribute__((visibility("hidden")));

/* With the GIL. */
static inline PyThreadState *thread_state(void)
{
	ptrdiff_t at = thread_state_at;
	if (__builtin_expect(at != 0, 1))
		return *(PyThreadState **)((char *)__builtin_thread_pointer() + at);
	return PyThreadState_Get();
}

/* Look for it, at the first call.  With the GIL, which is given up for a moment. */
void thread_state_prove(void);

/* Why PyThreadState_Get() is called; NULL if it is not. */
const char *thread_state_reason(void);

#endif
