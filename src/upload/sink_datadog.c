/*
 * sink_datadog.c - one POST a profile:
 *
 *     event          event.json       what it is, whose it is (event_json.c, datadog_tags.c)
 *     profile.pprof  profile.pprof    gzip'd; the intake knows compression by its first bytes
 *
 * DD-EVP-ORIGIN says "sneck".  ddtrace's profiler says "dd-trace-py" there, and nothing that is
 * public, the agent included, looks at the value; what it is for is to tell Datadog's people
 * whose client sent a thing, and our mistakes are not to be looked for in ddtrace.
 *
 * The API key goes into its header and nowhere else; http.c blots it out of an answer that repeats it.
 *
 * Locking: none, the uploader sends from one thread at a time.
 * Fork:    nothing here changes after the start but the runtime id; the child uses the same.
 */
#include <config.h>

#include "upload/sink_datadog.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/log.h"
#include "upload/blob.h"
#include "upload/datadog_endpoint.h"
#include "upload/datadog_tags.h"
#include "upload/delivery.h"
#include "upload/entity_id.h"
#include "upload/event_json.h"
#include "upload/http.h"
#include "upload/process_tags.h"
#include "upload/runtime_id.h"
#include "upload/uploader.h"

struct sink_datadog {
	struct sink sink;		/* first */
	struct datadog_endpoint endpoint;
	int64_t timeout_ns;
	char *api_key;			/* NULL: through an agent */
	char *external_env;		/* or NULL */
	struct datadog_tags tags;
	char *process_tags;		/* or NULL */
	char python_version[sizeof(((struct process_identity *)0)->python_version)];
	json_t *info;			/* or NULL */
	struct entity entity;
};

static const char event_part[] = "event", profile_part[] = "profile.pprof";

/* What libdatadog's source says the backend passes over is larger than this. */
static const size_t profile_bytes_max = 10 << 20;

/* ---- encode ---------------------------------------------------------------------------- */

static int keep_profile(struct builder *builder)
{
	struct blob blob = {.limit = profile_bytes_max};
	int error = builder_encode(builder, blob_append, &blob);
	if (!error)
		return builder_keep(builder, profile_part, blob.data, blob.size);
	free(blob.data);
	return error;
}

static char *make_event(const struct sink_datadog *datadog, const struct builder *builder)
{
	struct uploader_status uploader;
	uploader_status(&uploader);
	char *tags = datadog_tags_text(&datadog->tags, datadog->python_version);
	json_t *internal = event_internal(&uploader);
	const struct event event = {
		.attachment = profile_part,
		.tags = tags,
		.process_tags = datadog->process_tags,
		.start_ns = builder_start_ns(builder),
		.end_ns = builder_end_ns(builder),
		.internal = internal,
		.info = datadog->info,
	};
	char *text = tags ? event_json(&event) : NULL;
	json_decref(internal);
	free(tags);
	return text;
}

static int keep_event(const struct sink_datadog *datadog, struct builder *builder)
{
	char *text = make_event(datadog, builder);
	return text ? builder_keep(builder, event_part, text, strlen(text)) : ERR_NOMEM;
}

static int datadog_encode(struct sink *sink, struct builder *builder)
{
	int error = keep_event((struct sink_datadog *)sink, builder);
	if (!error)
		error = keep_profile(builder);
	if (error == ERR_LIMIT)
		return builder_failed(builder, error, "a profile is larger than the %zu MiB Datadog takes: "
				      "set a lower profile_max_rows, or upload oftener", profile_bytes_max >> 20);
	return error ? builder_failed(builder, error, "cannot encode a profile: %s", error_text(error)) : OK;
}

/* ---- send ------------------------------------------------------------------------------ */

enum { HEADERS_MAX = 7 };

static void add_header(struct http_request *request, struct http_header headers[HEADERS_MAX], const char *name,
		       const char *value)
{
	if (value && *value)
		headers[request->n_headers++] = (struct http_header){name, value};
}

static void add_headers(const struct sink_datadog *datadog, struct http_request *request,
			struct http_header headers[HEADERS_MAX])
{
	add_header(request, headers, "DD-EVP-ORIGIN", PACKAGE_NAME);
	add_header(request, headers, "DD-EVP-ORIGIN-VERSION", PACKAGE_VERSION);
	add_header(request, headers, "dd-api-key", datadog->api_key);
	add_header(request, headers, "Authorization", datadog->endpoint.authorization);
	add_header(request, headers, "datadog-container-id", datadog->entity.container_id);
	add_header(request, headers, "datadog-entity-id", datadog->entity.entity_id);
	add_header(request, headers, "datadog-external-env", datadog->external_env);
	request->headers = headers;
}

/* The two payloads as parts; their size. */
static size_t add_parts(struct http_request *request, struct http_part parts[2], const struct payload *payloads, size_t n)
{
	size_t size = 0;
	for (size_t i = 0; i < n && i < 2; i++) {
		bool is_event = payloads[i].name == event_part;
		parts[i] = (struct http_part){
			.name = payloads[i].name,
			.filename = is_event ? "event.json" : profile_part,
			.content_type = is_event ? "application/json" : NULL,
			.data = payloads[i].data,
			.size = payloads[i].size,
		};
		size += payloads[i].size;
		request->n_parts++;
	}
	request->parts = parts;
	return size;
}

static int datadog_send(struct sink *sink, struct builder *builder)
{
	const struct sink_datadog *datadog = (struct sink_datadog *)sink;
	struct http_request request = {
		.url = datadog->endpoint.url,
		.unix_socket = datadog->endpoint.unix_socket,
		.password = datadog->endpoint.password,
		.timeout_ns = datadog->timeout_ns,
	};
	struct http_header headers[HEADERS_MAX];
	struct http_part parts[2];
	struct http_response response;
	size_t n;
	struct payload *payloads = builder_payloads(builder, &n);
	add_headers(datadog, &request, headers);
	size_t size = add_parts(&request, parts, payloads, n);
	int error = http_post(&request, &response);
	error = delivery_judge(builder, error, &response, datadog->endpoint.target);
	if (error)
		return error;
	for (size_t i = 0; i < n; i++)
		payloads[i].is_sent = true;
	builder_sent(builder, datadog->endpoint.target, size);
	return OK;
}

/* ---- life ------------------------------------------------------------------------------ */

static void datadog_free(struct sink *sink)
{
	struct sink_datadog *datadog = (struct sink_datadog *)sink;
	datadog_endpoint_free(&datadog->endpoint);
	datadog_tags_free(&datadog->tags);
	json_decref(datadog->info);
	free(datadog->process_tags);
	free(datadog->external_env);
	free(datadog->api_key);
	free(datadog);
}

/* A copy without the spaces and line ends around it, as files of secrets have them; NULL: nothing, or no memory. */
static char *trimmed(const char *text)
{
	if (!text)
		return NULL;
	text += strspn(text, " \t\r\n");
	size_t length = strlen(text);
	while (length && strchr(" \t\r\n", text[length - 1]))
		length--;
	return length ? strndup(text, length) : NULL;
}

static bool fits_header(const char *text)
{
	for (; text && *text; text++)
		if (!isprint((unsigned char)*text))
			return false;
	return true;
}

/* With a space in it, as by a comment behind it, an answer that repeats a part would not be known for it. */
static bool is_key(const char *text)
{
	return fits_header(text) && !(text && strchr(text, ' '));
}

static int set_endpoint(struct sink_datadog *datadog, const struct datadog_config *config, char *problem)
{
	datadog->api_key = trimmed(config->api_key);
	if (!is_key(datadog->api_key)) {
		snprintf(problem, DATADOG_PROBLEM_MAX, "DD_API_KEY has a space or other characters in it that a key cannot have");
		return ERR_INVALID;
	}
	if (datadog->api_key && config->intake_url && *config->intake_url)
		return datadog_endpoint_relay(&datadog->endpoint, config->intake_url, problem, DATADOG_PROBLEM_MAX);
	if (datadog->api_key)
		return datadog_endpoint_intake(&datadog->endpoint, config->site, problem, DATADOG_PROBLEM_MAX);
	return datadog_endpoint_agent(&datadog->endpoint, config->agent_url ? config->agent_url : "", problem,
				      DATADOG_PROBLEM_MAX);
}

static void set_external_env(struct sink_datadog *datadog, const char *text)
{
	datadog->external_env = trimmed(text);
	if (fits_header(datadog->external_env))
		return;
	log_once("external-env", "DD_EXTERNAL_ENV has control characters in it and is not sent");
	free(datadog->external_env);
	datadog->external_env = NULL;
}

static int set_tags(struct sink_datadog *datadog, const struct datadog_config *config)
{
	int error = datadog_tags_init(&datadog->tags, config);
	if (datadog->tags.malformed)
		log_once("tags", "DD_TAGS and DD_PROFILING_TAGS have %zu entries that are no key:value; they are not sent",
			 datadog->tags.malformed);
	if (error || config->without_process_tags)
		return error;
	const char *user_service = datadog->tags.is_user_service ? tags_get(&datadog->tags.unified, "service") : NULL;
	datadog->process_tags = process_tags(config->identity, user_service);
	return datadog->process_tags ? OK : ERR_NOMEM;
}

static int fill(struct sink_datadog *datadog, const struct datadog_config *config, char *problem)
{
	runtime_id_init();
	int error = set_endpoint(datadog, config, problem);
	if (!error)
		error = set_tags(datadog, config);
	if (error)
		return error;
	set_external_env(datadog, config->external_env);
	entity_read(&datadog->entity, &entity_paths_of_system);
	datadog->timeout_ns = config->timeout_ns;
	datadog->info = config->options ? event_info(config->options) : NULL;
	memcpy(datadog->python_version, config->identity->python_version, sizeof(datadog->python_version));
	return OK;
}

int sink_datadog_new(const struct datadog_config *config, struct sink **sink, char problem[DATADOG_PROBLEM_MAX])
{
	struct sink_datadog *datadog = calloc(1, sizeof(*datadog));
	int error = datadog ? OK : ERR_NOMEM;
	*sink = NULL;
	snprintf(problem, DATADOG_PROBLEM_MAX, "%s", error_text(ERR_NOMEM));
	if (datadog) {
		datadog->sink = (struct sink){.encode = datadog_encode, .send = datadog_send, .free = datadog_free};
		error = fill(datadog, config, problem);
	}
	if (!error)
		*sink = &datadog->sink;
	else if (datadog)
		datadog_free(&datadog->sink);
	return error;
}

const char *sink_datadog_target(const struct sink *sink)
{
	return ((const struct sink_datadog *)sink)->endpoint.target;
}

const char *sink_datadog_service(const struct sink *sink)
{
	return tags_get(&((const struct sink_datadog *)sink)->tags.unified, "service");
}
