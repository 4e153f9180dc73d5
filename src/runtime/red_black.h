/*
 * red_black.h - the two profiles: samplers fill the one while the uploader empties the other.
 *
 * One of each in a process.  Samplers call red_black_add from any thread; one thread at a
 * time swaps, reads what it got and says when it is done.
 */
#ifndef SNECK_RUNTIME_RED_BLACK_H
#define SNECK_RUNTIME_RED_BLACK_H

#include "runtime/profile.h"

/* Two empty profiles of these limits each.  ERR_NOMEM; ERR_STATE if it was done already. */
int red_black_init(const struct profile_limits *limits);

/* No other call may be going on.  Samples not swapped out are lost. */
void red_black_fini(void);

/* profile_add to the active profile; ERR_STATE before init.  Any thread, with or without the GIL. */
int red_black_add(const struct frame *frames, size_t depth, size_t omitted, const struct label *labels,
		  size_t n_labels, const double values[SAMPLE_TYPES]);

/*
 * The filled profile, its period ended, for the caller alone until red_black_done(); samples
 * go to the other one from here on.  NULL before init, or if the last one was not done yet.
 */
struct profile *red_black_swap(void);

/* The caller is through with the profile: clear it and keep it for the next swap. */
void red_black_done(void);

/* Around a fork; the child starts with empty profiles. */
void red_black_prefork(void);
void red_black_postfork_parent(void);
void red_black_postfork_child(void);

#endif
