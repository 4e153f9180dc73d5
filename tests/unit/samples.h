/*
 * samples.h - profiles for tests: one call, one sample.
 */
#ifndef SNECK_TESTS_SAMPLES_H
#define SNECK_TESTS_SAMPLES_H

#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/profile.h"

static const struct profile_limits roomy = {.rows = 1 << 20, .bytes = 256 << 20};

/* main.py: leaf -> middle -> main, the leaf at the line asked for. */
static const struct function leaf_function = {"Cache.get", "/app/main.py", 10};
static const struct function middle_function = {"serve", "/app/main.py", 30};
static const struct function main_function = {"<module>", "/app/main.py", 1};

static inline void fill_stack(struct frame frames[3], int32_t leaf_line)
{
	frames[0] = (struct frame){&leaf_function, leaf_line};
	frames[1] = (struct frame){&middle_function, 33};
	frames[2] = (struct frame){&main_function, 99};
}

static inline int add_lock(struct profile *profile, const char *lock, int32_t leaf_line, double wait_ns)
{
	struct frame frames[3];
	struct label labels[] = {
		{LABEL_LOCK_NAME, .string = lock},
		{LABEL_THREAD_ID, .number = 4711},
	};
	double values[SAMPLE_TYPES] = {[SAMPLE_LOCK_ACQUIRE_WAIT] = wait_ns, [SAMPLE_LOCK_ACQUIRE] = 1};
	fill_stack(frames, leaf_line);
	return profile_add(profile, frames, 3, 0, labels, 2, values);
}

static inline double column_sum(const struct profile *profile, enum sample_type type)
{
	double sum = 0;
	for (size_t row = 0; row < profile_n_rows(profile); row++)
		sum += profile_row(profile, row).values[type];
	return sum;
}

/* The name of the function in a row's frame. */
static inline const char *frame_name(const struct profile *profile, size_t row, size_t frame)
{
	struct profile_location location = profile_location(profile, profile_row(profile, row).locations[frame]);
	return profile_string(profile, profile_function(profile, location.function).name, NULL);
}

/* A pprof_sink into memory. */
struct memory_file {
	unsigned char *data;
	size_t size, writes;
	int refuse_after;	/* > 0: that many writes go well */
};

static inline int write_memory(void *context, const void *data, size_t size)
{
	struct memory_file *file = context;
	if (file->refuse_after && ++file->writes > (size_t)file->refuse_after)
		return ERR_IO;
	file->data = realloc(file->data, file->size + size);
	memcpy(file->data + file->size, data, size);
	file->size += size;
	return OK;
}

#endif
