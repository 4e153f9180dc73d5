/*
 * pyroscope_profile.c - profile -> kinds -> parts within the server's limits -> payloads.
 *
 * The columns alone decide what /ingest calls a profile: `contentions` and `delay` are what
 * the server's pages know as mutex contention, any other is called as its last column.  A
 * column with a hyphen, or one string that is not UTF-8, has the whole profile refused; a
 * label that is a number, or has a space in its key, vanishes.
 *
 * The server makes a series of each set of labels, those of samples too, and takes some
 * thousand series.  So what numbers a thread is left out unless asked for.
 *
 * The lock's name is the leaf of each stack: the table beside a flame graph ranks locks by
 * what is their own, and everything above is as in the program's other profiles.
 *
 * Profiles of one series are told apart by their begin in milliseconds, so parts of one
 * profile begin a millisecond after each other.
 */
#include <config.h>

#include "upload/pyroscope_profile.h"

#include <stdio.h>
#include <stdlib.h>

#include "runtime/error.h"
#include "upload/blob.h"
#include "upload/pprof_part.h"
#include "upload/pyroscope_name.h"

enum {
	/* The server's limits as it comes; whoever runs it may change them. */
	ROWS_MAX = 16000,
	PART_BYTES = (4 << 20) - (64 << 10),	/* 4 MiB, and some room for what it adds */
	NS_PER_MS = 1000000,
};

/* Each sample type in one kind; the last column of a kind is its main one. */
static const struct pprof_column waits[] = {{SAMPLE_LOCK_CONTENDED, "contentions"}, {SAMPLE_LOCK_ACQUIRE_WAIT, "delay"}};
static const struct pprof_column holds[] = {{SAMPLE_LOCK_RELEASE, "lock_release"},
					    {SAMPLE_LOCK_RELEASE_HOLD, "lock_release_hold"}};
static const struct pprof_column acquires[] = {{SAMPLE_LOCK_ACQUIRE_FAILED, "lock_acquire_failed"},
					       {SAMPLE_LOCK_ACQUIRE, "lock_acquire"}};

/* Type and unit of the period are part of a profile type's id: of waits, as the server's pages know it. */
static const struct pprof_form kinds[] = {
	{.name = "mutex", .columns = waits, .n_columns = 2, .period_type = "contentions", .period_unit = "count"},
	{.name = "lock_release_hold", .columns = holds, .n_columns = 2, .period_type = "lock", .period_unit = "count"},
	{.name = "lock_acquire", .columns = acquires, .n_columns = 2, .period_type = "lock", .period_unit = "count"},
};
enum { KINDS = sizeof(kinds) / sizeof(*kinds) };


/* ---- labels ---------------------------------------------------------------------------- */

struct label_choice {
	const char *keys[LABEL_KEYS];	/* NULL: not sent */
	char texts[LABEL_KEYS][32];
};

/* As the server's labels are: `lock name` is lock_name.  A number would be a series each. */
static void choose_labels(struct label_choice *choice, bool thread_ids)
{
	for (size_t key = 0; key < LABEL_KEYS; key++) {
		bool is_thread_id = key == LABEL_THREAD_ID || key == LABEL_THREAD_NATIVE_ID;
		bool is_sent = !label_infos[key].is_number || (is_thread_id && thread_ids);
		snprintf(choice->texts[key], sizeof(choice->texts[key]), "%s", label_infos[key].key);
		pyroscope_clean_key(choice->texts[key]);
		choice->keys[key] = is_sent ? choice->texts[key] : NULL;
	}
}

/* ---- payloads -------------------------------------------------------------------------- */

static int encode_part(struct builder *builder, const struct pprof_form *form, int number, size_t *position)
{
	struct blob blob = {.limit = PART_BYTES};	/* compressed, it is smaller */
	const struct pprof_meta meta = {
		.start_ns = builder_start_ns(builder) + (int64_t)number * NS_PER_MS,
		.duration_ns = builder_end_ns(builder) - builder_start_ns(builder),
	};
	int error = pprof_part_write(builder_profile(builder), form, &meta, position, blob_append, &blob);
	if (!error)
		return builder_keep(builder, form->name, blob.data, blob.size);
	free(blob.data);
	return error;
}

/* The columns of a kind that are wanted. */
static size_t wanted_columns(const struct pprof_form *kind, uint64_t types, struct pprof_column *columns)
{
	size_t n = 0;
	for (size_t i = 0; i < kind->n_columns; i++)
		if (!types || types >> kind->columns[i].type & 1)
			columns[n++] = kind->columns[i];
	return n;
}

static int encode_kind(struct builder *builder, const struct pprof_form *kind, const struct label_choice *labels)
{
	struct pprof_column columns[SAMPLE_TYPES];
	struct pprof_form form = *kind;
	form.columns = columns;
	form.n_columns = wanted_columns(kind, builder_types(builder), columns);
	form.label_keys = labels->keys;
	form.lock_filename = "<lock>";
	form.rows_max = ROWS_MAX;
	form.bytes_max = PART_BYTES;
	form.text_bytes_max = PYROSCOPE_VALUE_BYTES;
	size_t position = 0;
	int error = OK;
	for (int i = 0; !error && pprof_part_find(builder_profile(builder), &form, &position); i++)
		error = encode_part(builder, &form, i, &position);
	return error;
}

int pyroscope_encode(struct builder *builder, bool thread_ids)
{
	struct label_choice labels;
	choose_labels(&labels, thread_ids);
	for (size_t i = 0; i < KINDS; i++) {
		int error = encode_kind(builder, &kinds[i], &labels);
		if (error)
			return builder_failed(builder, error, "cannot encode a profile: %s", error_text(error));
	}
	return OK;
}
