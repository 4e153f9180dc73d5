/*
 * profile.c - the samples of one upload period, merged by stack.
 *
 * Think of it as a table: one row per distinct (stack, labels), one column per sample type.
 * Equal samples add up in place, so its size follows the variety of stacks and not the
 * sampling rate.
 *
 *     row = (stack, label set) -> values       stack     = locations, leaf first
 *     label set = labels in order of key       location  = (function, line)
 *     function = (name, filename, start line)  site      = (struct function *, line) -> location
 *
 * Each of these is an interned table in one arena.  Sites are a cache: they spare the
 * hashing of a frame's texts each time it is seen again, by trusting the address of its
 * struct function for as long as the period lasts.
 *
 * The overflow row is made first of all, in a block that is part of struct profile, so a
 * sample has a place to go even when there is no memory at all.
 *
 * Locking: none, the caller guards it.
 * Fork:    the child clears what it knows to be whole, and abandons the rest (red_black.c).
 */
#include <config.h>

#include "runtime/profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/clocks.h"
#include "runtime/error.h"
#include "runtime/intern.h"
#include "runtime/utf8.h"

enum {
	OVERFLOW_ROW = 0,
	OVERFLOW_START_LINE = -1,	/* no frame of a program has it: the function is ours alone */
	FIRST_BLOCK_BYTES = 8 << 10,	/* the overflow row takes about 3 KiB, the first tables included */
};

struct profile {
	struct arena arena;
	struct intern strings, functions, locations, sites, stacks, label_sets, rows;
	struct profile_limits limits;
	uint64_t overflowed;
	int64_t start_wall_ns, start_ns, end_ns;	/* end_ns 0: the period goes on */
	uint64_t first_block[FIRST_BLOCK_BYTES / sizeof(uint64_t)];
};

struct site {
	uintptr_t function;
	int64_t line;
};

struct row_key {
	uint32_t stack, label_set;
};

/* ---- life ---------------------------------------------------------------------------- */

static int text_id(struct profile *profile, const char *text, uint32_t *id);
static int stack_id(struct profile *profile, const uint32_t *locations, size_t depth, uint32_t *id);

/*
 * Id 0 in every table.  It has a lock's name as well: readers expect one of all that counts locks.
 * The first block has room for it: test_profile adds without memory.
 */
static void add_overflow_row(struct profile *profile)
{
	struct profile_function function = {.start_line = OVERFLOW_START_LINE};
	struct profile_location location = {0};
	struct profile_label label = {.key = LABEL_LOCK_NAME};
	struct row_key row = {0};
	uint32_t id;
	text_id(profile, "", &id);
	text_id(profile, "<profile full>", &function.name);
	intern_add(&profile->functions, &function, sizeof(function), &location.function);
	intern_add(&profile->locations, &location, sizeof(location), &id);
	stack_id(profile, &id, 1, &row.stack);
	label.string = function.name;
	intern_add(&profile->label_sets, &label, sizeof(label), &row.label_set);
	intern_add(&profile->rows, &row, sizeof(row), &id);
}

static void make_tables(struct profile *profile)
{
	struct arena *arena = &profile->arena;
	intern_init(&profile->strings, arena, 0);
	intern_init(&profile->functions, arena, 0);
	intern_init(&profile->locations, arena, 0);
	intern_init(&profile->sites, arena, sizeof(uint32_t));
	intern_init(&profile->stacks, arena, 0);
	intern_init(&profile->label_sets, arena, 0);
	intern_init(&profile->rows, arena, SAMPLE_TYPES * sizeof(double));
	profile->overflowed = 0;
	add_overflow_row(profile);
	profile_begin(profile);
}

void profile_abandon(struct profile *profile)
{
	arena_init(&profile->arena, profile->first_block, sizeof(profile->first_block), profile->limits.bytes);
	make_tables(profile);
}

struct profile *profile_new(const struct profile_limits *limits)
{
	struct profile *profile = malloc(sizeof(*profile));
	if (!profile)
		return NULL;
	profile->limits = *limits;
	profile_abandon(profile);
	return profile;
}

void profile_clear(struct profile *profile)
{
	arena_release(&profile->arena);
	make_tables(profile);
}

void profile_free(struct profile *profile)
{
	if (!profile)
		return;
	arena_release(&profile->arena);
	free(profile);
}

void profile_begin(struct profile *profile)
{
	profile_begin_at(profile, clock_monotonic_ns(), clock_wall_ns());
}

void profile_begin_at(struct profile *profile, int64_t now_ns, int64_t wall_ns)
{
	profile->start_wall_ns = wall_ns;
	profile->start_ns = now_ns;
	profile->end_ns = 0;
}

void profile_end(struct profile *profile)
{
	profile->end_ns = clock_monotonic_ns();
}

/* ---- adding -------------------------------------------------------------------------- */

static bool rows_are_full(const struct profile *profile)
{
	return profile->rows.count > profile->limits.rows;	/* > and not >=: the overflow row is one of them */
}

/* With all rows there are, nothing new is taken in: what no row can name would only fill memory. */
static int intern_id(struct profile *profile, struct intern *table, const void *key, size_t size, uint32_t *id)
{
	if (rows_are_full(profile))
		return intern_find(table, key, size, id) ? ERR_LIMIT : OK;
	return intern_add(table, key, size, id);
}

static int dirty_text_id(struct profile *profile, const char *text, uint32_t *id)
{
	char clean[PROFILE_TEXT_BYTES + 1];
	size_t length = utf8_clean(clean, sizeof(clean), text);
	return intern_id(profile, &profile->strings, clean, length + 1, id);
}

static int text_id(struct profile *profile, const char *text, uint32_t *id)
{
	if (!text)
		text = "";
	size_t length = strnlen(text, PROFILE_TEXT_BYTES + 1);
	if (length > PROFILE_TEXT_BYTES || !utf8_valid(text, length))
		return dirty_text_id(profile, text, id);
	return intern_id(profile, &profile->strings, text, length + 1, id);
}

static int32_t not_negative(int32_t line)
{
	return line < 0 ? 0 : line;
}

static int function_id(struct profile *profile, const struct function *function, uint32_t *id)
{
	struct profile_function key = {.start_line = not_negative(function->start_line)};
	int error = text_id(profile, function->name, &key.name);
	if (!error)
		error = text_id(profile, function->filename, &key.filename);
	return error ? error : intern_id(profile, &profile->functions, &key, sizeof(key), id);
}

static int location_id(struct profile *profile, const struct function *function, int32_t line, uint32_t *id)
{
	struct profile_location key = {.line = not_negative(line)};
	int error = function_id(profile, function, &key.function);
	return error ? error : intern_id(profile, &profile->locations, &key, sizeof(key), id);
}

static int frame_id(struct profile *profile, const struct frame *frame, uint32_t *id)
{
	const struct site site = {(uintptr_t)frame->function, frame->line};
	uint32_t at;
	if (intern_find(&profile->sites, &site, sizeof(site), &at) == OK) {
		*id = *(uint32_t *)intern_payload(&profile->sites, at);
		return OK;
	}
	int error = location_id(profile, frame->function, frame->line, id);
	if (!error && intern_id(profile, &profile->sites, &site, sizeof(site), &at) == OK)
		*(uint32_t *)intern_payload(&profile->sites, at) = *id;
	return error;		/* a site that found no room is only looked up the long way again */
}

static int omitted_id(struct profile *profile, size_t omitted, uint32_t *id)
{
	char name[48];
	snprintf(name, sizeof(name), "<%zu frame%s omitted>", omitted, omitted == 1 ? "" : "s");
	return location_id(profile, &(struct function){.name = name}, 0, id);
}

static int stack_id(struct profile *profile, const uint32_t *locations, size_t depth, uint32_t *id)
{
	return intern_id(profile, &profile->stacks, locations, depth * sizeof(*locations), id);
}

static int frames_id(struct profile *profile, const struct frame *frames, size_t depth, size_t omitted, uint32_t *id)
{
	uint32_t locations[STACK_DEPTH_MAX + 1];
	if (depth > STACK_DEPTH_MAX) {
		omitted += depth - STACK_DEPTH_MAX;
		depth = STACK_DEPTH_MAX;
	}
	int error = OK;
	for (size_t i = 0; i < depth && !error; i++)
		error = frame_id(profile, &frames[i], &locations[i]);
	if (omitted && !error)
		error = omitted_id(profile, omitted, &locations[depth++]);
	return error ? error : stack_id(profile, locations, depth, id);
}

static int convert_label(struct profile *profile, const struct label *label, struct profile_label *kept)
{
	*kept = (struct profile_label){.key = label->key};
	if (!label_infos[label->key].is_number)
		return text_id(profile, label->string, &kept->string);
	kept->number = label->number;
	return OK;
}

/* Sorted by key whatever the order they come in, so that equal sets are one set. */
static int labels_id(struct profile *profile, const struct label *labels, size_t n_labels, uint32_t *id)
{
	struct profile_label by_key[LABEL_KEYS] = {{0}}, set[LABEL_KEYS] = {{0}};
	for (size_t i = 0; i < n_labels; i++) {
		if ((unsigned)labels[i].key >= LABEL_KEYS)
			continue;
		int error = convert_label(profile, &labels[i], &by_key[labels[i].key]);
		if (error)
			return error;
	}
	size_t n = 0;
	for (size_t key = 0; key < LABEL_KEYS; key++)
		if (by_key[key].string || by_key[key].number)
			set[n++] = by_key[key];
	return intern_id(profile, &profile->label_sets, set, n * sizeof(*set), id);
}

static void add_values(double *sums, const double values[SAMPLE_TYPES])
{
	for (size_t type = 0; type < SAMPLE_TYPES; type++)
		if (values[type] > 0)		/* not so for NaN either */
			sums[type] += values[type];
}

int profile_add(struct profile *profile, const struct frame *frames, size_t depth, size_t omitted,
		const struct label *labels, size_t n_labels, const double values[SAMPLE_TYPES])
{
	struct row_key key;
	uint32_t row;
	int error = frames_id(profile, frames, depth, omitted, &key.stack);
	if (!error)
		error = labels_id(profile, labels, n_labels, &key.label_set);
	if (!error)
		error = intern_id(profile, &profile->rows, &key, sizeof(key), &row);
	if (error) {
		row = OVERFLOW_ROW;
		profile->overflowed++;
	}
	add_values(intern_payload(&profile->rows, row), values);
	return error;
}

/* ---- reading ------------------------------------------------------------------------- */

size_t profile_n_strings(const struct profile *profile)
{
	return profile->strings.count;
}

size_t profile_n_functions(const struct profile *profile)
{
	return profile->functions.count;
}

size_t profile_n_locations(const struct profile *profile)
{
	return profile->locations.count;
}

size_t profile_n_rows(const struct profile *profile)
{
	return profile->rows.count;
}

const char *profile_string(const struct profile *profile, size_t id, size_t *length)
{
	const char *text = intern_key(&profile->strings, (uint32_t)id, length);
	if (length)
		--*length;	/* the NUL */
	return text;
}

struct profile_function profile_function(const struct profile *profile, size_t id)
{
	struct profile_function function;
	memcpy(&function, intern_key(&profile->functions, (uint32_t)id, NULL), sizeof(function));
	function.start_line = not_negative(function.start_line);
	return function;
}

struct profile_location profile_location(const struct profile *profile, size_t id)
{
	struct profile_location location;
	memcpy(&location, intern_key(&profile->locations, (uint32_t)id, NULL), sizeof(location));
	return location;
}

struct profile_row profile_row(const struct profile *profile, size_t id)
{
	struct profile_row row = {.values = intern_payload(&profile->rows, (uint32_t)id)};
	const struct row_key *key = intern_key(&profile->rows, (uint32_t)id, NULL);
	row.locations = intern_key(&profile->stacks, key->stack, &row.depth);
	row.labels = intern_key(&profile->label_sets, key->label_set, &row.n_labels);
	row.depth /= sizeof(*row.locations);
	row.n_labels /= sizeof(*row.labels);
	return row;
}

bool profile_is_empty(const struct profile *profile)
{
	return profile->rows.count == 1 && !profile->overflowed;
}

uint64_t profile_overflowed(const struct profile *profile)
{
	return profile->overflowed;
}

size_t profile_size_bytes(const struct profile *profile)
{
	return sizeof(*profile) + profile->arena.mapped_bytes;
}

int64_t profile_start_ns(const struct profile *profile)
{
	return profile->start_wall_ns;
}

int64_t profile_duration_ns(const struct profile *profile)
{
	return (profile->end_ns ? profile->end_ns : clock_monotonic_ns()) - profile->start_ns;
}
