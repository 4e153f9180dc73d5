/*
 * lock_sample.h - the settings of the sampled path, and what it asks of the sampler.
 */
#ifndef SNECK_COLLECTOR_LOCK_SAMPLE_H
#define SNECK_COLLECTOR_LOCK_SAMPLE_H

#include <Python.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/lock_class.h"

struct lock_sampler {
	bool is_running;		/* false: every function of ours passes straight on */
	bool inspects_objects;		/* names are searched for in attributes too */
	size_t max_frames;
};

extern struct lock_sampler lock_sampler __attribute__((visibility("hidden")));

/* Do we see locks of this type die?  In another interpreter, its type is taken in first. */
bool lock_type_is_watched(PyTypeObject *type, enum lock_kind kind);

#endif
