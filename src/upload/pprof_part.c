/*
 * pprof_part.c - some rows of a profile, with what they need and no more.
 *
 *     row -> its strings, functions, locations that are not written yet -> its sample
 *
 * Three arrays say under which number a thing of the profile was written; 0: not yet.  So
 * numbers are dense and ascending in each file, and the size grows by what is new in a row:
 * that is known before the row is written, and ends the file in time.
 */
#include <config.h>

#include "upload/pprof_part.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/error.h"
#include "runtime/utf8.h"
#include "upload/pprof_stream.h"

enum {
	/* The most that protobuf needs: ids are below 2^28, lengths below 2^14, values take 10 bytes. */
	SAMPLE_BYTES = 16, VALUE_BYTES = 10, LABEL_BYTES = 16, NUMBER_TEXT_BYTES = 24,
	LOCATION_ID_BYTES = 4, LOCATION_BYTES = 28, FUNCTION_BYTES = 28, STRING_BYTES = 4,

	NUMBERS = 256,		/* texts of numbers remembered: threads come again and again */
};

struct number_text {
	int64_t number;		/* 0: free */
	uint32_t string;
};

struct part {
	struct pprof_stream stream;
	const struct profile *profile;
	const struct pprof_form *form;
	uint32_t *strings, *functions, *locations, *locks;	/* the last by the string that names them */
	uint32_t n_strings, n_functions, n_locations;
	uint32_t keys[LABEL_KEYS], lock_filename;
	struct number_text numbers[NUMBERS];
	char text[PROFILE_TEXT_BYTES + 1];

	/* the parts of one sample */
	int64_t values[SAMPLE_TYPES];
	uint64_t location_ids[STACK_DEPTH_MAX + 2];
	Pprof__Label labels[SAMPLE_LABELS_MAX], *label_pointers[SAMPLE_LABELS_MAX];
};

/* ---- strings --------------------------------------------------------------------------- */

static uint32_t put_text(struct part *part, const char *text)
{
	utf8_clean(part->text, part->form->text_bytes_max + 1, text);
	pprof_stream_put_string(&part->stream, part->text);
	return part->n_strings++;
}

static uint32_t put_string(struct part *part, uint32_t id)
{
	if (id && !part->strings[id])
		part->strings[id] = put_text(part, profile_string(part->profile, id, NULL));
	return part->strings[id];
}

static uint32_t put_number(struct part *part, int64_t number)
{
	/* thread ids are addresses: aligned, so the middle bits tell them apart */
	struct number_text *known = &part->numbers[(uint64_t)number % 65521 % NUMBERS];
	char text[NUMBER_TEXT_BYTES];
	if (known->number != number) {
		snprintf(text, sizeof(text), "%" PRId64, number);
		*known = (struct number_text){number, put_text(part, text)};
	}
	return known->string;
}

/* ---- functions and locations ----------------------------------------------------------- */

static uint64_t put_function(struct part *part, uint32_t name, uint32_t filename, int32_t start_line)
{
	Pprof__Function message = {PROTOBUF_C_MESSAGE_INIT(&pprof__function__descriptor),
		.id = ++part->n_functions, .name = name, .filename = filename, .start_line = start_line};
	Pprof__Function *pointer = &message;
	PPROF_PUT(&part->stream, .n_function = 1, .function = &pointer);
	return part->n_functions;
}

static uint32_t put_location(struct part *part, uint64_t function, int32_t line_number)
{
	Pprof__Line line = {PROTOBUF_C_MESSAGE_INIT(&pprof__line__descriptor), .function_id = function, .line = line_number};
	Pprof__Line *line_pointer = &line;
	Pprof__Location message = {PROTOBUF_C_MESSAGE_INIT(&pprof__location__descriptor),
		.id = ++part->n_locations, .n_line = 1, .line = &line_pointer};
	Pprof__Location *pointer = &message;
	PPROF_PUT(&part->stream, .n_location = 1, .location = &pointer);
	return part->n_locations;
}

static uint64_t function_id(struct part *part, uint32_t id)
{
	struct profile_function function = profile_function(part->profile, id);
	if (!part->functions[id])
		part->functions[id] = (uint32_t)put_function(part, put_string(part, function.name),
							     put_string(part, function.filename), function.start_line);
	return part->functions[id];
}

static uint64_t location_id(struct part *part, uint32_t id)
{
	struct profile_location location = profile_location(part->profile, id);
	if (!part->locations[id])
		part->locations[id] = put_location(part, function_id(part, location.function), location.line);
	return part->locations[id];
}

static uint64_t lock_location_id(struct part *part, uint32_t name)
{
	if (!part->locks[name])
		part->locks[name] = put_location(part, put_function(part, put_string(part, name), part->lock_filename, 0), 0);
	return part->locks[name];
}

/* ---- rows ------------------------------------------------------------------------------ */

/* In the order of the profile's file: 1, 2, ... and the overflow row last.  False: no such row. */
static bool row_at(const struct profile *profile, size_t position, struct profile_row *row)
{
	size_t n = profile_n_rows(profile);
	if (position + 1 < n)
		*row = profile_row(profile, position + 1);
	else if (position + 1 == n && profile_overflowed(profile))
		*row = profile_row(profile, 0);
	else
		return false;
	return true;
}

static bool round_values(const struct pprof_form *form, const struct profile_row *row, int64_t *rounded)
{
	int64_t any = 0;
	for (size_t i = 0; i < form->n_columns; i++)
		any |= rounded[i] = pprof_round(row->values[form->columns[i].type]);
	return any != 0;
}

bool pprof_part_find(const struct profile *profile, const struct pprof_form *form, size_t *position)
{
	struct profile_row row;
	int64_t rounded[SAMPLE_TYPES];
	for (; row_at(profile, *position, &row); ++*position)
		if (round_values(form, &row, rounded))
			return true;
	return false;
}

/* The string that names the row's lock, or 0. */
static uint32_t lock_name(const struct profile_row *row)
{
	for (size_t i = 0; i < row->n_labels; i++)
		if (row->labels[i].key == LABEL_LOCK_NAME)
			return row->labels[i].string;
	return 0;
}

static size_t put_locations(struct part *part, const struct profile_row *row)
{
	size_t n = 0;
	uint32_t name = part->form->lock_filename ? lock_name(row) : 0;
	if (name)
		part->location_ids[n++] = lock_location_id(part, name);
	for (size_t i = 0; i < row->depth; i++)
		part->location_ids[n++] = location_id(part, row->locations[i]);
	return n;
}

static size_t put_labels(struct part *part, const struct profile_row *row)
{
	size_t n = 0;
	for (size_t i = 0; i < row->n_labels; i++) {
		const struct profile_label *label = &row->labels[i];
		if (!part->keys[label->key])
			continue;
		part->labels[n] = (Pprof__Label){PROTOBUF_C_MESSAGE_INIT(&pprof__label__descriptor),
			.key = part->keys[label->key],
			.str = label->string ? put_string(part, label->string) : put_number(part, label->number)};
		part->label_pointers[n] = &part->labels[n];
		n++;
	}
	return n;
}

static void put_row(struct part *part, const struct profile_row *row)
{
	size_t depth = put_locations(part, row), n_labels = put_labels(part, row);
	round_values(part->form, row, part->values);
	Pprof__Sample message = {PROTOBUF_C_MESSAGE_INIT(&pprof__sample__descriptor),
		.n_location_id = depth, .location_id = part->location_ids,
		.n_value = part->form->n_columns, .value = part->values,
		.n_label = n_labels, .label = part->label_pointers};
	Pprof__Sample *pointer = &message;
	PPROF_PUT(&part->stream, .n_sample = 1, .sample = &pointer);
}

/* ---- sizes ----------------------------------------------------------------------------- */

/* Of a string that is not written yet; twice in a row, it counts twice: never too little. */
static size_t new_string_bytes(const struct part *part, uint32_t id)
{
	size_t length;
	if (!id || part->strings[id])
		return 0;
	profile_string(part->profile, id, &length);
	return STRING_BYTES + (length < part->form->text_bytes_max ? length : part->form->text_bytes_max);
}

static size_t new_location_bytes(const struct part *part, uint32_t id)
{
	if (part->locations[id])
		return 0;
	uint32_t function_id = profile_location(part->profile, id).function;
	if (part->functions[function_id])
		return LOCATION_BYTES;
	struct profile_function function = profile_function(part->profile, function_id);
	return LOCATION_BYTES + FUNCTION_BYTES + new_string_bytes(part, function.name) +
	       new_string_bytes(part, function.filename);
}

static size_t row_bytes(const struct part *part, const struct profile_row *row)
{
	size_t bytes = SAMPLE_BYTES + VALUE_BYTES * part->form->n_columns + LOCATION_ID_BYTES * (row->depth + 1) +
		       LOCATION_BYTES + FUNCTION_BYTES;		/* the lock's */
	for (size_t i = 0; i < row->depth; i++)
		bytes += new_location_bytes(part, row->locations[i]);
	for (size_t i = 0; i < row->n_labels; i++)
		bytes += LABEL_BYTES + NUMBER_TEXT_BYTES + new_string_bytes(part, row->labels[i].string);
	return bytes;
}

static void put_rows(struct part *part, size_t *position)
{
	struct profile_row row;
	for (size_t n = 0; n < part->form->rows_max && pprof_part_find(part->profile, part->form, position); n++) {
		row_at(part->profile, *position, &row);
		if (n && part->stream.plain_bytes + row_bytes(part, &row) > part->form->bytes_max)
			return;
		put_row(part, &row);
		++*position;
	}
}

/* ---- the file -------------------------------------------------------------------------- */

static Pprof__ValueType value_type(struct part *part, const char *type, const char *unit)
{
	uint32_t type_id = put_text(part, type);
	return (Pprof__ValueType){PROTOBUF_C_MESSAGE_INIT(&pprof__value_type__descriptor),
		.type = type_id, .unit = put_text(part, unit)};
}

static void put_head(struct part *part, const struct pprof_meta *meta)
{
	const struct pprof_form *form = part->form;
	Pprof__ValueType type, *pointer = &type;
	put_text(part, "");
	for (size_t i = 0; i < form->n_columns; i++) {
		type = value_type(part, form->columns[i].name, sample_type_infos[form->columns[i].type].unit);
		PPROF_PUT(&part->stream, .n_sample_type = 1, .sample_type = &pointer);
	}
	int64_t default_type = type.type;
	type = value_type(part, form->period_type, form->period_unit);
	PPROF_PUT(&part->stream, .time_nanos = meta->start_ns, .duration_nanos = meta->duration_ns,
		  .period_type = &type, .period = 1, .default_sample_type = default_type);
	for (size_t key = 0; key < LABEL_KEYS; key++)
		if (form->label_keys[key])
			part->keys[key] = put_text(part, form->label_keys[key]);
	if (form->lock_filename)
		part->lock_filename = put_text(part, form->lock_filename);
}

static bool make_tables(struct part *part)
{
	part->strings = calloc(profile_n_strings(part->profile) + 1, sizeof(uint32_t));
	part->locks = calloc(profile_n_strings(part->profile) + 1, sizeof(uint32_t));
	part->functions = calloc(profile_n_functions(part->profile) + 1, sizeof(uint32_t));
	part->locations = calloc(profile_n_locations(part->profile) + 1, sizeof(uint32_t));
	return part->strings && part->locks && part->functions && part->locations;
}

static void free_part(struct part *part)
{
	free(part->strings);
	free(part->locks);
	free(part->functions);
	free(part->locations);
	free(part);
}

int pprof_part_write(const struct profile *profile, const struct pprof_form *form, const struct pprof_meta *meta,
		     size_t *position, pprof_sink sink, void *context)
{
	struct part *part = calloc(1, sizeof(*part));
	if (!part)
		return ERR_NOMEM;
	part->profile = profile;
	part->form = form;
	int error = make_tables(part) ? pprof_stream_begin(&part->stream, sink, context) : ERR_NOMEM;
	if (!error) {
		put_head(part, meta);
		put_rows(part, position);
		error = pprof_stream_end(&part->stream);
	}
	free_part(part);
	return error;
}
