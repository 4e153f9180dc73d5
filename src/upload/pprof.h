/*
 * pprof.h - a profile as gzip'd pprof, streamed.
 *
 * Messages are packed one by one into the compressor, so memory does not grow with the
 * profile.  Call without the GIL, from any thread; the profile must not change meanwhile.
 */
#ifndef SNECK_UPLOAD_PPROF_H
#define SNECK_UPLOAD_PPROF_H

#include "runtime/profile.h"

struct pprof_meta {
	int64_t start_ns;		/* wall clock, nanoseconds since 1970 */
	int64_t duration_ns;
	const char *const *notes;	/* UTF-8, for `sneck report`: a field that other readers pass by */
	size_t n_notes;
	uint64_t types;			/* columns to write: bit 1 << enum sample_type; 0: all */
};

/* Where compressed bytes go: 0, or a negative code to abort the writing. */
typedef int (*pprof_sink)(void *context, const void *data, size_t size);

/* Would a file of these columns hold a sample?  Rows whose values all round to 0 are left out. */
bool pprof_has_samples(const struct profile *profile, uint64_t types);

/* Encode and compress.  OK, ERR_NOMEM, or what the sink returned. */
int pprof_write(const struct profile *profile, const struct pprof_meta *meta, pprof_sink sink, void *context);

#endif
