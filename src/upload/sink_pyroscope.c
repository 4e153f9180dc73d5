/*
 * sink_pyroscope.c - POST <url>/ingest?name=...&from=...&until=...&format=pprof, one a payload.
 *
 * Why /ingest, and not the push service: the pprof goes out as it is, where push wants it in
 * base64 inside JSON, a third larger, or in a protobuf of its own; and every server, old ones
 * and collectors too, has it.
 *
 * Locking: none, the uploader sends from one thread at a time.
 * Fork:    a child is another session, noticed by its pid.
 */
#include <config.h>

#include "upload/sink_pyroscope.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/clocks.h"
#include "runtime/error.h"
#include "runtime/rng.h"
#include "upload/delivery.h"
#include "upload/pyroscope_profile.h"
#include "upload/wire_text.h"

enum { NS_PER_S = 1000000000 };

struct sink_pyroscope {
	struct sink sink;	/* first */
	char *url;		/* of /ingest, without a query */
	char *application, *password;	/* each may be "" */
	char *tenant, *authorization;	/* or NULL */
	struct pyroscope_tag *tags;
	size_t n_tags;
	int64_t timeout_ns;
	int (*post)(const struct http_request *request, struct http_response *response);
	pid_t pid;		/* of the session */
	uint64_t session;
	bool thread_ids;
};

/* ---- one request ----------------------------------------------------------------------- */

static void follow_fork(struct sink_pyroscope *pyroscope)
{
	struct rng rng;
	if (pyroscope->pid == getpid())
		return;
	pyroscope->pid = getpid();
	rng_seed(&rng, (uint64_t)clock_wall_ns() ^ (uint64_t)pyroscope->pid << 32);
	pyroscope->session = rng_next(&rng);
}

/* What all requests of an upload go to; NULL without memory.  Gives. */
static char *ingest_url(const struct sink_pyroscope *pyroscope, const struct builder *builder)
{
	char *name = pyroscope_name(pyroscope->application, pyroscope->tags, pyroscope->n_tags, pyroscope->session);
	char *escaped = name ? url_escape(name) : NULL, *url = NULL;
	if (escaped && asprintf(&url, "%s?name=%s&from=%" PRId64 "&until=%" PRId64 "&format=pprof&spyName=sneck",
				pyroscope->url, escaped, builder_start_ns(builder) / NS_PER_S,
				(builder_end_ns(builder) + NS_PER_S - 1) / NS_PER_S) < 0)
		url = NULL;
	free(escaped);
	free(name);
	return url;
}

static int send_payload(struct sink_pyroscope *pyroscope, struct builder *builder, const char *url,
			const struct payload *payload, int64_t timeout_ns)
{
	struct http_header headers[2];
	size_t n = 0;
	if (pyroscope->authorization)
		headers[n++] = (struct http_header){"Authorization", pyroscope->authorization};
	if (pyroscope->tenant)
		headers[n++] = (struct http_header){"X-Scope-OrgID", pyroscope->tenant};
	struct http_request request = {.url = url, .headers = headers, .n_headers = n, .password = pyroscope->password,
		.body = payload->data, .body_size = payload->size, .content_type = "application/octet-stream",
		.timeout_ns = timeout_ns};
	struct http_response response = {0};
	int error = pyroscope->post(&request, &response);
	return delivery_judge(builder, error, &response, pyroscope->url);
}

/* ---- one upload ------------------------------------------------------------------------ */

static int send_each(struct sink_pyroscope *pyroscope, struct builder *builder, const char *url)
{
	size_t n;
	struct payload *payloads = builder_payloads(builder, &n);
	int64_t deadline_ns = clock_monotonic_ns() + pyroscope->timeout_ns;
	uint64_t bytes = 0;
	for (size_t i = 0; i < n; i++) {
		int64_t left_ns = deadline_ns - clock_monotonic_ns();
		if (!payloads[i].is_sent && left_ns <= 0)
			return builder_failed(builder, ERR_AGAIN, "%s took too long: %zu of %zu requests are left",
					      pyroscope->url, n - i, n);
		int error = payloads[i].is_sent ? OK : send_payload(pyroscope, builder, url, &payloads[i], left_ns);
		if (error)
			return error;
		payloads[i].is_sent = true;
		bytes += payloads[i].size;
	}
	if (n)
		builder_sent(builder, pyroscope->url, bytes);
	return OK;
}

static int sink_encode(struct sink *sink, struct builder *builder)
{
	return pyroscope_encode(builder, ((struct sink_pyroscope *)sink)->thread_ids);
}

static int sink_send(struct sink *sink, struct builder *builder)
{
	struct sink_pyroscope *pyroscope = (struct sink_pyroscope *)sink;
	follow_fork(pyroscope);
	char *url = ingest_url(pyroscope, builder);
	if (!url)
		return builder_failed(builder, ERR_NOMEM, "cannot send to %s: %s", pyroscope->url, error_text(ERR_NOMEM));
	int error = send_each(pyroscope, builder, url);
	free(url);
	return error;
}

/* ---- the sink -------------------------------------------------------------------------- */

static void sink_pyroscope_free(struct sink *sink)
{
	struct sink_pyroscope *pyroscope = (struct sink_pyroscope *)sink;
	for (size_t i = 0; i < pyroscope->n_tags; i++) {
		free((char *)(uintptr_t)pyroscope->tags[i].name);
		free((char *)(uintptr_t)pyroscope->tags[i].value);
	}
	free(pyroscope->tags);
	free(pyroscope->url);
	free(pyroscope->application);
	free(pyroscope->tenant);
	free(pyroscope->authorization);
	free(pyroscope->password);
	free(pyroscope);
}

static bool is_given(const char *text)
{
	return text && *text;
}

/* A password in the URL would show in every error; a space or a query would make it another. */
static bool is_plain_url(const char *url)
{
	bool http = is_given(url) && (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0);
	return http && !strpbrk(url, "?#@ ") && !has_control_character(url) && strstr(url, "://")[3];
}

static bool is_valid(const struct pyroscope_config *config)
{
	const char *const in_headers[] = {config->tenant, config->user, config->password, config->token};
	for (size_t i = 0; i < sizeof(in_headers) / sizeof(*in_headers); i++)
		if (in_headers[i] && has_control_character(in_headers[i]))
			return false;
	return is_plain_url(config->url) && !(is_given(config->user) && is_given(config->token));
}

/* NULL: none is asked for, or no memory. */
static char *authorization(const struct pyroscope_config *config)
{
	char *text = NULL;
	if (is_given(config->token))
		return asprintf(&text, "Bearer %s", config->token) < 0 ? NULL : text;
	if (!is_given(config->user))
		return NULL;
	return basic_authorization(config->user, config->password ? config->password : "");
}

static char *with_path(const char *url)
{
	char *path = NULL;
	size_t length = strlen(url);
	while (length && url[length - 1] == '/')
		length--;
	return asprintf(&path, "%.*s/ingest", (int)length, url) < 0 ? NULL : path;
}

static bool copy_tags(struct sink_pyroscope *pyroscope, const struct pyroscope_config *config)
{
	pyroscope->tags = calloc(config->n_tags + 1, sizeof(*pyroscope->tags));
	if (!pyroscope->tags)
		return false;
	for (size_t i = 0; i < config->n_tags; i++) {
		struct pyroscope_tag *tag = &pyroscope->tags[pyroscope->n_tags++];
		tag->name = strdup(config->tags[i].name ? config->tags[i].name : "");
		tag->value = strdup(config->tags[i].value ? config->tags[i].value : "");
		if (!tag->name || !tag->value)
			return false;
	}
	return true;
}

static bool fill(struct sink_pyroscope *pyroscope, const struct pyroscope_config *config)
{
	bool authorized = is_given(config->user) || is_given(config->token), has_tenant = is_given(config->tenant);
	pyroscope->url = with_path(config->url);
	pyroscope->application = strdup(config->application ? config->application : "");
	pyroscope->authorization = authorization(config);
	pyroscope->password = strdup(config->password ? config->password : "");
	pyroscope->tenant = has_tenant ? strdup(config->tenant) : NULL;
	pyroscope->timeout_ns = config->timeout_ns;
	pyroscope->post = config->post;
	pyroscope->thread_ids = config->thread_ids;
	return copy_tags(pyroscope, config) && pyroscope->url && pyroscope->application && pyroscope->password &&
	       (pyroscope->authorization || !authorized) && (pyroscope->tenant || !has_tenant);
}

int sink_pyroscope_new(const struct pyroscope_config *config, struct sink **sink)
{
	*sink = NULL;
	if (!is_valid(config))
		return ERR_INVALID;
	struct sink_pyroscope *pyroscope = calloc(1, sizeof(*pyroscope));
	if (!pyroscope)
		return ERR_NOMEM;
	pyroscope->sink = (struct sink){.encode = sink_encode, .send = sink_send, .free = sink_pyroscope_free,
		.begun_max_ns = PYROSCOPE_BEGUN_MAX_S * INT64_C(1000000000)};
	if (!fill(pyroscope, config)) {
		sink_pyroscope_free(&pyroscope->sink);
		return ERR_NOMEM;
	}
	*sink = &pyroscope->sink;
	return OK;
}
