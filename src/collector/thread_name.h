/*
 * thread_name.h - the name a thread goes by.
 */
#ifndef SNECK_COLLECTOR_THREAD_NAME_H
#define SNECK_COLLECTOR_THREAD_NAME_H

#include "runtime/threads.h"

/*
 * Look the calling thread's name up, once a period: what threading calls it, else what the
 * kernel does.  With the GIL; may be called inside a sample.
 */
void thread_name_refresh(struct thread *thread);

/* Give the calling thread, if it has no name yet, the kernel's.  With or without the GIL. */
void thread_name_from_kernel(struct thread *thread);

#endif
