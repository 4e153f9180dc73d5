/*
 * hot.h - for what runs where threads take turns, and everything has left the processor's cache.
 */
#ifndef SNECK_RUNTIME_HOT_H
#define SNECK_RUNTIME_HOT_H

/*
 * For variables that each contended operation reads and next to nobody writes: they stand
 * beside each other, whatever module they are of, so they come in two or three lines
 * instead of one each.
 */
#define SNECK_HOT __attribute__((section("sneck_hot")))

/*
 * For functions that each contended operation runs: their code stands together too.  It has left the
 * cache like all else, and is fetched by the line and by the page.
 */
#define SNECK_HOT_CODE __attribute__((hot))

/*
 * Fetch the line of something that is needed soon, without waiting for it.  The compiler takes
 * a bare __builtin_prefetch() for something to be done any time: it moved one before the call
 * that it was to come after.
 */
static inline void hot_prefetch(void *something)
{
	__asm__ volatile("" : "+r"(something) : : "memory");
	__builtin_prefetch(something, 1);
}

#endif
