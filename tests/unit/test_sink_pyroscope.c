/*
 * test_sink_pyroscope.c - what goes out is the profile, whole and once.
 *
 * The server is a function that writes down what it is sent and answers as told.
 */
#include <config.h>

#include "upload/sink_pyroscope.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/clocks.h"
#include "samples.h"
#include "unit.h"
#include "upload/pprof_read.h"

enum { MEMORY = 256 << 20, POSTS_MAX = 64, ROWS_MAX = 16000 };

struct post {
	char url[4096], authorization[256], tenant[256], content_type[64];
	struct pprof_file *file;
	int64_t timeout_ns;
};

static struct post posts[POSTS_MAX];
static size_t n_posts;
static struct http_response answer;	/* to the next posts */
static int answer_error;
static size_t good_posts;		/* this many are answered 200 first */

static int64_t now_ns = 1000;
static int64_t post_takes_ns;

static int64_t test_clock(void)
{
	return now_ns;
}

static void note_header(struct post *post, const struct http_header *header)
{
	char *to = strcmp(header->name, "Authorization") == 0 ? post->authorization
		 : strcmp(header->name, "X-Scope-OrgID") == 0 ? post->tenant : NULL;
	ck_assert_msg(to != NULL, "an unknown header %s", header->name);
	snprintf(to, 256, "%s", header->value);
}

static int test_post(const struct http_request *request, struct http_response *response)
{
	char message[PPROF_MESSAGE_BYTES];
	ck_assert_uint_lt(n_posts, POSTS_MAX);
	struct post *post = &posts[n_posts++];
	snprintf(post->url, sizeof(post->url), "%s", request->url);
	snprintf(post->content_type, sizeof(post->content_type), "%s", request->content_type);
	for (size_t i = 0; i < request->n_headers; i++)
		note_header(post, &request->headers[i]);
	post->timeout_ns = request->timeout_ns;
	ck_assert_ptr_null(request->parts);
	ck_assert_msg(pprof_read(request->body, request->body_size, MEMORY, &post->file, message) == OK, "%s", message);
	now_ns += post_takes_ns;
	*response = (struct http_response){.status = 200};
	if (n_posts <= good_posts)
		return OK;
	*response = answer;
	return answer_error;
}

static void forget_posts(void)
{
	for (size_t i = 0; i < n_posts; i++)
		pprof_file_free(posts[i].file);
	memset(posts, 0, sizeof(posts));
	n_posts = 0;
}

static void begin(void)
{
	clock_monotonic_ns = test_clock;
	answer = (struct http_response){.status = 200};
	answer_error = OK;
	good_posts = 0;
	post_takes_ns = 0;
	forget_posts();
}

static struct pyroscope_config config(void)
{
	return (struct pyroscope_config){.url = "http://localhost:4040", .application = "shop", .timeout_ns = 10000000000,
					 .post = test_post};
}

static struct sink *new_sink(const struct pyroscope_config *config)
{
	struct sink *sink;
	ck_assert_int_eq(sink_pyroscope_new(config, &sink), OK);
	return sink;
}

static void add_row(struct profile *profile, const char *lock, int32_t line, const double *values)
{
	struct frame frames[3];
	const struct label labels[] = {{LABEL_LOCK_NAME, .string = lock}, {LABEL_THREAD_ID, .number = 4711},
		{LABEL_THREAD_NATIVE_ID, .number = 12}, {LABEL_THREAD_NAME, .string = "worker"},
		{LABEL_REENTRY, .string = "true"}};
	fill_stack(frames, line);
	ck_assert_int_eq(profile_add(profile, frames, 3, 0, labels, 5, values), OK);
}

static struct builder *encode(struct sink *sink, struct profile *profile, uint64_t types)
{
	profile_end(profile);
	struct builder *builder = builder_new(profile, types);
	ck_assert_int_eq(sink->encode(sink, builder), OK);
	builder_release_profile(builder);	/* sending needs it no more */
	profile_free(profile);
	return builder;
}

static void send_well(struct sink *sink, struct builder *builder)
{
	ck_assert_msg(sink->send(sink, builder) == OK, "%s", builder_error(builder));
}

/* The sum of a column over all posts; how many posts have it. */
static int64_t sum_of(const char *column, size_t *n_files)
{
	int64_t sum = 0;
	*n_files = 0;
	for (size_t i = 0; i < n_posts; i++)
		for (size_t type = 0; type < posts[i].file->n_types; type++) {
			if (strcmp(posts[i].file->types[type].name, column) != 0)
				continue;
			++*n_files;
			for (size_t s = 0; s < posts[i].file->n_samples; s++)
				sum += posts[i].file->samples[s].values[type];
		}
	return sum;
}

static const char *const columns[SAMPLE_TYPES] = {
	[SAMPLE_LOCK_ACQUIRE_WAIT] = "delay",
	[SAMPLE_LOCK_ACQUIRE] = "lock_acquire",
	[SAMPLE_LOCK_RELEASE_HOLD] = "lock_release_hold",
	[SAMPLE_LOCK_RELEASE] = "lock_release",
	[SAMPLE_LOCK_ACQUIRE_FAILED] = "lock_acquire_failed",
	[SAMPLE_LOCK_CONTENDED] = "contentions",
};

START_TEST(every_sample_type_arrives_in_one_kind)
{
	begin();
	struct pyroscope_config to = config();
	struct sink *sink = new_sink(&to);
	struct profile *profile = profile_new(&roomy);
	double values[SAMPLE_TYPES];
	for (size_t type = 0; type < SAMPLE_TYPES; type++)
		values[type] = (double)(10 * type + 1);
	add_row(profile, "main.py:5:a", 12, values);
	add_row(profile, "main.py:5:a", 13, values);
	struct builder *builder = encode(sink, profile, 0);
	send_well(sink, builder);
	ck_assert_uint_eq(n_posts, 3);
	for (size_t type = 0; type < SAMPLE_TYPES; type++) {
		size_t n_files;
		ck_assert_msg(columns[type] != NULL, "%s is in no kind", sample_type_infos[type].name);
		ck_assert_int_eq(sum_of(columns[type], &n_files), 2 * (10 * (int64_t)type + 1));
		ck_assert_uint_eq(n_files, 1);
	}
	/* what the server calls them: the last column, or mutex */
	ck_assert_str_eq(posts[0].file->types[1].name, "delay");
	ck_assert_str_eq(posts[0].file->period_type.name, "contentions");
	ck_assert_str_eq(posts[1].file->types[1].name, "lock_release_hold");
	ck_assert_str_eq(posts[2].file->types[1].name, "lock_acquire");
	builder_free(builder);
	sink_free(sink);
	forget_posts();
}
END_TEST

START_TEST(stacks_and_labels_are_as_the_server_keeps_them)
{
	begin();
	struct pyroscope_config to = config();
	for (int thread_ids = 0; thread_ids < 2; thread_ids++) {
		to.thread_ids = thread_ids;
		struct sink *sink = new_sink(&to);
		struct profile *profile = profile_new(&roomy);
		const double values[SAMPLE_TYPES] = {7};
		add_row(profile, "main.py:5:a", 12, values);
		struct builder *builder = encode(sink, profile, 0);
		send_well(sink, builder);
		ck_assert_uint_eq(n_posts, 1);		/* nothing is sent of kinds without samples */
		const struct pprof_file_sample *sample = posts[0].file->samples;
		ck_assert_uint_eq(sample->n_frames, 4);
		ck_assert_str_eq(sample->frames[0]->function, "main.py:5:a");
		ck_assert_str_eq(sample->frames[1]->function, "Cache.get");
		ck_assert_str_eq(sample->frames[3]->function, "<module>");
		static const char *const expected[2][5][2] = {
			{{"lock_name", "main.py:5:a"}, {"thread_name", "worker"}, {"re_entry", "true"}},
			{{"lock_name", "main.py:5:a"}, {"thread_id", "4711"}, {"thread_native_id", "12"},
			 {"thread_name", "worker"}, {"re_entry", "true"}},
		};
		ck_assert_uint_eq(sample->n_labels, thread_ids ? 5 : 3);
		for (size_t i = 0; i < sample->n_labels; i++) {
			ck_assert_str_eq(sample->labels[i].key, expected[thread_ids][i][0]);
			ck_assert_ptr_nonnull(sample->labels[i].string);
			ck_assert_str_eq(sample->labels[i].string, expected[thread_ids][i][1]);
		}
		builder_free(builder);
		sink_free(sink);
		forget_posts();
	}
}
END_TEST

START_TEST(columns_that_are_not_wanted_are_not_sent)
{
	begin();
	struct pyroscope_config to = config();
	struct sink *sink = new_sink(&to);
	struct profile *profile = profile_new(&roomy);
	add_row(profile, "main.py:5:a", 12, (double[SAMPLE_TYPES]){7, 7, 7, 7, 7, 7});
	struct builder *builder = encode(sink, profile, 1 << SAMPLE_LOCK_ACQUIRE_WAIT);
	send_well(sink, builder);
	ck_assert_uint_eq(n_posts, 1);
	ck_assert_uint_eq(posts[0].file->n_types, 1);
	ck_assert_str_eq(posts[0].file->types[0].name, "delay");
	builder_free(builder);
	sink_free(sink);
	forget_posts();
}
END_TEST

START_TEST(big_profiles_are_split_and_arrive_whole)
{
	begin();
	struct pyroscope_config to = config();
	struct sink *sink = new_sink(&to);
	struct profile *profile = profile_new(&roomy);
	int64_t sum = 0;
	for (int32_t i = 1; i <= 40000; i++) {
		add_row(profile, "main.py:5:a", i, (double[SAMPLE_TYPES]){i, 1});
		sum += i;
	}
	struct builder *builder = encode(sink, profile, 0);
	send_well(sink, builder);
	size_t n_files;
	ck_assert_int_eq(sum_of("delay", &n_files), sum);
	ck_assert_uint_eq(n_files, 3);
	ck_assert_int_eq(sum_of("lock_acquire", &n_files), 40000);
	for (size_t i = 0; i < n_posts; i++)
		ck_assert_uint_le(posts[i].file->n_samples, ROWS_MAX);
	/* the server tells them apart by the millisecond */
	for (size_t i = 1; i < n_files; i++)
		ck_assert_int_eq(posts[i].file->time_ns - posts[i - 1].file->time_ns, 1000000);
	ck_assert_int_eq(posts[0].file->time_ns, builder_start_ns(builder));
	uint64_t bytes = builder_bytes(builder);
	ck_assert_uint_gt(bytes, 0);
	builder_free(builder);
	sink_free(sink);
	forget_posts();
}
END_TEST

START_TEST(requests_name_application_tags_and_period)
{
	begin();
	struct pyroscope_config to = config();
	const struct pyroscope_tag tags[] = {{"env", "pre prod"}, {"a\r\nb", "x&y=z#"}};
	to.url = "https://logs.example/pyroscope//";
	to.application = "my shop";
	to.tags = tags;
	to.n_tags = 2;
	struct sink *sink = new_sink(&to);
	struct profile *profile = profile_new(&roomy);
	add_row(profile, "main.py:5:a", 12, (double[SAMPLE_TYPES]){7});
	struct builder *builder = encode(sink, profile, 0);
	send_well(sink, builder);
	char expected[4096], session[17];
	const char *at = strstr(posts[0].url, "__session_id__%3D");
	ck_assert_ptr_nonnull(at);
	snprintf(session, sizeof(session), "%.16s", at + strlen("__session_id__%3D"));
	ck_assert_uint_eq(strspn(session, "0123456789abcdef"), 16);
	int64_t start_s = builder_start_ns(builder) / 1000000000, until_s = (builder_end_ns(builder) + 999999999) / 1000000000;
	snprintf(expected, sizeof(expected),
		 "https://logs.example/pyroscope/ingest?name=my_shop%%7B__session_id__%%3D%s%%2Cenv%%3Dpre%%20prod"
		 "%%2Ca__b%%3Dx%%26y%%3Dz%%23%%7D&from=%lld&until=%lld&format=pprof&spyName=sneck",
		 session, (long long)start_s, (long long)until_s);
	ck_assert_str_eq(posts[0].url, expected);
	ck_assert_str_eq(posts[0].content_type, "application/octet-stream");
	ck_assert_str_eq(posts[0].authorization, "");
	ck_assert_str_eq(posts[0].tenant, "");
	ck_assert_str_eq(builder_target(builder), "https://logs.example/pyroscope/ingest");
	builder_free(builder);
	sink_free(sink);
	forget_posts();
}
END_TEST

START_TEST(credentials_and_tenant_go_into_headers)
{
	begin();
	static const struct { const char *user, *password, *token, *expected; } cases[] = {
		{"123456", "glc_secret", "", "Basic MTIzNDU2OmdsY19zZWNyZXQ="},
		{"123456", NULL, NULL, "Basic MTIzNDU2Og=="},
		{NULL, NULL, "abc.def", "Bearer abc.def"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct pyroscope_config to = config();
		to.user = cases[i].user;
		to.password = cases[i].password;
		to.token = cases[i].token;
		to.tenant = "team-1|team-2";
		struct sink *sink = new_sink(&to);
		struct profile *profile = profile_new(&roomy);
		add_row(profile, "main.py:5:a", 12, (double[SAMPLE_TYPES]){7});
		struct builder *builder = encode(sink, profile, 0);
		send_well(sink, builder);
		ck_assert_str_eq(posts[0].authorization, cases[i].expected);
		ck_assert_str_eq(posts[0].tenant, "team-1|team-2");
		ck_assert_ptr_null(strstr(posts[0].url, "secret"));
		builder_free(builder);
		sink_free(sink);
		forget_posts();
	}
}
END_TEST

START_TEST(configurations_that_make_no_sense_are_refused)
{
	const char *const bad_urls[] = {NULL, "", "localhost:4040", "ftp://x", "http://", "http://u:p@x", "http://x/?a=b",
					"http://x#y", "http://x y", "http://x\r\nHost: y"};
	struct sink *sink;
	for (size_t i = 0; i < sizeof(bad_urls) / sizeof(*bad_urls); i++) {
		struct pyroscope_config to = config();
		to.url = bad_urls[i];
		ck_assert_int_eq(sink_pyroscope_new(&to, &sink), ERR_INVALID);
		ck_assert_ptr_null(sink);
	}
	struct pyroscope_config to = config();
	const char **const fields[] = {&to.tenant, &to.user, &to.password, &to.token};
	for (size_t i = 0; i < 4; i++) {
		to = config();
		*fields[i] = "a\r\nX-Admin: 1";
		ck_assert_int_eq(sink_pyroscope_new(&to, &sink), ERR_INVALID);
	}
	to = config();
	to.user = "u";
	to.token = "t";
	ck_assert_int_eq(sink_pyroscope_new(&to, &sink), ERR_INVALID);
}
END_TEST

static void check_answer(int status, int error, int expected, const char *words)
{
	begin();
	struct pyroscope_config to = config();
	to.token = "s3cret";
	struct sink *sink = new_sink(&to);
	struct profile *profile = profile_new(&roomy);
	add_row(profile, "main.py:5:a", 12, (double[SAMPLE_TYPES]){7});
	struct builder *builder = encode(sink, profile, 0);
	answer = (struct http_response){.status = status, .retry_after_ns = 5, .error = "connection refused",
					.body = "sample type contains -"};
	answer_error = error;
	ck_assert_int_eq(sink->send(sink, builder), expected);
	ck_assert_msg(strstr(builder_error(builder), words) != NULL, "%s", builder_error(builder));
	ck_assert_ptr_nonnull(strstr(builder_error(builder), "http://localhost:4040/ingest"));
	ck_assert_ptr_null(strstr(builder_error(builder), "s3cret"));
	ck_assert_int_eq(builder_retry_wish_ns(builder), 5);
	ck_assert_str_eq(builder_target(builder), "");
	builder_free(builder);
	sink_free(sink);
	forget_posts();
}

START_TEST(answers_tell_whether_to_try_again)
{
	check_answer(422, OK, ERR_IO, "(it says: sample type contains -)");
	check_answer(400, OK, ERR_IO, "answered 400");
	check_answer(413, OK, ERR_IO, "answered 413");
	check_answer(401, OK, ERR_IO, "check the key, token or user");
	check_answer(404, OK, ERR_IO, "check the URL");
	check_answer(302, OK, ERR_IO, "answered 302");
	check_answer(429, OK, ERR_AGAIN, "answered 429");
	check_answer(408, OK, ERR_AGAIN, "answered 408");
	check_answer(500, OK, ERR_AGAIN, "answered 500");
	check_answer(503, OK, ERR_AGAIN, "answered 503");
	check_answer(0, ERR_IO, ERR_AGAIN, "connection refused");
	check_answer(0, ERR_TIMEOUT, ERR_AGAIN, "connection refused");
	check_answer(0, ERR_CANCELLED, ERR_CANCELLED, "connection refused");
	check_answer(0, ERR_INVALID, ERR_INVALID, "control character");
}
END_TEST

START_TEST(another_try_sends_only_what_is_left)
{
	begin();
	struct pyroscope_config to = config();
	struct sink *sink = new_sink(&to);
	struct profile *profile = profile_new(&roomy);
	add_row(profile, "main.py:5:a", 12, (double[SAMPLE_TYPES]){7, 7, 7, 7, 7, 7});
	struct builder *builder = encode(sink, profile, 0);
	good_posts = 1;
	answer.status = 429;
	ck_assert_int_eq(sink->send(sink, builder), ERR_AGAIN);
	ck_assert_uint_eq(n_posts, 2);
	forget_posts();
	answer.status = 200;
	send_well(sink, builder);
	ck_assert_uint_eq(n_posts, 2);
	size_t n_files;
	ck_assert_int_eq(sum_of("delay", &n_files), 0);
	ck_assert_int_eq(sum_of("lock_acquire", &n_files), 7);
	builder_free(builder);
	sink_free(sink);
	forget_posts();
}
END_TEST

START_TEST(one_deadline_is_over_all_requests)
{
	begin();
	struct pyroscope_config to = config();
	to.timeout_ns = 100;
	struct sink *sink = new_sink(&to);
	struct profile *profile = profile_new(&roomy);
	add_row(profile, "main.py:5:a", 12, (double[SAMPLE_TYPES]){7, 7, 7, 7, 7, 7});
	struct builder *builder = encode(sink, profile, 0);
	post_takes_ns = 60;
	ck_assert_int_eq(sink->send(sink, builder), ERR_AGAIN);
	ck_assert_uint_eq(n_posts, 2);
	ck_assert_int_eq(posts[0].timeout_ns, 100);
	ck_assert_int_eq(posts[1].timeout_ns, 40);
	ck_assert_ptr_nonnull(strstr(builder_error(builder), "1 of 3 requests"));
	builder_free(builder);
	sink_free(sink);
	forget_posts();
}
END_TEST

static void session_of_a_post(struct sink *sink, char session[17])
{
	struct profile *profile = profile_new(&roomy);
	add_row(profile, "main.py:5:a", 12, (double[SAMPLE_TYPES]){7});
	struct builder *builder = encode(sink, profile, 0);
	send_well(sink, builder);
	snprintf(session, 17, "%.16s", strstr(posts[n_posts - 1].url, "__session_id__%3D") + strlen("__session_id__%3D"));
	builder_free(builder);
}

START_TEST(a_profile_may_have_begun_nearly_an_hour_ago)
{
	struct pyroscope_config to = config();
	struct sink *sink = new_sink(&to);
	ck_assert_int_eq(sink->begun_max_ns, 3500 * INT64_C(1000000000));
	sink_free(sink);
}
END_TEST

START_TEST(a_forked_child_is_a_session_of_its_own)
{
	begin();
	struct pyroscope_config to = config();
	struct sink *sink = new_sink(&to);
	char first[17], second[17];
	int status;
	session_of_a_post(sink, first);
	session_of_a_post(sink, second);
	ck_assert_str_eq(first, second);
	pid_t child = fork();
	if (child == 0) {
		session_of_a_post(sink, second);
		_exit(strcmp(first, second) == 0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	session_of_a_post(sink, second);
	ck_assert_str_eq(first, second);
	sink_free(sink);
	forget_posts();
}
END_TEST

UNIT_TESTS("sink_pyroscope", every_sample_type_arrives_in_one_kind, stacks_and_labels_are_as_the_server_keeps_them,
	   columns_that_are_not_wanted_are_not_sent, big_profiles_are_split_and_arrive_whole,
	   requests_name_application_tags_and_period, credentials_and_tenant_go_into_headers,
	   configurations_that_make_no_sense_are_refused, answers_tell_whether_to_try_again,
	   another_try_sends_only_what_is_left, one_deadline_is_over_all_requests,
	   a_profile_may_have_begun_nearly_an_hour_ago, a_forked_child_is_a_session_of_its_own)
