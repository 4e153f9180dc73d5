/*
 * pprof_part.h - a profile as a reader with habits of its own wants it: chosen columns under
 * other names, labels renamed, in files of a limited size.
 *
 *     size_t position = 0;
 *     while (pprof_part_find(profile, form, &position))
 *             pprof_part_write(profile, form, meta, &position, ...);
 *
 * Call without the GIL, from any thread; the profile must not change meanwhile.
 */
#ifndef SNECK_UPLOAD_PPROF_PART_H
#define SNECK_UPLOAD_PPROF_PART_H

#include "upload/pprof.h"

struct pprof_column {
	enum sample_type type;
	const char *name;
};

struct pprof_form {
	const char *name;		/* what its writer calls it; not written */
	const struct pprof_column *columns;	/* at least one; the last is the default */
	size_t n_columns;
	const char *period_type, *period_unit;
	const char *const *label_keys;	/* [LABEL_KEYS]; NULL: this label is left out.  Numbers become texts */
	const char *lock_filename;	/* not NULL: the leaf of each stack is a frame of this file named as the lock */
	size_t rows_max, bytes_max;	/* of one file, before compression; one row is written whatever its size */
	size_t text_bytes_max;		/* what is longer is cut; at most PROFILE_TEXT_BYTES */
};

/* Move on to the next row that is not 0 in all columns.  False: there is none. */
bool pprof_part_find(const struct profile *profile, const struct pprof_form *form, size_t *position);

/*
 * Write rows from *position on, as many as fit, and move *position behind them.  Strings,
 * functions and locations are those the rows need, numbered from 1.  Of meta, the times count.
 * OK, ERR_NOMEM, or what the sink returned.
 */
int pprof_part_write(const struct profile *profile, const struct pprof_form *form, const struct pprof_meta *meta,
		     size_t *position, pprof_sink sink, void *context);

#endif
