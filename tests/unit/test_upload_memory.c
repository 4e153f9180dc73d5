/*
 * test_upload_memory.c - a profile of 100,000 distinct stacks leaves by each sink in less than
 * 32 MiB over what the profile itself takes.
 *
 * Each sink in a process of its own: the kernel tells the most that one ever had.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linked_curl.h"
#include "runtime/clocks.h"
#include "runtime/rng.h"
#include "samples.h"
#include "unit.h"
#include "upload/http.h"
#include "upload/sink_make.h"

enum { STACKS = 100000, DEPTH = 24, FUNCTIONS = 3000 };

static const long bound_kib = 32 << 10;

static struct function functions[FUNCTIONS];
static char names[FUNCTIONS][48], files[FUNCTIONS][64];

static void make_functions(void)
{
	for (int i = 0; i < FUNCTIONS; i++) {
		snprintf(names[i], sizeof(names[i]), "Handler%d.process_request_%d", i % 97, i);
		snprintf(files[i], sizeof(files[i]), "/srv/app/lib/python3/site-packages/shop/module_%d.py", i % 411);
		functions[i] = (struct function){names[i], files[i], i};
	}
}

/* An acquire and its release stand on lines of their own, so a row has the one or the other. */
static void set_values(double values[SAMPLE_TYPES], bool is_release, struct rng *rng)
{
	double ns = (double)(1 + rng_next(rng) % 1000000);
	values[is_release ? SAMPLE_LOCK_RELEASE_HOLD : SAMPLE_LOCK_ACQUIRE_WAIT] = ns;
	values[is_release ? SAMPLE_LOCK_RELEASE : SAMPLE_LOCK_ACQUIRE] = (double)(1 + rng_next(rng) % 100);
	values[SAMPLE_LOCK_CONTENDED] = is_release ? 0 : (double)(rng_next(rng) % 2);
}

static struct profile *large_profile(void)
{
	struct rng rng;
	struct profile *profile = profile_new(&roomy);
	rng_seed(&rng, 1);
	for (int32_t row = 0; row < STACKS; row++) {
		struct frame frames[DEPTH];
		struct label labels[] = {{LABEL_LOCK_NAME, .string = "module_7.py:12:user_lock"},
					 {LABEL_THREAD_ID, .number = 1 + row % 50}};
		double values[SAMPLE_TYPES] = {0};
		for (int i = 0; i < DEPTH; i++)
			frames[i] = (struct frame){&functions[rng_next(&rng) % FUNCTIONS], (int32_t)(rng_next(&rng) % 40)};
		frames[0].line = row;		/* no two are alike */
		set_values(values, row % 2, &rng);
		ck_assert_int_eq(profile_add(profile, frames, DEPTH, 0, labels, 2, values), OK);
	}
	profile_end(profile);
	return profile;
}

static long memory_kib(const char *field)
{
	char line[256];
	long kib = -1;
	FILE *file = fopen("/proc/self/status", "r");
	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, field, strlen(field)))
			kib = strtol(line + strlen(field), NULL, 10);
	if (file)
		fclose(file);
	return kib;
}

/* As the uploader does; the server refuses connections, so that the body is made ready and stays. */
static void upload(struct sink *sink, struct builder *builder)
{
	if (!sink->encode) {
		ck_assert_int_eq(sink->send(sink, builder), OK);
		return;
	}
	ck_assert_int_eq(sink->encode(sink, builder), OK);
	builder_release_profile(builder);
	ck_assert_int_eq(sink->send(sink, builder), ERR_AGAIN);
}

/* What the kernel counts since it was told to begin anew, over what there was before. */
static long growth_kib(struct sink *sink, struct profile *profile)
{
	struct builder *builder = builder_new(profile, 0);
	long before_kib = memory_kib("VmRSS:");
	FILE *reset = fopen("/proc/self/clear_refs", "w");
	bool is_reset = reset && fputs("5", reset) >= 0 && fclose(reset) == 0;
	ck_assert(is_reset);
	upload(sink, builder);
	long peak_kib = memory_kib("VmHWM:");
	builder_free(builder);
	return peak_kib - before_kib;
}

static void check(enum sink_kind kind)
{
	char folder[] = "/tmp/sneck-memory-XXXXXX", target[SINK_TARGET_MAX], problem[SINK_PROBLEM_MAX];
	static struct options options;
	static struct process_identity identity = {.service = "shop", .python_version = "3.11.7"};
	struct sink_choice choice = {.kind = kind, .agent_url = "http://127.0.0.1:1"};
	const struct sink_wishes wishes = {&choice, &options, &identity, "shop"};
	struct sink *sink;
	ck_assert_ptr_nonnull(mkdtemp(folder));
	options_init(&options);
	snprintf(options.output, sizeof(options.output), "%s/p", folder);
	snprintf(options.pyroscope_url, sizeof(options.pyroscope_url), "http://127.0.0.1:1");
	ck_assert_int_eq(sink_make(&wishes, &sink, target, problem), OK);
	make_functions();
	struct profile *profile = large_profile();
	ck_assert_uint_eq(profile_n_rows(profile), STACKS + 1);
	long kib = growth_kib(sink, profile);
	printf("%s: %ld KiB over a profile of %zu KiB\n", sink_kind_text(kind), kib,
		profile_size_bytes(profile) >> 10);
	ck_assert_int_lt(kib, bound_kib);
	sink_free(sink);
	profile_free(profile);
	snprintf(target, sizeof(target), "%s/p.%d.1.pprof", folder, (int)getpid());
	unlink(target);
	rmdir(folder);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool is_measurable = false;	/* sanitizers keep what is freed */
#else
static const bool is_measurable = true;
#endif

START_TEST(upload_memory_of_a_file_is_bounded)
{
	if (is_measurable)
		check(SINK_FILE);
}
END_TEST

START_TEST(upload_memory_to_an_agent_is_bounded)
{
	if (is_measurable)
		check(SINK_AGENT);
}
END_TEST

START_TEST(upload_memory_to_pyroscope_is_bounded)
{
	if (is_measurable)
		check(SINK_PYROSCOPE);
}
END_TEST

UNIT_TESTS("upload_memory", upload_memory_of_a_file_is_bounded, upload_memory_to_an_agent_is_bounded,
	   upload_memory_to_pyroscope_is_bounded)
