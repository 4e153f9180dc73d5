/*
 * builder.h - everything one upload owns: made fresh for it, freed after it.
 *
 * The uploader makes it and adds notes; a sink encodes it, as often as it needs to, and
 * writes down how it went.  One thread at a time.
 */
#ifndef SNECK_UPLOAD_BUILDER_H
#define SNECK_UPLOAD_BUILDER_H

#include "upload/pprof.h"

struct builder;

/* NULL without memory.  Gives; the profile is borrowed until builder_free. */
struct builder *builder_new(const struct profile *profile, uint64_t types);
void builder_free(struct builder *builder);

/* One more note for readers of the file; copied, bad bytes become '?'.  ERR_NOMEM. */
int builder_add_note(struct builder *builder, const char *text);

/* Is there a sample, or a note, to write? */
bool builder_has_samples(const struct builder *builder);
bool builder_has_notes(const struct builder *builder);

/* For a sink that writes a form of its own. */
const struct profile *builder_profile(const struct builder *builder);	/* NULL once released */
uint64_t builder_types(const struct builder *builder);	/* columns wanted, as in pprof_meta */

/* The gzip'd pprof into write(context, ...), as pprof_write. */
int builder_encode(struct builder *builder, pprof_sink write, void *context);

/*
 * What a sink has encoded: one request's worth each.  Kept until builder_free, so that
 * another try encodes nothing and needs no profile.
 */
struct payload {
	const char *name;		/* as the sink calls it; static */
	void *data;
	size_t size;
	bool is_sent;			/* the sink's to set: a further try leaves it out */
};

/* Takes data, from malloc, in any case.  ERR_NOMEM. */
int builder_keep(struct builder *builder, const char *name, void *data, size_t size);
struct payload *builder_payloads(struct builder *builder, size_t *n);

/* The profile is the sampler's again: neither builder_encode nor builder_has_samples may follow. */
void builder_release_profile(struct builder *builder);

/* The period of the profile, wall clock, nanoseconds since 1970. */
int64_t builder_start_ns(const struct builder *builder);
int64_t builder_end_ns(const struct builder *builder);

/* With ERR_AGAIN: how long the server wishes to be left alone; 0: it said nothing. */
void builder_retry_after(struct builder *builder, int64_t ns);
int64_t builder_retry_wish_ns(const struct builder *builder);

/* How it went.  builder_failed gives error back, for `return builder_failed(...)`; %m works. */
void builder_sent(struct builder *builder, const char *target, uint64_t bytes);
int builder_failed(struct builder *builder, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

const char *builder_target(const struct builder *builder);	/* "" until sent */
uint64_t builder_bytes(const struct builder *builder);
const char *builder_error(const struct builder *builder);	/* "" unless failed */

#endif
