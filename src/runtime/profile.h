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
	size_t rows;		/* distinct (stack, labels), the overflow row not counted */
	size_t bytes;		/* of everything the profile owns, but for a few KiB it starts with */
};

/* An empty profile whose period begins now, or NULL without memory.  Gives. */
struct profile *profile_new(const struct profile_limits *limits);
void profile_free(struct profile *profile);

/* Forget all samples; strings, functions, stacks too.  Memory goes back to the system. */
void profile_clear(struct profile *profile);

/*
 * In a forked child, for a profile that another thread was using at the fork: empty again,
 * without a look at what that thread may have left half done.  Its pages stay mapped.
 */
void profile_abandon(struct profile *profile);

/* The period that the samples belong to begins, or ends, now; or began at a time by both clocks. */
void profile_begin(struct profile *profile);
void profile_begin_at(struct profile *profile, int64_t now_ns, int64_t wall_ns);
void profile_end(struct profile *profile);

/*
 * Add one sample: values[type] for every type, already scaled.  Borrows all but the
 * functions: a struct function must stay as it is until the profile's period has ended,
 * for its address is a key until then (code_table keeps those it gives for two periods).
 *
 * frames: leaf first.  omitted > 0: that many root frames were cut; a last frame
 * "<N frames omitted>" stands for them.  Texts that are not UTF-8 get '?' for each bad
 * byte, and are cut at PROFILE_TEXT_BYTES.  A value that is no positive number counts 0.
 * Returns OK; or ERR_LIMIT/ERR_NOMEM when the sample went into the overflow row instead
 * (its values are never lost).
 */
int profile_add(struct profile *profile, const struct frame *frames, size_t depth, size_t omitted,
		const struct label *labels, size_t n_labels, const double values[SAMPLE_TYPES]);

enum { PROFILE_TEXT_BYTES = 4096 };

/* ---- reading ------------------------------------------------------------------------
 *
 * Ids are dense: 0 .. count-1; string 0 is "".  Row 0, location 0 and function 0 belong to
 * the overflow row, whose one frame, and its lock's name, is "<profile full>": they are there
 * always, and mean something only when profile_overflowed() is not 0.
 */

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
	int64_t number;			/* never 0 for NUMBER keys: pprof cannot say it */
};

/* A row as read: arrays are borrowed until the profile changes. */
struct profile_row {
	const uint32_t *locations;	/* location ids, leaf first */
	size_t depth;			/* <= STACK_DEPTH_MAX + 1 */
	const struct profile_label *labels;	/* in the order of labels.def, no key twice */
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

/* Has no sample been added? */
bool profile_is_empty(const struct profile *profile);

/* How many samples went to the overflow row, and how many bytes the profile owns now. */
uint64_t profile_overflowed(const struct profile *profile);
size_t profile_size_bytes(const struct profile *profile);

/* The period: its begin in nanoseconds since 1970, and its length up to profile_end (or now). */
int64_t profile_start_ns(const struct profile *profile);
int64_t profile_duration_ns(const struct profile *profile);

#endif
