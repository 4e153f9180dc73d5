/*
 * sink_make.c - from options to what each sink wants to be told.
 */
#include <config.h>

#include "upload/sink_make.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/log.h"
#include "upload/http.h"
#include "upload/sink_datadog.h"
#include "upload/sink_file.h"
#include "upload/sink_pyroscope.h"

static int64_t timeout_ns(const struct options *options)
{
	return options->api_timeout * INT64_C(1000000);
}

static int failed(int error, const char *what, char problem[SINK_PROBLEM_MAX])
{
	snprintf(problem, SINK_PROBLEM_MAX, "%s: %s", what, error_text(error));
	return error;
}

/* ---- file ------------------------------------------------------------------------------ */

static int make_file(const struct sink_wishes *wishes, struct sink **sink, char *target, char *problem)
{
	const struct options *options = wishes->options;
	bool is_default = !options_is_given(options, OPTION_output) && *options->output_default;
	const char *output = is_default ? options->output_default : options->output;
	int error = sink_file_new(output, wishes->program, sink);
	snprintf(target, SINK_TARGET_MAX, "%s", output);
	return error ? failed(error, "no place for profiles", problem) : OK;
}

/* ---- Datadog --------------------------------------------------------------------------- */

static int make_datadog(const struct sink_wishes *wishes, struct sink **sink, char *target, char *problem)
{
	const struct options *options = wishes->options;
	bool is_agentless = wishes->choice->kind == SINK_INTAKE;
	const struct datadog_config config = {
		.agent_url = wishes->choice->agent_url,
		.api_key = is_agentless ? options->api_key : "",
		.site = options->site,
		.intake_url = options->intake_url,
		.timeout_ns = timeout_ns(options),
		.service = options->service,
		.env = options->env,
		.version = options->version,
		.tags = options->tags,
		.profiling_tags = options->profiling_tags,
		.hostname = options->hostname,
		.external_env = options->external_env,
		.git_repository_url = options->git_repository_url,
		.git_commit_sha = options->git_commit_sha,
		.main_package = options->main_package,
		.without_git_tags = !options->git_metadata,
		.without_process_tags = !options->process_tags,
		.identity = wishes->identity,
		.options = options,
	};
	int error = sink_datadog_new(&config, sink, problem);
	if (error)
		return *problem ? error : failed(error, "no upload to Datadog", problem);
	snprintf(target, SINK_TARGET_MAX, "%s", sink_datadog_target(*sink));
	return OK;
}

/* ---- Pyroscope ------------------------------------------------------------------------- */

enum { LABELS_MAX = PYROSCOPE_TAGS_MAX };

struct labels {
	struct pyroscope_tag list[LABELS_MAX];
	size_t n;
};

static void add_label(struct labels *labels, const char *name, const char *value)
{
	if (labels->n < LABELS_MAX && *value)
		labels->list[labels->n++] = (struct pyroscope_tag){name, value};
}

/* Cut the text, key=value,key=value, in place. */
static void add_labels(struct labels *labels, char *text)
{
	char *rest = NULL;
	for (char *pair = strtok_r(text, ",", &rest); pair; pair = strtok_r(NULL, ",", &rest)) {
		char *value = strchr(pair, '=');
		pair += strspn(pair, " \t");
		if (!value)
			continue;
		*value++ = '\0';
		add_label(labels, pair, value);
	}
}

static const char *application(const struct sink_wishes *wishes)
{
	const char *const names[] = {wishes->options->pyroscope_application, wishes->options->service,
				     wishes->identity->service, wishes->program};
	size_t i = 0;
	while (i < 3 && !*names[i])
		i++;
	return names[i];
}

static const char *const pyroscope_mistakes =
	"the address of a Pyroscope server is http://host:port or https://host, without a password or a query; it takes a "
	"user or a token, not both, and no control characters";

static void check_interval(const struct options *options)
{
	if (options->upload_interval_ns > PYROSCOPE_BEGUN_MAX_S * INT64_C(1000000000))
		log_once("pyroscope-interval", "Pyroscope refuses a profile that began an hour ago: "
			 "set an upload_interval of %d s at most", PYROSCOPE_BEGUN_MAX_S);
}

static int make_pyroscope(const struct sink_wishes *wishes, struct sink **sink, char *target, char *problem)
{
	const struct options *options = wishes->options;
	struct labels labels = {.n = 0};
	char *text = strdup(options->pyroscope_labels);
	if (!text)
		return failed(ERR_NOMEM, "no upload to Pyroscope", problem);
	add_labels(&labels, text);
	add_label(&labels, "env", options->env);
	add_label(&labels, "version", options->version);
	const struct pyroscope_config config = {
		.url = options->pyroscope_url,
		.application = application(wishes),
		.tenant = options->pyroscope_tenant,
		.user = options->pyroscope_user,
		.password = options->pyroscope_password,
		.token = options->pyroscope_token,
		.tags = labels.list,
		.n_tags = labels.n,
		.thread_ids = options->pyroscope_thread_ids,
		.timeout_ns = timeout_ns(options),
		.post = http_post,
	};
	int error = sink_pyroscope_new(&config, sink);
	free(text);
	if (error == ERR_INVALID)
		snprintf(problem, SINK_PROBLEM_MAX, "%s", pyroscope_mistakes);
	else if (error)
		failed(error, "no upload to Pyroscope", problem);
	else
		snprintf(target, SINK_TARGET_MAX, "%s", options->pyroscope_url);
	if (!error)
		check_interval(options);
	return error;
}

/* ---- each ------------------------------------------------------------------------------ */

/* Of the network: libcurl is loaded now, and by no other sink. */
static int prepare_http(const struct options *options, char problem[SINK_PROBLEM_MAX])
{
	char why[HTTP_PROBLEM_MAX];
	int error = http_init(why);
	if (error) {
		snprintf(problem, SINK_PROBLEM_MAX, "no upload by HTTP: %s", why);
		return error;
	}
	error = http_trust(options->ca_file);
	return error ? failed(error, "no upload by HTTP", problem) : OK;
}

int sink_make(const struct sink_wishes *wishes, struct sink **sink, char target[SINK_TARGET_MAX],
	      char problem[SINK_PROBLEM_MAX])
{
	*sink = NULL;
	*target = *problem = '\0';
	if (wishes->choice->kind == SINK_FILE)
		return make_file(wishes, sink, target, problem);
	int error = prepare_http(wishes->options, problem);
	if (error)
		return error;
	if (wishes->choice->kind == SINK_PYROSCOPE)
		return make_pyroscope(wishes, sink, target, problem);
	return make_datadog(wishes, sink, target, problem);
}
