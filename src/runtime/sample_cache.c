/*
 * sample_cache.c - a small hash table of rows, each with its stack, raw and resolved.
 *
 * Think of it as the till of one thread: sums are kept here and taken to the profile now
 * and then.  Frames are resolved once, when a row is made, by the owner (who has the GIL);
 * draining then needs neither the GIL nor the code objects.
 *
 * Locking: cache->lock guards the tables; the owner holds it for a look-up or an addition,
 *          a drain only to exchange the tables for spare ones: the owner, who has the GIL,
 *          never waits for the profile.
 * Fork:    the child's only thread empties its own cache, when it first needs it: many a child never
 *          does, and each page that it writes to is copied.  Its siblings' are abandoned.
 */
#include <config.h>

#include "runtime/sample_cache.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/fork.h"

enum {
	ROWS_MAX = 256,
	INDEX_SIZE = 512,	/* a power of two, twice the rows: short probes */
	FRAMES_MAX = 4096,	/* 256 stacks of 16 frames, or 6 of the deepest */
};

struct row {
	uint64_t hash;
	const struct label_set *labels;
	size_t depth, omitted;
	size_t first_frame;
	double values[SAMPLE_TYPES];
	struct raw_frame raw[];		/* depth of them; in tables->frames, as many from first_frame on are resolved */
};

/*
 * Rows lie one behind the other, each with its raw stack: where many threads take turns, a
 * sample finds its thread's tables in no processor cache, and pages cost more than lines.
 */
struct sample_tables {
	size_t n_rows, n_frames;
	size_t end;			/* of the rows, in units */
	uint16_t index[INDEX_SIZE];	/* where a row begins, in units, + 1; or 0 */
	uint64_t rows[(ROWS_MAX * sizeof(struct row) + FRAMES_MAX * sizeof(struct raw_frame)) / sizeof(uint64_t)];
	struct frame frames[FRAMES_MAX];
};

_Static_assert(sizeof(((struct sample_tables *)0)->rows) / sizeof(uint64_t) < UINT16_MAX, "the index reaches all rows");

static struct row *row_at(struct sample_tables *tables, size_t unit)
{
	return (struct row *)(tables->rows + unit);
}

static size_t row_units(const struct row *row)
{
	return (sizeof(*row) + row->depth * sizeof(*row->raw)) / sizeof(uint64_t);
}

uint64_t raw_stack_hash(const struct raw_frame *frames, size_t depth)
{
	/* Addresses differ in few, middle bits: multiply and fold.  No frame's product waits for another's. */
	uint64_t hash = depth;
	for (size_t i = 0; i < depth; i++) {
		uint64_t frame = (frames[i].code + (frames[i].instruction << 40)) * 0x9e3779b97f4a7c15;
		hash = (hash << 7 | hash >> 57) + (frame ^ frame >> 32);
	}
	hash *= 0xbf58476d1ce4e5b9;
	return hash ^ hash >> 32;
}

void sample_cache_init(struct sample_cache *cache)
{
	*cache = (struct sample_cache){0};
	mutex_init(&cache->lock, LOCK_RANK_CACHE);
}

void sample_cache_fini(struct sample_cache *cache)
{
	free(cache->tables);
	free(cache->spare);
	cache->tables = cache->spare = NULL;
}

static uint64_t row_hash(const struct raw_stack *stack, const struct label_set *labels)
{
	return (stack->hash ^ (uintptr_t)labels) * 0x94d049bb133111eb;
}

static bool row_equals(const struct row *row, uint64_t hash, const struct raw_stack *stack,
		       const struct label_set *labels)
{
	return row->hash == hash && row->labels == labels && row->depth == stack->depth &&
	       row->omitted == stack->omitted &&
	       !memcmp(row->raw, stack->frames, stack->depth * sizeof(*stack->frames));
}

/* The place in the index where the row stands, or would. */
static uint16_t *row_place(struct sample_tables *tables, uint64_t hash, const struct raw_stack *stack,
			   const struct label_set *labels)
{
	for (size_t i = hash >> 32;; i++) {
		uint16_t *place = &tables->index[i % INDEX_SIZE];
		if (!*place || row_equals(row_at(tables, *place - 1u), hash, stack, labels))
			return place;
	}
}

static int row_new(struct sample_tables *tables, uint64_t hash, const struct raw_stack *stack,
		   const struct label_set *labels, frame_resolver resolve)
{
	if (tables->n_rows == ROWS_MAX || stack->depth > FRAMES_MAX - tables->n_frames)
		return ERR_LIMIT;
	struct row *row = row_at(tables, tables->end);
	*row = (struct row){
		.hash = hash, .labels = labels, .depth = stack->depth, .omitted = stack->omitted,
		.first_frame = tables->n_frames,
	};
	memcpy(row->raw, stack->frames, stack->depth * sizeof(*row->raw));
	resolve(stack->frames, stack->depth, tables->frames + tables->n_frames);
	tables->n_rows++;
	tables->n_frames += stack->depth;
	tables->end += row_units(row);
	return OK;
}

static void forget_rows(struct sample_tables *tables)
{
	tables->n_rows = tables->n_frames = tables->end = 0;
	memset(tables->index, 0, sizeof(tables->index));
}

/* With the lock. */
static void forget_inherited(struct sample_cache *cache)
{
	if (cache->is_inherited && cache->tables)
		forget_rows(cache->tables);
	cache->is_inherited = false;
}

static int find(struct sample_cache *cache, const struct raw_stack *stack, const struct label_set *labels,
		frame_resolver resolve, struct sample_row *found)
{
	forget_inherited(cache);
	struct sample_tables *tables = cache->tables;
	/* calloc gives untouched pages: a thread of few stacks stays small */
	if (!tables && !(tables = cache->tables = calloc(1, sizeof(*tables))))
		return ERR_NOMEM;
	uint64_t hash = row_hash(stack, labels);
	uint16_t *place = row_place(tables, hash, stack, labels);
	if (!*place) {
		size_t unit = tables->end;
		int error = row_new(tables, hash, stack, labels, resolve);
		if (error)
			return error;
		*place = (uint16_t)(unit + 1);
	}
	*found = (struct sample_row){.unit = *place - 1u, .epoch = cache->epoch};
	return OK;
}

int sample_cache_find(struct sample_cache *cache, const struct raw_stack *stack, const struct label_set *labels,
		      frame_resolver resolve, struct sample_row *row)
{
	mutex_lock(&cache->lock);
	int error = find(cache, stack, labels, resolve, row);
	mutex_unlock(&cache->lock);
	return error;
}

static void add(struct row *row, const double values[SAMPLE_TYPES])
{
	for (size_t i = 0; i < SAMPLE_TYPES; i++)
		row->values[i] += values[i];
}

bool sample_cache_add(struct sample_cache *cache, struct sample_row row, const double values[SAMPLE_TYPES])
{
	mutex_lock(&cache->lock);
	bool current = cache->tables && row.epoch == cache->epoch;
	if (current)
		add(row_at(cache->tables, row.unit), values);
	mutex_unlock(&cache->lock);
	return current;
}

int sample_cache_put(struct sample_cache *cache, const struct raw_stack *stack, const struct label_set *labels,
		     frame_resolver resolve, const double values[SAMPLE_TYPES])
{
	struct sample_row row;
	mutex_lock(&cache->lock);
	int error = find(cache, stack, labels, resolve, &row);
	if (!error)
		add(row_at(cache->tables, row.unit), values);
	mutex_unlock(&cache->lock);
	return error;
}

static bool is_empty(const double values[SAMPLE_TYPES])
{
	for (size_t i = 0; i < SAMPLE_TYPES; i++)
		if (values[i] != 0)
			return false;
	return true;
}

struct sample_tables *sample_cache_detach(struct sample_cache *cache)
{
	mutex_lock(&cache->lock);
	forget_inherited(cache);
	struct sample_tables *tables = cache->tables;
	if (tables && tables->n_rows) {
		cache->tables = cache->spare;
		cache->spare = NULL;
		cache->epoch++;
	} else {
		tables = NULL;
	}
	mutex_unlock(&cache->lock);
	return tables;
}

void sample_cache_give_back(struct sample_cache *cache, struct sample_tables *tables)
{
	if (!tables)
		return;
	forget_rows(tables);
	mutex_lock(&cache->lock);
	if (!cache->spare) {
		cache->spare = tables;
		tables = NULL;
	}
	mutex_unlock(&cache->lock);
	free(tables);
}

static void hand_over(const struct sample_tables *tables, const struct row *row, const struct label_set *more_labels,
		      sample_consumer consume)
{
	struct label labels[2 * SAMPLE_LABELS_MAX];
	memcpy(labels, row->labels->labels, row->labels->n * sizeof(*labels));
	memcpy(labels + row->labels->n, more_labels->labels, more_labels->n * sizeof(*labels));
	consume(tables->frames + row->first_frame, row->depth, row->omitted, labels, row->labels->n + more_labels->n,
		row->values);
}

void sample_tables_hand_over(struct sample_tables *tables, const struct label_set *more_labels,
			     sample_consumer consume)
{
	const struct row *row;
	for (size_t unit = 0; tables && unit < tables->end; unit += row_units(row)) {
		row = row_at(tables, unit);
		if (!is_empty(row->values))	/* else found, its operation still under way */
			hand_over(tables, row, more_labels, consume);
	}
}

void sample_tables_free(struct sample_tables *tables)
{
	free(tables);
}

void sample_cache_drain(struct sample_cache *cache, const struct label_set *more_labels, sample_consumer consume)
{
	struct sample_tables *tables = sample_cache_detach(cache);
	sample_tables_hand_over(tables, more_labels, consume);
	sample_cache_give_back(cache, tables);
}

SNECK_FORK_CODE void sample_cache_postfork_child(struct sample_cache *cache)
{
	mutex_postfork_child(&cache->lock);
	cache->epoch++;
	cache->is_inherited = true;
}
