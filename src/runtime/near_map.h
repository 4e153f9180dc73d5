/*
 * near_map.h - pages of our own code, mapped a second time near somebody else's.
 *
 * A jump that crosses gigabytes costs the processor more than one that stays near.  Where a
 * library is loaded is not ours to choose, but pages of it may be mapped again.
 */
#ifndef SNECK_RUNTIME_NEAR_MAP_H
#define SNECK_RUNTIME_NEAR_MAP_H

#include <stddef.h>

enum { NEAR_PAGE = 4096 };

/*
 * Map these pages of code once more, below the image that has the address `near_to` and within
 * 2 GB of it, with a page of zeroed data right behind them.  For good.  Gives the copy, or
 * NULL and a reason (static text): nothing is mapped then.
 */
void *near_map(const void *code, size_t pages, const void *near_to, const char **reason);

#endif
