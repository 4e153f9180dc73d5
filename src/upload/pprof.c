/*
 * pprof.c - from the profile's tables to pprof's messages.
 *
 *     row, location, function, string -> Profile with that one element -> pprof_stream
 *
 * Ids: the profile's count from 0, pprof's from 1.  The profile's 0 is the overflow row's;
 * it is written last, when it means something, and all others keep their number.
 * Strings of the format itself (types, units, label keys) follow the profile's.
 */
#include <config.h>

#include "upload/pprof.h"

#include <stdlib.h>

#include "runtime/error.h"
#include "upload/pprof_stream.h"

struct writer {
	struct pprof_stream stream;
	const struct profile *profile;
	const struct pprof_meta *meta;
	uint64_t types;

	/* the parts of one sample */
	int64_t values[SAMPLE_TYPES];
	uint64_t locations[STACK_DEPTH_MAX + 1];
	Pprof__Label labels[SAMPLE_LABELS_MAX], *label_pointers[SAMPLE_LABELS_MAX];
};

/* ---- the format's own strings ---------------------------------------------------------- */

enum { TYPE_STRINGS = 0, UNIT_STRINGS = SAMPLE_TYPES, KEY_STRINGS = 2 * SAMPLE_TYPES,
       OWN_STRINGS = KEY_STRINGS + LABEL_KEYS };

static const char *own_string(size_t i)
{
	if (i < UNIT_STRINGS)
		return sample_type_infos[i - TYPE_STRINGS].name;
	if (i < KEY_STRINGS)
		return sample_type_infos[i - UNIT_STRINGS].unit;
	return label_infos[i - KEY_STRINGS].key;
}

static int64_t own_string_id(const struct writer *writer, size_t i)
{
	return (int64_t)(profile_n_strings(writer->profile) + i);
}

static void put_strings(struct writer *writer)
{
	for (size_t i = 0; i < profile_n_strings(writer->profile); i++)
		pprof_stream_put_string(&writer->stream, profile_string(writer->profile, i, NULL));
	for (size_t i = 0; i < OWN_STRINGS; i++)
		pprof_stream_put_string(&writer->stream, own_string(i));
}

/* ---- sample types and times ------------------------------------------------------------ */

static bool is_written(uint64_t types, size_t type)
{
	return types >> type & 1;
}

static Pprof__ValueType value_type(const struct writer *writer, size_t type)
{
	return (Pprof__ValueType){PROTOBUF_C_MESSAGE_INIT(&pprof__value_type__descriptor),
		.type = own_string_id(writer, TYPE_STRINGS + type), .unit = own_string_id(writer, UNIT_STRINGS + type)};
}

static void put_sample_types(struct writer *writer)
{
	for (size_t type = 0; type < SAMPLE_TYPES; type++) {
		if (!is_written(writer->types, type))
			continue;
		Pprof__ValueType message = value_type(writer, type), *pointer = &message;
		PPROF_PUT(&writer->stream,
			.n_sample_type = 1, .sample_type = &pointer);
	}
}

/* What a reader shows when not told: waits; without them, the first column there is. */
static size_t default_type(const struct writer *writer)
{
	return is_written(writer->types, SAMPLE_LOCK_ACQUIRE_WAIT) ? (size_t)SAMPLE_LOCK_ACQUIRE_WAIT
								   : (size_t)__builtin_ctzll(writer->types);
}

static void put_scalars(struct writer *writer)
{
	size_t type = default_type(writer);
	Pprof__ValueType period_type = value_type(writer, type);
	PPROF_PUT(&writer->stream,
		.time_nanos = writer->meta->start_ns,
		.duration_nanos = writer->meta->duration_ns,
		.period_type = &period_type,
		.period = 1,		/* values are scaled already: each stands for itself */
		.default_sample_type = own_string_id(writer, TYPE_STRINGS + type));
}

static void put_notes(struct writer *writer)
{
	for (size_t i = 0; i < writer->meta->n_notes; i++) {
		char *note = (char *)(uintptr_t)writer->meta->notes[i];
		PPROF_PUT(&writer->stream,
			.n_sneck_note = 1, .sneck_note = &note);
	}
}

/* ---- functions and locations ----------------------------------------------------------- */

/* The first id that means something. */
static size_t first_id(const struct profile *profile)
{
	return profile_overflowed(profile) ? 0 : 1;
}

static uint64_t pprof_id(size_t id, size_t n)
{
	return id ? id : n;
}

static void put_function(struct writer *writer, size_t id)
{
	struct profile_function function = profile_function(writer->profile, id);
	Pprof__Function message = {PROTOBUF_C_MESSAGE_INIT(&pprof__function__descriptor),
		.id = pprof_id(id, profile_n_functions(writer->profile)),
		.name = function.name, .filename = function.filename, .start_line = function.start_line};
	Pprof__Function *pointer = &message;
	PPROF_PUT(&writer->stream,
		.n_function = 1, .function = &pointer);
}

static void put_location(struct writer *writer, size_t id)
{
	struct profile_location location = profile_location(writer->profile, id);
	Pprof__Line line = {PROTOBUF_C_MESSAGE_INIT(&pprof__line__descriptor),
		.function_id = pprof_id(location.function, profile_n_functions(writer->profile)),
		.line = location.line};
	Pprof__Line *line_pointer = &line;
	Pprof__Location message = {PROTOBUF_C_MESSAGE_INIT(&pprof__location__descriptor),
		.id = pprof_id(id, profile_n_locations(writer->profile)), .n_line = 1, .line = &line_pointer};
	Pprof__Location *pointer = &message;
	PPROF_PUT(&writer->stream,
		.n_location = 1, .location = &pointer);
}

/* In the order of their pprof ids: 1, 2, ... and the overflow's last. */
static void put_each(struct writer *writer, size_t n, void (*put_one)(struct writer *writer, size_t id))
{
	for (size_t id = 1; id < n; id++)
		put_one(writer, id);
	if (first_id(writer->profile) == 0)
		put_one(writer, 0);
}

/* ---- samples --------------------------------------------------------------------------- */

/* How many values were written; 0 if they are all 0. */
static size_t round_values(const double *values, uint64_t types, int64_t *rounded)
{
	size_t n = 0;
	int64_t any = 0;
	for (size_t type = 0; type < SAMPLE_TYPES; type++)
		if (is_written(types, type))
			any |= rounded[n++] = pprof_round(values[type]);
	return any ? n : 0;
}

static uint64_t all_types(uint64_t types)
{
	const uint64_t all = (UINT64_C(1) << SAMPLE_TYPES) - 1;
	return types & all ? types & all : all;
}

bool pprof_has_samples(const struct profile *profile, uint64_t types)
{
	int64_t rounded[SAMPLE_TYPES];
	for (size_t row = first_id(profile); row < profile_n_rows(profile); row++)
		if (round_values(profile_row(profile, row).values, all_types(types), rounded))
			return true;
	return false;
}

static void set_label(struct writer *writer, size_t i, const struct profile_label *label)
{
	writer->labels[i] = (Pprof__Label){PROTOBUF_C_MESSAGE_INIT(&pprof__label__descriptor),
		.key = own_string_id(writer, KEY_STRINGS + label->key), .str = label->string, .num = label->number};
	writer->label_pointers[i] = &writer->labels[i];
}

static void put_row(struct writer *writer, size_t id)
{
	struct profile_row row = profile_row(writer->profile, id);
	size_t n_values = round_values(row.values, writer->types, writer->values);
	if (!n_values)
		return;
	for (size_t i = 0; i < row.depth; i++)
		writer->locations[i] = pprof_id(row.locations[i], profile_n_locations(writer->profile));
	for (size_t i = 0; i < row.n_labels; i++)
		set_label(writer, i, &row.labels[i]);
	Pprof__Sample message = {PROTOBUF_C_MESSAGE_INIT(&pprof__sample__descriptor),
		.n_location_id = row.depth, .location_id = writer->locations,
		.n_value = n_values, .value = writer->values,
		.n_label = row.n_labels, .label = writer->label_pointers};
	Pprof__Sample *pointer = &message;
	PPROF_PUT(&writer->stream,
		.n_sample = 1, .sample = &pointer);
}

/* ---- the file -------------------------------------------------------------------------- */

static void put_profile(struct writer *writer)
{
	const struct profile *profile = writer->profile;
	put_sample_types(writer);
	put_each(writer, profile_n_rows(profile), put_row);
	put_each(writer, profile_n_locations(profile), put_location);
	put_each(writer, profile_n_functions(profile), put_function);
	put_strings(writer);
	put_notes(writer);
	put_scalars(writer);
}

int pprof_write(const struct profile *profile, const struct pprof_meta *meta, pprof_sink sink, void *context)
{
	struct writer *writer = calloc(1, sizeof(*writer));
	if (!writer)
		return ERR_NOMEM;
	writer->profile = profile;
	writer->meta = meta;
	writer->types = all_types(meta->types);
	int error = pprof_stream_begin(&writer->stream, sink, context);
	if (!error) {
		put_profile(writer);
		error = pprof_stream_end(&writer->stream);
	}
	free(writer);
	return error;
}
