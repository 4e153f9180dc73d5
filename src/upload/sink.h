/*
 * sink.h - where uploads go, whatever it is.
 *
 * A sink is a struct that begins with this one.  The uploader calls send from one thread at
 * a time, never with a lock held.
 */
#ifndef SNECK_UPLOAD_SINK_H
#define SNECK_UPLOAD_SINK_H

#include <stddef.h>
#include <stdint.h>

#include "upload/builder.h"

struct sink {
	/*
	 * Encode the builder's profile into payloads, after which it may be released.  NULL: this
	 * sink sends straight from the profile, and so has one try only.
	 */
	int (*encode)(struct sink *sink, struct builder *builder);

	/*
	 * Send, and say how it went: OK and builder_sent; ERR_AGAIN and builder_failed: another try
	 * later may succeed; any other error and builder_failed: it will not.
	 */
	int (*send)(struct sink *sink, struct builder *builder);

	void (*free)(struct sink *sink);

	/* A profile that began longer ago is not taken by the server; 0: it does not say. */
	int64_t begun_max_ns;
};

static inline void sink_free(struct sink *sink)
{
	if (sink)
		sink->free(sink);
}

#endif
