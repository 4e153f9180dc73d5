/*
 * post_pyroscope.c - sends a profile of known numbers to a Pyroscope server.
 *
 * usage: post_pyroscope URL APPLICATION ROWS
 * Row i waits i+1 nanoseconds for one of 97 locks, in a thread of a name that is no UTF-8.  As
 * user "user", with the password "p:ss", in the tenant "team".  Says how it went; the exit
 * status is 1 if another try may help, 2 if not.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>

#include "../unit/linked_curl.h"
#include "runtime/error.h"
#include "upload/http.h"
#include "upload/sink_pyroscope.h"

static const struct function get = {"Cache.get", "/app/main.py", 2}, module = {"<module>", "/app/main.py", 1};

static void fill(struct profile *profile, int32_t rows)
{
	char lock[64];
	for (int32_t i = 0; i < rows; i++) {
		snprintf(lock, sizeof(lock), "main.py:%d:lock_%d", i % 97, i % 97);
		const struct frame frames[] = {{&get, i + 1}, {&module, 8}};
		const struct label labels[] = {{LABEL_LOCK_NAME, .string = lock}, {LABEL_THREAD_ID, .number = 4711 + i % 9},
			{LABEL_THREAD_NAME, .string = "worker \xff"}, {LABEL_REENTRY, .string = "true"}};
		const double values[SAMPLE_TYPES] = {[SAMPLE_LOCK_ACQUIRE_WAIT] = i + 1, [SAMPLE_LOCK_ACQUIRE] = 3,
			[SAMPLE_LOCK_RELEASE_HOLD] = 5, [SAMPLE_LOCK_RELEASE] = 3, [SAMPLE_LOCK_CONTENDED] = 2,
			[SAMPLE_LOCK_ACQUIRE_FAILED] = 1};
		profile_add(profile, frames, 2, 0, labels, 4, values);
	}
	profile_end(profile);
}

static int encode_and_send(struct sink *sink, struct builder *builder)
{
	int error = sink->encode(sink, builder);
	if (!error)
		error = sink->send(sink, builder);
	if (error)
		fprintf(stderr, "%s\n", builder_error(builder));
	else
		printf("%s\n", builder_target(builder));
	return error == ERR_AGAIN ? 1 : error ? 2 : 0;
}

int main(int argc, char **argv)
{
	const struct pyroscope_tag tags[] = {{"env", "pre, prod\r\n"}, {"git.commit sha", "abc{}"}, {"lives", "9"}};
	struct pyroscope_config config = {.user = "user", .password = "p:ss", .tenant = "team", .tags = tags, .n_tags = 3,
		.thread_ids = true, .timeout_ns = 60000000000, .post = http_post};
	char problem[HTTP_PROBLEM_MAX];
	struct sink *sink;
	if (argc != 4)
		return 2;
	config.url = argv[1];
	config.application = argv[2];
	if (http_init(problem) || sink_pyroscope_new(&config, &sink))
		return 2;
	struct profile *profile = profile_new(&(struct profile_limits){.rows = 1 << 20, .bytes = 256 << 20});
	fill(profile, atoi(argv[3]));
	struct builder *builder = builder_new(profile, 0);
	int status = encode_and_send(sink, builder);
	builder_free(builder);
	profile_free(profile);
	sink_free(sink);
	return status;
}
