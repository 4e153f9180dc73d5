/*
 * pprof_read.h - a pprof file as plain data, whoever wrote it, whatever it is.
 *
 * Everything in a struct pprof_file is checked: each column has its value, each frame its
 * function, each string is there and is UTF-8.  What does not check is an error and a
 * sentence, never a crash, and never more memory than the limit.
 */
#ifndef SNECK_UPLOAD_PPROF_READ_H
#define SNECK_UPLOAD_PPROF_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pprof_file_type {
	const char *name, *unit;
};

struct pprof_file_frame {
	const char *function, *filename;
	int64_t line, start_line;	/* 0: unknown */
};

struct pprof_file_label {
	const char *key;
	const char *string;		/* NULL: the label is a number */
	int64_t number;
	const char *unit;		/* of the number, or "" */
};

struct pprof_file_sample {
	const struct pprof_file_frame **frames;	/* leaf first */
	size_t n_frames;
	const struct pprof_file_label *labels;
	size_t n_labels;
	const int64_t *values;		/* [n_types] */
};

struct pprof_file {
	const struct pprof_file_type *types;
	size_t n_types;
	const struct pprof_file_sample *samples;
	size_t n_samples;
	const char *const *comments;
	size_t n_comments;
	int64_t time_ns, duration_ns, period;
	struct pprof_file_type period_type;	/* "" when the file has none */
	size_t default_type;		/* an index into types */
};

enum { PPROF_MESSAGE_BYTES = 256 };	/* room for any sentence */

/*
 * Read gzip'd or plain pprof from memory; it may use memory_max bytes, the inflated file and
 * the result together.  Gives *file.  ERR_INVALID, ERR_LIMIT, ERR_NOMEM, with a sentence in
 * message[PPROF_MESSAGE_BYTES].
 */
int pprof_read(const void *data, size_t size, size_t memory_max, struct pprof_file **file, char *message);

/* The same from a file; ERR_IO besides. */
int pprof_read_path(const char *path, size_t memory_max, struct pprof_file **file, char *message);

void pprof_file_free(struct pprof_file *file);

#endif
