/*
 * pushed_stack.h - what a pushed sample may have of Python's: the running stack.
 */
#ifndef SNECK_COLLECTOR_PUSHED_STACK_H
#define SNECK_COLLECTOR_PUSHED_STACK_H

#include <stdbool.h>

#include "runtime/pushed.h"

/*
 * Push the Python frames of the calling thread, which has the GIL, leaf first.  May be called
 * inside a sample: runs no Python code.  ERR_STATE as pushed_check(); ERR_INVALID: no GIL.
 */
int pushed_stack(struct pushed *sample);

#endif
