/*
 * sink.h - where uploads go, whatever it is.
 *
 * A sink is a struct that begins with this one.  The uploader calls send from one thread at
 * a time, never with a lock held.
 */
#ifndef SNECK_UPLOAD_SINK_H
#define SNECK_UPLOAD_SINK_H

#include <stddef.h>

#include "upload/builder.h"

struct sink {
	/* Send the builder's profile and say how it went: OK and builder_sent, or builder_failed. */
	int (*send)(struct sink *sink, struct builder *builder);
	void (*free)(struct sink *sink);
};

static inline void sink_free(struct sink *sink)
{
	if (sink)
		sink->free(sink);
}

#endif
