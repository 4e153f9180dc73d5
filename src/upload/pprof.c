/*
 * pprof.c - from the profile's tables to pprof's messages.
 *
 *     row, location, function, string -> Profile with that one element -> gzip -> sink
 *
 * A protobuf message may be written in parts that add up: a Profile with one sample, then
 * one with the next.  So each part is packed by itself, and none is ever in memory whole.
 *
 * Ids: the profile's count from 0, pprof's from 1.  The profile's 0 is the overflow row's;
 * it is written last, when it means something, and all others keep their number.
 * Strings of the format itself (types, units, label keys) follow the profile's.
 */
#include <config.h>

#include "upload/pprof.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "runtime/error.h"
#include "upload/profile.pb-c.h"

enum {
	BUFFER_BYTES = 16 << 10,	/* of each side of the compressor */
	GZIP_WINDOW_BITS = 15 + 16,	/* zlib's: the largest window, gzip's header */
	GZIP_MEMORY_LEVEL = 8,		/* zlib's default */
};

struct writer {
	ProtobufCBuffer base;		/* first: protobuf-c hands this back to append() */
	const struct profile *profile;
	const struct pprof_meta *meta;
	uint64_t types;
	pprof_sink sink;
	void *context;
	int error;			/* the first one; nothing is done after it */
	z_stream z;
	size_t in_used;
	unsigned char in[BUFFER_BYTES], out[BUFFER_BYTES];

	/* the parts of one sample */
	int64_t values[SAMPLE_TYPES];
	uint64_t locations[STACK_DEPTH_MAX + 1];
	Pprof__Label labels[SAMPLE_LABELS_MAX], *label_pointers[SAMPLE_LABELS_MAX];
};

/* ---- bytes --------------------------------------------------------------------------- */

/* Compress what is buffered; with Z_FINISH to the end. */
static void compress_input(struct writer *writer, int flush)
{
	z_stream *z = &writer->z;
	z->next_in = writer->in;
	z->avail_in = (uInt)writer->in_used;
	writer->in_used = 0;
	do {
		z->next_out = writer->out;
		z->avail_out = sizeof(writer->out);
		deflate(z, flush);	/* fails only on a misuse of its own */
		size_t n = sizeof(writer->out) - z->avail_out;
		if (n && !writer->error)
			writer->error = writer->sink(writer->context, writer->out, n);
	} while (z->avail_out == 0 && !writer->error);
}

static void append(ProtobufCBuffer *base, size_t length, const uint8_t *data)
{
	struct writer *writer = (struct writer *)base;
	while (length && !writer->error) {
		size_t room = sizeof(writer->in) - writer->in_used, n = length < room ? length : room;
		memcpy(writer->in + writer->in_used, data, n);
		writer->in_used += n;
		data += n;
		length -= n;
		if (writer->in_used == sizeof(writer->in))
			compress_input(writer, Z_NO_FLUSH);
	}
}

static void put(struct writer *writer, const Pprof__Profile *part)
{
	if (!writer->error)
		pprof__profile__pack_to_buffer(part, &writer->base);
}

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

static void put_string(struct writer *writer, const char *text)
{
	char *string = (char *)(uintptr_t)text;		/* protobuf-c has no const; packing only reads */
	put(writer, &(Pprof__Profile){PROTOBUF_C_MESSAGE_INIT(&pprof__profile__descriptor),
		.n_string_table = 1, .string_table = &string});
}

static void put_strings(struct writer *writer)
{
	for (size_t i = 0; i < profile_n_strings(writer->profile); i++)
		put_string(writer, profile_string(writer->profile, i, NULL));
	for (size_t i = 0; i < OWN_STRINGS; i++)
		put_string(writer, own_string(i));
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
		put(writer, &(Pprof__Profile){PROTOBUF_C_MESSAGE_INIT(&pprof__profile__descriptor),
			.n_sample_type = 1, .sample_type = &pointer});
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
	put(writer, &(Pprof__Profile){PROTOBUF_C_MESSAGE_INIT(&pprof__profile__descriptor),
		.time_nanos = writer->meta->start_ns,
		.duration_nanos = writer->meta->duration_ns,
		.period_type = &period_type,
		.period = 1,		/* values are scaled already: each stands for itself */
		.default_sample_type = own_string_id(writer, TYPE_STRINGS + type)});
}

static void put_notes(struct writer *writer)
{
	for (size_t i = 0; i < writer->meta->n_notes; i++) {
		char *note = (char *)(uintptr_t)writer->meta->notes[i];
		put(writer, &(Pprof__Profile){PROTOBUF_C_MESSAGE_INIT(&pprof__profile__descriptor),
			.n_sneck_note = 1, .sneck_note = &note});
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
	put(writer, &(Pprof__Profile){PROTOBUF_C_MESSAGE_INIT(&pprof__profile__descriptor),
		.n_function = 1, .function = &pointer});
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
	put(writer, &(Pprof__Profile){PROTOBUF_C_MESSAGE_INIT(&pprof__profile__descriptor),
		.n_location = 1, .location = &pointer});
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

/* The one place where estimates become whole numbers. */
static int64_t round_value(double value)
{
	return value < 0x1p63 - 1024 ? (int64_t)round(value) : INT64_MAX;	/* 1024: doubles there are that coarse */
}

/* How many values were written; 0 if they are all 0. */
static size_t round_values(const double *values, uint64_t types, int64_t *rounded)
{
	size_t n = 0;
	int64_t any = 0;
	for (size_t type = 0; type < SAMPLE_TYPES; type++)
		if (is_written(types, type))
			any |= rounded[n++] = round_value(values[type]);
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
	put(writer, &(Pprof__Profile){PROTOBUF_C_MESSAGE_INIT(&pprof__profile__descriptor),
		.n_sample = 1, .sample = &pointer});
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
	writer->base.append = append;
	writer->profile = profile;
	writer->meta = meta;
	writer->types = all_types(meta->types);
	writer->sink = sink;
	writer->context = context;
	int error = ERR_NOMEM;
	if (deflateInit2(&writer->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS, GZIP_MEMORY_LEVEL,
			 Z_DEFAULT_STRATEGY) == Z_OK) {
		put_profile(writer);
		if (!writer->error)
			compress_input(writer, Z_FINISH);
		deflateEnd(&writer->z);
		error = writer->error;
	}
	free(writer);
	return error;
}
