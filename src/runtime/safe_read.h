/*
 * safe_read.h - read memory of this process that may not be there.
 *
 * For places that are not proved yet, or may go away meanwhile.  A system call each: not
 * for hot paths.  Any thread, with or without the GIL.
 */
#ifndef SNECK_RUNTIME_SAFE_READ_H
#define SNECK_RUNTIME_SAFE_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* At most this much at once: what a pipe takes without blocking. */
enum { SAFE_READ_MAX = 512 };

/* Copy size bytes at address to out: false if any of them cannot be read.  errno is kept. */
bool safe_read(uintptr_t address, void *out, size_t size);

#endif
