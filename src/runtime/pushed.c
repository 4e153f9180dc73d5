/*
 * pushed.c - samples that other C code brings.
 *
 *	struct pushed:  functions and lines, labels, values     while it is being put together
 *	     |
 *	   flush -->  the thread's sample cache, as any sample
 *
 * A cache knows a stack by raw frames and labels by the address of a set.  So functions and
 * label sets are interned, for good: a pushed function stands as its own "code", its line
 * as the "instruction".  No live code object has that address.
 *
 * What finds no room any more: a function becomes "<too many functions>", a new set of labels
 * costs its sample, which is counted.
 *
 * Locking: pushed_lock (LOCK_RANK_PUSHED) guards the tables; alone, for one look-up.
 * Fork:    the child keeps the tables; a sample begun in the parent is dropped in the child.
 */
#include <config.h>

#include "runtime/pushed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/fork.h"
#include "runtime/intern.h"
#include "runtime/mutex.h"
#include "runtime/profile.h"
#include "runtime/stats.h"

struct pushed {
	unsigned fork_generation;
	bool has_value;
	size_t depth, omitted;
	double values[SAMPLE_TYPES];
	const char *texts[LABEL_KEYS];	/* interned, or NULL */
	struct raw_frame frames[STACK_DEPTH_MAX];
};

struct function_key {
	const char *name, *filename;	/* interned: equal texts are equal addresses */
	int64_t start_line;
};

static struct mutex pushed_lock SNECK_AT_FORK = MUTEX_INITIALIZER(LOCK_RANK_PUSHED);
static struct {
	bool is_made;
	struct arena arena;
	struct intern texts, functions, label_sets;
} tables;

static _Atomic size_t frames_max;	/* 0: disabled */

static const struct function too_many_functions = {"<too many functions>", "", 0};
static const struct function no_frame = {"<no frame>", "", 0};

/* Labels that tell of a lock; a thread's own are put there by its cache. */
static const bool is_free[LABEL_KEYS] = {
	[LABEL_LOCK_NAME] = true, [LABEL_LOCK_KIND] = true, [LABEL_LOCK_OWNER] = true, [LABEL_OUTCOME] = true,
};

void pushed_enable(size_t max_frames)
{
	frames_max = max_frames < STACK_DEPTH_MAX ? max_frames : STACK_DEPTH_MAX;
}

void pushed_disable(void)
{
	frames_max = 0;
}

bool pushed_is_enabled(void)
{
	return frames_max != 0;
}

int pushed_sample_type(const char *name)
{
	for (int type = 0; name && type < SAMPLE_TYPES; type++)
		if (!strcmp(sample_type_infos[type].name, name))
			return type;
	return ERR_INVALID;
}

/* ---- what is interned; the lock held ----------------------------------------------------- */

static void make_tables(void)
{
	if (tables.is_made)
		return;
	arena_init(&tables.arena, NULL, 0, PUSHED_BYTES_MAX);
	intern_init(&tables.texts, &tables.arena, 0);
	intern_init(&tables.functions, &tables.arena, sizeof(struct function));
	intern_init(&tables.label_sets, &tables.arena, sizeof(struct label_set));
	tables.is_made = true;
}

/* What a profile would cut off anyway is not kept; half a character more or less does not matter to it. */
static int text_of(const char *text, const char **interned)
{
	char cut[PROFILE_TEXT_BYTES + 1];
	size_t length = strnlen(text, PROFILE_TEXT_BYTES + 1);
	uint32_t id;
	if (length > PROFILE_TEXT_BYTES) {
		memcpy(cut, text, PROFILE_TEXT_BYTES);
		cut[length = PROFILE_TEXT_BYTES] = '\0';
		text = cut;
	}
	int error = intern_add(&tables.texts, text, length + 1, &id);
	if (!error)
		*interned = intern_key(&tables.texts, id, NULL);
	return error;
}

static const struct function *add_function(const struct function_key *key)
{
	uint32_t id;
	if (intern_find(&tables.functions, key, sizeof(*key), &id) == OK)
		return intern_payload(&tables.functions, id);
	if (tables.functions.count >= PUSHED_FUNCTIONS_MAX || intern_add(&tables.functions, key, sizeof(*key), &id))
		return &too_many_functions;
	struct function *function = intern_payload(&tables.functions, id);
	*function = (struct function){key->name, key->filename, (int32_t)key->start_line};
	return function;
}

static const struct function *function_of(const struct function *given)
{
	struct function_key key = {.start_line = given->start_line};
	if (text_of(given->name, &key.name) || text_of(given->filename ? given->filename : "", &key.filename))
		return &too_many_functions;
	return add_function(&key);
}

static struct label_set *label_set_of(const char *const texts[LABEL_KEYS])
{
	uint32_t id;
	if (intern_find(&tables.label_sets, texts, LABEL_KEYS * sizeof(*texts), &id) == OK)
		return intern_payload(&tables.label_sets, id);
	if (tables.label_sets.count >= PUSHED_LABEL_SETS_MAX ||
	    intern_add(&tables.label_sets, texts, LABEL_KEYS * sizeof(*texts), &id))
		return NULL;
	struct label_set *set = intern_payload(&tables.label_sets, id);
	for (int key = 0; key < LABEL_KEYS; key++)
		if (texts[key])
			set->labels[set->n++] = (struct label){.key = (enum label_key)key, .string = texts[key]};
	return set;
}

/* ---- a transaction ------------------------------------------------------------------------ */

struct pushed *pushed_new(void)
{
	struct pushed *sample = pushed_is_enabled() ? malloc(sizeof(*sample)) : NULL;
	if (!sample)
		return NULL;
	memset(sample, 0, offsetof(struct pushed, frames));	/* 9 KiB of frames are written as they come */
	sample->fork_generation = fork_generation();
	return sample;
}

void pushed_free(struct pushed *sample)
{
	free(sample);
}

int pushed_check(const struct pushed *sample)
{
	return sample && pushed_is_enabled() && sample->fork_generation == fork_generation() ? OK : ERR_STATE;
}

static void push(struct pushed *sample, const struct frame *frame)
{
	if (sample->depth >= frames_max || sample->depth == STACK_DEPTH_MAX) {
		sample->omitted++;
		return;
	}
	const struct function *function = function_of(frame->function);
	sample->frames[sample->depth++] = (struct raw_frame){(uintptr_t)function, (uintptr_t)(intptr_t)frame->line};
}

int pushed_frames(struct pushed *sample, const struct frame *frames, size_t n, size_t omitted)
{
	int error = pushed_check(sample);
	if (error)
		return error;
	mutex_lock(&pushed_lock);
	make_tables();
	for (size_t i = 0; i < n; i++)
		push(sample, &frames[i]);
	mutex_unlock(&pushed_lock);
	sample->omitted += omitted;
	return OK;
}

int pushed_frame(struct pushed *sample, const char *name, const char *file, int line)
{
	const struct function function = {.name = name, .filename = file};
	if (pushed_check(sample))
		return ERR_STATE;
	return name ? pushed_frames(sample, &(struct frame){&function, line}, 1, 0) : ERR_INVALID;
}

static int label_key_of(const char *key)
{
	for (int i = 0; key && i < LABEL_KEYS; i++)
		if (is_free[i] && !strcmp(label_infos[i].key, key))
			return i;
	return ERR_INVALID;
}

int pushed_label(struct pushed *sample, const char *key, const char *text)
{
	int error = pushed_check(sample), i = label_key_of(key);
	if (error)
		return error;
	if (i < 0 || !text)
		return ERR_INVALID;
	mutex_lock(&pushed_lock);
	make_tables();
	error = text_of(text, &sample->texts[i]);
	mutex_unlock(&pushed_lock);
	return error;
}

int pushed_value(struct pushed *sample, int type, double value)
{
	int error = pushed_check(sample);
	if (error)
		return error;
	if (type < 0 || type >= SAMPLE_TYPES || !isfinite(value) || value < 0)
		return ERR_INVALID;
	sample->values[type] += value;
	sample->has_value |= value > 0;
	return OK;
}

/* ---- into the cache ------------------------------------------------------------------------ */

static void resolve(const struct raw_frame *raw, size_t depth, struct frame *out)
{
	for (size_t i = 0; i < depth; i++)
		out[i] = (struct frame){(const struct function *)raw[i].code, (int32_t)raw[i].instruction};
}

static int add(struct thread *thread, struct pushed *sample, const struct label_set *labels)
{
	if (!sample->depth)
		sample->frames[sample->depth++] = (struct raw_frame){(uintptr_t)&no_frame, 0};
	struct raw_stack stack = {
		.frames = sample->frames, .depth = sample->depth, .omitted = sample->omitted,
		.hash = raw_stack_hash(sample->frames, sample->depth),
	};
	return thread_put(thread, &stack, labels, resolve, sample->values);
}

static const struct label_set *labels_of(const struct pushed *sample)
{
	mutex_lock(&pushed_lock);
	make_tables();
	const struct label_set *labels = label_set_of(sample->texts);
	mutex_unlock(&pushed_lock);
	return labels;
}

static int flush(struct pushed *sample, struct thread *thread)
{
	if (pushed_check(sample))
		return ERR_STATE;
	if (!sample->has_value)
		return ERR_INVALID;
	if (!thread || thread_hot.is_sampling)
		return ERR_AGAIN;
	const struct label_set *labels = labels_of(sample);
	if (!labels)
		return ERR_LIMIT;
	thread_hot.is_sampling = true;
	int error = add(thread, sample, labels);
	thread_hot.is_sampling = false;
	return error;
}

int pushed_flush(struct pushed *sample, struct thread *thread)
{
	int error = flush(sample, thread);
	if (!error) {
		stats_count(STAT_samples_pushed);
		fork_sampled();
	} else if (error != ERR_STATE && error != ERR_INVALID) {
		stats_count(STAT_samples_dropped);
	}
	pushed_free(sample);
	return error;
}

/* ---- fork ------------------------------------------------------------------------------------ */

void pushed_prefork(void)
{
	mutex_lock(&pushed_lock);
}

void pushed_postfork_parent(void)
{
	mutex_unlock(&pushed_lock);
}

SNECK_FORK_CODE void pushed_postfork_child(void)
{
	mutex_postfork_child(&pushed_lock);
}
