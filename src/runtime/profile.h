/*
 * profile.h - the samples of one upload period, merged by stack and labels.
 *
 * Life: profile_new, profile_add many times, read through the accessors, profile_clear or
 * profile_free.  A profile has no lock of its own: whoever shares one guards it
 * (red_black.h does).
 */
#ifndef SNECK_RUNTIME_PROFILE_H
#define SNECK_RUNTIME_PROFILE_H

#include "runtime/sample.h"

struct profile;

struct profile_limits {
	size_t rows;		/* distinct (stack, labels) */
	size_t bytes;		/* of everything the profile owns */
};

/* An empty profile, or NULL without memory.  Gives. */
struct profile *profile_new(const struct profile_limits *limits);
void profile_free(struct profile *profile);

/* Forget all samples; strings, functions, stacks too.  Memory goes back to the system. */
void profile_clear(struct profile *profile);

/*
 * Add one sample: values[type] for every type, already scaled.  Borrows everything.
 * frames: leaf first.  omitted > 0: that many root frames were cut; a last frame
 * "<N frames omitted>" stands for them.  Returns OK; or ERR_LIMIT/ERR_NOMEM when the
 * sample went into the overflow row instead (its values are never lost).
 */
int profile_add(struct profile *profile, const struct frame *frames, size_t depth, size_t omitted,
		const struct label *labels, size_t n_labels, const double values[SAMPLE_TYPES]);

/* ---- reading (ids are dense: 0 .. count-1; string 0 is "") -------------------------- */

struct profile_function {
	uint32_t name, filename;	/* string ids */
	int32_t start_line;
};

struct profile_location {
	uint32_t function;		/* function id */
	int32_t line;
};

struct profile_label {
	uint32_t key;			/* enum label_key */
	uint32_t string;		/* string id, for STRING keys */
	int64_t number;
};

/* A row as read: arrays are borrowed until the profile changes. */
struct profile_row {
	const uint32_t *locations;	/* location ids, leaf first */
	size_t depth;
	const struct profile_label *labels;
	size_t n_labels;
	const double *values;		/* [SAMPLE_TYPES] */
};

size_t profile_n_strings(const struct profile *profile);
size_t profile_n_functions(const struct profile *profile);
size_t profile_n_locations(const struct profile *profile);
size_t profile_n_rows(const struct profile *profile);

const char *profile_string(const struct profile *profile, size_t id, size_t *length);
struct profile_function profile_function(const struct profile *profile, size_t id);
struct profile_location profile_location(const struct profile *profile, size_t id);
struct profile_row profile_row(const struct profile *profile, size_t row);

/* How many samples went to the overflow row, and how many bytes the profile owns now. */
uint64_t profile_overflowed(const struct profile *profile);
size_t profile_size_bytes(const struct profile *profile);

/* Wall clock, nanoseconds since 1970, of profile_new or profile_clear. */
int64_t profile_start_ns(const struct profile *profile);

#endif
