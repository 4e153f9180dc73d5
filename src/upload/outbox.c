/*
 * outbox.c - back-off that doubles, with jitter, so that a fleet does not knock in step.
 *
 * Fork: a child's is emptied without freeing: the profiles are the parent's to send, and its
 *       thread may have been in the middle of one.
 */
#include <config.h>

#include "upload/outbox.h"

#include <string.h>

static const int64_t first_ns = INT64_C(1000000000), longest_ns = 60 * INT64_C(1000000000);
static const int64_t longest_wish_ns = 600 * INT64_C(1000000000);
static const int64_t stale_ns = 3000 * INT64_C(1000000000);	/* since its end: who looks now does not look there */

struct builder *outbox_take(struct outbox *outbox)
{
	if (!outbox->n)
		return NULL;
	struct builder *oldest = outbox->builders[0];
	outbox->n--;
	memmove(outbox->builders, outbox->builders + 1, outbox->n * sizeof(*outbox->builders));
	return oldest;
}

struct builder *outbox_put(struct outbox *outbox, struct builder *builder)
{
	struct builder *oldest = outbox->n == OUTBOX_MAX ? outbox_take(outbox) : NULL;
	outbox->builders[outbox->n++] = builder;
	return oldest;
}

static bool is_stale(const struct builder *builder, int64_t wall_ns, int64_t begun_max_ns)
{
	return wall_ns - builder_end_ns(builder) > stale_ns ||
	       (begun_max_ns && wall_ns - builder_start_ns(builder) > begun_max_ns);
}

struct builder *outbox_take_stale(struct outbox *outbox, int64_t wall_ns, int64_t begun_max_ns)
{
	return outbox->n && is_stale(outbox->builders[0], wall_ns, begun_max_ns) ? outbox_take(outbox) : NULL;
}

void outbox_put_back(struct outbox *outbox, struct builder *builder)
{
	memmove(outbox->builders + 1, outbox->builders, outbox->n * sizeof(*outbox->builders));
	outbox->builders[0] = builder;
	outbox->n++;
}

void outbox_failed(struct outbox *outbox, int64_t now_ns, int64_t wish_ns)
{
	int64_t wait_ns = outbox->failures < 6 ? first_ns << outbox->failures : longest_ns;
	outbox->failures++;
	/* between half of it and all of it */
	wait_ns = (int64_t)((double)(wait_ns < longest_ns ? wait_ns : longest_ns) * (1 + rng_uniform(&outbox->rng)) / 2);
	if (wait_ns < wish_ns)
		wait_ns = wish_ns < longest_wish_ns ? wish_ns : longest_wish_ns;
	outbox->try_ns = now_ns + wait_ns;
}

void outbox_succeeded(struct outbox *outbox)
{
	outbox->failures = 0;
	outbox->try_ns = 0;
}

int64_t outbox_due_ns(const struct outbox *outbox)
{
	return outbox->n ? outbox->try_ns : INT64_MAX;
}
