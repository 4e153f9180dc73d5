/*
 * lone_thread.h - is ours the only thread besides the caller's?
 */
#ifndef SNECK_UPLOAD_LONE_THREAD_H
#define SNECK_UPLOAD_LONE_THREAD_H

/* How many threads the kernel counts in this process; 0 if it does not say.  No allocation. */
int kernel_thread_count(void);

#endif
