/*
 * frame_objects.h - the stack through the interpreter's frame objects: the slow way, for
 * interpreters whose layout did not prove, and what the fast way is compared with.
 *
 * Needs the GIL.  Nothing of the user's runs, and an exception that is set stays set.
 */
#ifndef SNECK_COLLECTOR_FRAME_OBJECTS_H
#define SNECK_COLLECTOR_FRAME_OBJECTS_H

#include <Python.h>

#include "runtime/py_frames.h"

/* As py_frames_walk(), a hundred times slower.  A walker for py_frames_use_walker(). */
size_t frame_objects_walk(const void *tstate, struct raw_frame *frames, size_t max, size_t *total);

/* The leaf frame of a thread, and the caller of a frame: new, or NULL at the end. */
PyObject *frame_objects_leaf(const void *tstate);
PyObject *frame_objects_back(PyObject *frame);

/* What a walk says of this frame. */
struct raw_frame frame_objects_read(PyObject *frame);

#endif
