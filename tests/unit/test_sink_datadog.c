/*
 * test_sink_datadog.c - what arrives at a real socket, and what becomes of each answer.
 */
#include <config.h>

#include "upload/sink_datadog.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "linked_curl.h"
#include "runtime/log.h"
#include "samples.h"
#include "unit.h"
#include "upload/blob.h"
#include "upload/entity_id.h"
#include "upload/pprof_read.h"
#include "upload/runtime_id.h"

#define KEY "0123456789abcdef0123456789abcdef"

static struct server {
	int listener;
	const char *answer;
	char request[1 << 20];
	size_t size;
	char url[96];
	pthread_t thread;
} server;

/* ---- the server -------------------------------------------------------------------------- */

static size_t body_length(void)
{
	const char *header = strcasestr(server.request, "\r\nContent-Length: ");
	return header ? (size_t)atol(header + 18) : 0;
}

static bool is_whole(void)
{
	const char *body = strstr(server.request, "\r\n\r\n");
	return body && server.size >= (size_t)(body + 4 - server.request) + body_length();
}

static void *serve(void *unused)
{
	(void)unused;
	int fd = accept(server.listener, NULL, NULL);
	ssize_t n = 1;
	while (!is_whole() && n > 0) {
		n = read(fd, server.request + server.size, sizeof(server.request) - 1 - server.size);
		server.size += n > 0 ? (size_t)n : 0;
	}
	ck_assert_int_gt(write(fd, server.answer, strlen(server.answer)), 0);
	close(fd);
	return NULL;
}

static void listen_at(const struct sockaddr *address, socklen_t size, const char *answer)
{
	memset(&server, 0, sizeof(server));
	server.answer = answer;
	server.listener = socket(address->sa_family, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(server.listener, address, size), 0);
	ck_assert_int_eq(listen(server.listener, 1), 0);
	ck_assert_int_eq(pthread_create(&server.thread, NULL, serve, NULL), 0);
}

static void start_tcp(const char *answer, const char *path)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	listen_at((struct sockaddr *)&address, size, answer);
	getsockname(server.listener, (struct sockaddr *)&address, &size);
	snprintf(server.url, sizeof(server.url), "http://127.0.0.1:%d%s", ntohs(address.sin_port), path);
}

static void finish(void)
{
	pthread_join(server.thread, NULL);
	close(server.listener);
}

/* ---- one upload -------------------------------------------------------------------------- */

static struct process_identity identity;
static struct profile *profile;
static struct builder *builder;

static struct datadog_config plain(void)
{
	identity = (struct process_identity){.service = "shop", .entrypoint_name = "shop", .python_version = "3.11.7"};
	return (struct datadog_config){.timeout_ns = 10000000000, .identity = &identity};
}

static struct sink *make_sink(const struct datadog_config *config)
{
	char problem[DATADOG_PROBLEM_MAX];
	struct sink *sink;
	ck_assert_msg(sink_datadog_new(config, &sink, problem) == OK, "%s", problem);
	return sink;
}

static void encode(struct sink *sink)
{
	profile = profile_new(&roomy);
	add_lock(profile, "a.py:1:x", 10, 4711);
	add_lock(profile, "a.py:2:y", 11, 42);
	profile_end(profile);
	builder = builder_new(profile, 0);
	ck_assert_msg(sink->encode(sink, builder) == OK, "%s", builder_error(builder));
	builder_release_profile(builder);
	profile_free(profile);
}

static int upload(const struct datadog_config *config)
{
	struct sink *sink = make_sink(config);
	encode(sink);
	int result = sink->send(sink, builder);
	sink_free(sink);
	finish();
	return result;
}

static bool has_line(const char *line)
{
	char whole[512];
	snprintf(whole, sizeof(whole), "\r\n%s\r\n", line);
	return strstr(server.request, whole) != NULL;
}

/* The part's body; its head must be exactly this. */
static const char *part(const char *head, size_t *size)
{
	const char *start = strstr(server.request, head);
	ck_assert_msg(start != NULL, "no part %s", head);
	const char *body = start + strlen(head);
	const char *end = memmem(body, (size_t)(server.request + server.size - body), "\r\n--", 4);	/* binary: it has NULs */
	*size = (size_t)(end - body);
	return body;
}

static const char event_head[] =
	"\r\nContent-Disposition: form-data; name=\"event\"; filename=\"event.json\"\r\nContent-Type: application/json\r\n\r\n";
static const char profile_head[] =
	"\r\nContent-Disposition: form-data; name=\"profile.pprof\"; filename=\"profile.pprof\"\r\n\r\n";

static bool contains(const char *data, size_t size, const char *text)
{
	return memmem(data, size, text, strlen(text)) != NULL;
}

static void check_parts(void)
{
	char message[PPROF_MESSAGE_BYTES];
	struct pprof_file *file;
	size_t size;
	const char *event = part(event_head, &size);
	ck_assert(contains(event, size, "{\"attachments\":[\"profile.pprof\"],\"tags_profiler\":\"service:shop,"));
	ck_assert(contains(event, size, "\"process_tags\":\"entrypoint.name:shop,svc.auto:shop\""));
	const char *data = part(profile_head, &size);
	ck_assert_msg(pprof_read(data, size, 64 << 20, &file, message) == OK, "%s", message);
	ck_assert_uint_eq(file->n_samples, 2);
	ck_assert_int_eq(file->samples[0].values[0] + file->samples[1].values[0], 4711 + 42);
	pprof_file_free(file);
}

static void check_entity(void)
{
	struct entity entity;
	char line[256];
	entity_read(&entity, &entity_paths_of_system);
	snprintf(line, sizeof(line), "datadog-entity-id: %s", entity.entity_id);
	ck_assert_int_eq(has_line(line), *entity.entity_id != '\0');
	snprintf(line, sizeof(line), "datadog-container-id: %s", entity.container_id);
	ck_assert_int_eq(has_line(line), *entity.container_id != '\0');
}

START_TEST(datadog_sends_to_an_agent_by_tcp)
{
	struct datadog_config config = plain();
	start_tcp("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "");
	config.agent_url = server.url;
	config.external_env = " it-false,cn-x \n";
	ck_assert_msg(upload(&config) == OK, "%s", builder_error(builder));
	ck_assert_ptr_eq(strstr(server.request, "POST /profiling/v1/input HTTP/1.1\r\n"), server.request);
	ck_assert(has_line("DD-EVP-ORIGIN: sneck"));
	ck_assert(has_line("DD-EVP-ORIGIN-VERSION: " PACKAGE_VERSION));
	ck_assert(has_line("datadog-external-env: it-false,cn-x"));
	ck_assert(has_line("Connection: close"));
	ck_assert_ptr_null(strcasestr(server.request, "dd-api-key"));
	ck_assert_ptr_null(strstr(server.request, "host:"));
	ck_assert_ptr_nonnull(strstr(builder_target(builder), "/profiling/v1/input"));
	ck_assert_uint_gt(builder_bytes(builder), 500);
	check_parts();
	check_entity();
	builder_free(builder);
}
END_TEST

START_TEST(datadog_sends_to_an_agent_by_a_unix_socket)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct datadog_config config = plain();
	char url[128];
	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/test_sink_datadog.%d.socket", (int)getpid());
	snprintf(url, sizeof(url), "unix://%s", address.sun_path);
	listen_at((struct sockaddr *)&address, sizeof(address), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	config.agent_url = url;
	ck_assert_msg(upload(&config) == OK, "%s", builder_error(builder));
	unlink(address.sun_path);
	ck_assert_ptr_eq(strstr(server.request, "POST /profiling/v1/input HTTP/1.1\r\nHost: localhost\r\n"), server.request);
	ck_assert_str_eq(builder_target(builder), url);
	check_parts();
	builder_free(builder);
}
END_TEST

START_TEST(datadog_sends_to_the_intake_with_key_and_host)
{
	struct datadog_config config = plain();
	start_tcp("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", "/api/v2/profile");
	config.api_key = KEY "\n";
	config.intake_url = server.url;
	config.hostname = "web-1";
	ck_assert_msg(upload(&config) == OK, "%s", builder_error(builder));
	ck_assert_ptr_eq(strstr(server.request, "POST /api/v2/profile HTTP/1.1\r\n"), server.request);
	ck_assert(has_line("dd-api-key: " KEY));
	ck_assert_ptr_nonnull(strstr(server.request, ",host:web-1"));
	check_parts();
	size_t size;
	const char *event = part(event_head, &size);
	ck_assert(!contains(event, size, KEY));
	builder_free(builder);
}
END_TEST

/* ---- answers ----------------------------------------------------------------------------- */

static char lines[4096];

static void remember(const char *line, size_t size)
{
	strncat(lines, line, size < sizeof(lines) - strlen(lines) - 1 ? size : sizeof(lines) - strlen(lines) - 1);
}

START_TEST(datadog_keeps_the_key_out_of_errors_and_logs)
{
	static const int statuses[] = {400, 403, 404, 413, 429, 500, 503, 302};
	log_writer = remember;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		struct datadog_config config = plain();
		char answer[256];
		snprintf(answer, sizeof(answer), "HTTP/1.1 %d No\r\nContent-Length: 74\r\n\r\nkey " KEY " or " KEY "!!", statuses[i]);
		start_tcp(answer, "/api/v2/profile");
		config.api_key = KEY;
		config.intake_url = server.url;
		bool may_pass = statuses[i] == 429 || statuses[i] >= 500;
		ck_assert_int_eq(upload(&config), may_pass ? ERR_AGAIN : ERR_IO);
		ck_assert_ptr_nonnull(strstr(builder_error(builder), "127.0.0.1"));
		ck_assert_ptr_null(strstr(builder_error(builder), KEY));
		ck_assert_int_eq(strstr(builder_error(builder), "DD_API_KEY") != NULL, statuses[i] == 403);
		builder_free(builder);
	}
	ck_assert_ptr_null(strstr(lines, KEY));
}
END_TEST

START_TEST(datadog_sends_a_urls_password_in_a_header_and_tells_it_to_nobody)
{
	struct datadog_config config = plain();
	char url[128];
	start_tcp("HTTP/1.1 403 No\r\nContent-Length: 11\r\n\r\nopen sesame", "");
	snprintf(url, sizeof(url), "http://me:open%%20sesame@%s", server.url + strlen("http://"));
	config.agent_url = url;
	ck_assert_int_eq(upload(&config), ERR_IO);
	ck_assert(has_line("Authorization: Basic bWU6b3BlbiBzZXNhbWU="));
	ck_assert_ptr_nonnull(strstr(builder_error(builder), "(it says: ***********)"));
	ck_assert_ptr_null(strstr(builder_error(builder), "@"));
	builder_free(builder);
}
END_TEST

START_TEST(datadog_leaves_its_payloads_for_another_try)
{
	struct datadog_config config = plain();
	start_tcp("HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", "");
	config.agent_url = server.url;
	struct sink *sink = make_sink(&config);
	encode(sink);
	ck_assert_int_eq(sink->send(sink, builder), ERR_AGAIN);
	finish();
	ck_assert_int_eq(builder_retry_wish_ns(builder), 7000000000);
	size_t n;
	struct payload *payloads = builder_payloads(builder, &n);
	ck_assert_uint_eq(n, 2);
	ck_assert(!payloads[0].is_sent && !payloads[1].is_sent);
	ck_assert_int_eq(sink->send(sink, builder), ERR_AGAIN);	/* nobody listens any more */
	sink_free(sink);
	builder_free(builder);
}
END_TEST

/* ---- configurations ------------------------------------------------------------------------ */

START_TEST(datadog_refuses_what_makes_no_sense)
{
	char problem[DATADOG_PROBLEM_MAX];
	struct sink *sink = (struct sink *)1;
	struct datadog_config config = plain();
	config.agent_url = "nonsense";
	ck_assert_int_eq(sink_datadog_new(&config, &sink, problem), ERR_INVALID);
	ck_assert_ptr_null(sink);
	ck_assert_ptr_nonnull(strstr(problem, "http://"));
	static const char *const no_keys[] = {"sesame\r\nX: y", "sesame # of production"};
	for (size_t i = 0; i < 2; i++) {
		config.api_key = no_keys[i];
		ck_assert_int_eq(sink_datadog_new(&config, &sink, problem), ERR_INVALID);
		ck_assert_ptr_nonnull(strstr(problem, "DD_API_KEY"));
		ck_assert_ptr_null(strstr(problem, "sesame"));
	}
	config.api_key = KEY;
	config.site = "http://x";
	ck_assert_int_eq(sink_datadog_new(&config, &sink, problem), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(problem, "DD_SITE"));
	config.api_key = " \n";				/* none */
	config.agent_url = NULL;
	ck_assert_int_eq(sink_datadog_new(&config, &sink, problem), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(problem, "agent"));
}
END_TEST

START_TEST(datadog_says_where_and_as_whom)
{
	struct datadog_config config = plain();
	config.api_key = KEY;
	config.site = "datadoghq.eu";
	config.tags = "service:tagged";
	struct sink *sink = make_sink(&config);
	ck_assert_str_eq(sink_datadog_target(sink), "https://intake.profile.datadoghq.eu/api/v2/profile");
	ck_assert_str_eq(sink_datadog_service(sink), "tagged");
	sink_free(sink);
	log_writer = remember;
	config.api_key = NULL;
	config.agent_url = "http://me:sesame@agent:1";
	config.external_env = "a\r\nb";
	config.tags = "x,y:1";
	sink = make_sink(&config);
	ck_assert_str_eq(sink_datadog_target(sink), "http://agent:1/profiling/v1/input");
	ck_assert_str_eq(sink_datadog_service(sink), "shop");
	ck_assert_ptr_nonnull(strstr(lines, "DD_EXTERNAL_ENV"));
	ck_assert_ptr_nonnull(strstr(lines, "DD_TAGS"));
	ck_assert_ptr_null(strstr(lines, "sesame"));
	sink_free(sink);
	sink_free(NULL);
}
END_TEST

START_TEST(blob_grows_to_its_limit_and_no_further)
{
	struct blob blob = {.limit = 10000};
	char block[999];
	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(blob_append(&blob, block, sizeof(block)), OK);
	ck_assert_int_eq(blob_append(&blob, block, 11), ERR_LIMIT);
	ck_assert_int_eq(blob_append(&blob, block, 10), OK);
	ck_assert_uint_eq(blob.size, 10000);
	ck_assert_uint_eq(strspn(blob.data, "x"), 10000);
	free(blob.data);
}
END_TEST

UNIT_TESTS("sink_datadog", datadog_sends_to_an_agent_by_tcp, datadog_sends_to_an_agent_by_a_unix_socket,
	   datadog_sends_to_the_intake_with_key_and_host, datadog_keeps_the_key_out_of_errors_and_logs,
	   datadog_sends_a_urls_password_in_a_header_and_tells_it_to_nobody,
	   datadog_leaves_its_payloads_for_another_try, datadog_refuses_what_makes_no_sense, datadog_says_where_and_as_whom,
	   blob_grows_to_its_limit_and_no_further)
