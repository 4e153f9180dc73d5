/*
 * frames_proof.h - try offsets on a stack of our own before they are used.
 */
#ifndef SNECK_COLLECTOR_FRAMES_PROOF_H
#define SNECK_COLLECTOR_FRAMES_PROOF_H

#include "runtime/py_offsets.h"

/*
 * Measure what offsets leaves open, then walk many kinds of stack both by offsets and by
 * frame objects.  NULL if all agree; else what did not, static.  With the GIL; runs Python
 * code of our own.  No exception stays set.
 */
const char *frames_prove(struct py_offsets *offsets);

#endif
