/*
 * outbox.h - profiles that could not be sent yet: two at most, the oldest first.
 *
 * Used by one thread at a time, the one that uploads.
 */
#ifndef SNECK_UPLOAD_OUTBOX_H
#define SNECK_UPLOAD_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/rng.h"
#include "upload/builder.h"

enum { OUTBOX_MAX = 2 };

struct outbox {
	struct builder *builders[OUTBOX_MAX];	/* the oldest first */
	size_t n;
	unsigned failures;		/* in a row */
	int64_t try_ns;			/* not before this, monotonic; meaningless when empty */
	struct rng rng;
};

/* Takes the builder.  Gives the one that had to go for it, or NULL. */
struct builder *outbox_put(struct outbox *outbox, struct builder *builder);

/* The oldest; NULL: none.  Gives. */
struct builder *outbox_take(struct outbox *outbox);

/* Gives one that is too old, to be dropped; NULL: none is.  begun_max_ns: as in sink.h. */
struct builder *outbox_take_stale(struct outbox *outbox, int64_t wall_ns, int64_t begun_max_ns);

/* Back in front: it was taken, and failed again. */
void outbox_put_back(struct outbox *outbox, struct builder *builder);

/* A try failed, or succeeded: when the next one is due.  wish_ns: as the server wishes, or 0. */
void outbox_failed(struct outbox *outbox, int64_t now_ns, int64_t wish_ns);
void outbox_succeeded(struct outbox *outbox);

/* When to look again; INT64_MAX: nothing waits. */
int64_t outbox_due_ns(const struct outbox *outbox);

#endif
