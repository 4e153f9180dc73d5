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

/* Is there a sample to write? */
bool builder_has_samples(const struct builder *builder);

/* The gzip'd pprof into write(context, ...), as pprof_write. */
int builder_encode(struct builder *builder, pprof_sink write, void *context);

/* How it went.  builder_failed gives error back, for `return builder_failed(...)`; %m works. */
void builder_sent(struct builder *builder, const char *target, uint64_t bytes);
int builder_failed(struct builder *builder, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

const char *builder_target(const struct builder *builder);	/* "" until sent */
uint64_t builder_bytes(const struct builder *builder);
const char *builder_error(const struct builder *builder);	/* "" unless failed */

#endif
