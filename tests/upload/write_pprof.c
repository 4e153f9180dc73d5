/*
 * write_pprof.c - writes a profile of known numbers, for other tools to read.
 *
 * usage: write_pprof OUTPUT SOURCE [ROWS]
 * Prints the path of the file: OUTPUT's, as sink_file names it.  SOURCE is the file that the
 * frames are in.  With ROWS, that many stacks more, of one nanosecond's wait each; the
 * profile takes a thousand.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>

#include "runtime/error.h"
#include "upload/sink_file.h"

static struct function get = {.name = "Cache.get", .start_line = 2}, put = {.name = "Cache.put", .start_line = 5};
static struct function module = {.name = "<module>", .start_line = 1};
static const struct function many = {"many", "many.py", 1};

static void add(struct profile *profile, const char *lock, const struct function *leaf, double wait_ns, double acquired,
		double hold_ns)
{
	const struct frame frames[] = {{leaf, leaf->start_line + 1}, {&module, 8}};
	const struct label labels[] = {
		{LABEL_LOCK_NAME, .string = lock}, {LABEL_THREAD_ID, .number = 4711},
		{LABEL_THREAD_NAME, .string = "MainThread"}, {LABEL_LOCK_KIND, .string = "threading.Lock"},
	};
	const double values[SAMPLE_TYPES] = {
		[SAMPLE_LOCK_ACQUIRE_WAIT] = wait_ns, [SAMPLE_LOCK_ACQUIRE] = acquired,
		[SAMPLE_LOCK_RELEASE_HOLD] = hold_ns, [SAMPLE_LOCK_RELEASE] = acquired,
		[SAMPLE_LOCK_ACQUIRE_FAILED] = 3, [SAMPLE_LOCK_CONTENDED] = 7,
	};
	profile_add(profile, frames, 2, 0, labels, 4, values);
}

static void fill(struct profile *profile, int32_t more)
{
	const double values[SAMPLE_TYPES] = {[SAMPLE_LOCK_ACQUIRE_WAIT] = 1};
	add(profile, "main.py:1:first", &get, 250e6, 100, 30e6);
	add(profile, "main.py:1:first", &put, 50e6, 20, 70e6);
	add(profile, "main.py:7:Schl\xc3\xbcssel", &get, 200e6, 80, 0);
	for (int32_t line = 1; line <= more; line++)
		profile_add(profile, &(struct frame){&many, line}, 1, 0, NULL, 0, values);
	profile_end(profile);
}

int main(int argc, char **argv)
{
	struct sink *sink;
	if (argc < 3 || sink_file_new(argv[1], argv[0], &sink))
		return 2;
	get.filename = put.filename = module.filename = argv[2];
	struct profile *profile = profile_new(&(struct profile_limits){.rows = 1000, .bytes = 16 << 20});
	fill(profile, argc > 3 ? atoi(argv[3]) : 0);
	struct builder *builder = builder_new(profile, 0);
	builder_add_note(builder, "written by write_pprof");
	int error = sink->send(sink, builder);
	if (error)
		fprintf(stderr, "%s\n", builder_error(builder));
	else
		printf("%s\n", builder_target(builder));
	builder_free(builder);
	profile_free(profile);
	sink_free(sink);
	return error ? 1 : 0;
}
