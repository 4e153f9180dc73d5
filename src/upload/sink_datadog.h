/*
 * sink_datadog.h - profiles to Datadog: through its agent (TCP or a Unix socket), or straight
 * to the intake.
 */
#ifndef SNECK_UPLOAD_SINK_DATADOG_H
#define SNECK_UPLOAD_SINK_DATADOG_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/options.h"
#include "upload/process_identity.h"
#include "upload/sink.h"

/* What the user's variables say.  NULL and "" both mean: not set.  All of it is copied. */
struct datadog_config {
	/* Where to.  With an API key straight to the intake of the site, else to the agent. */
	const char *agent_url;		/* http://host:port, https://..., unix:///path */
	const char *api_key;		/* DD_API_KEY; for agentless alone */
	const char *site;		/* DD_SITE; "" is datadoghq.com */
	const char *intake_url;		/* a relay of one's own instead: its whole address */
	int64_t timeout_ns;		/* of one try, all of it */

	const char *service;		/* DD_SERVICE; else of the tags, else inferred */
	const char *env, *version;	/* DD_ENV, DD_VERSION; else of the tags */
	const char *tags;		/* DD_TAGS */
	const char *profiling_tags;	/* DD_PROFILING_TAGS: these win */
	const char *hostname;		/* DD_HOSTNAME; agentless alone, else the machine's own */
	const char *external_env;	/* DD_EXTERNAL_ENV */
	const char *git_repository_url;	/* DD_GIT_REPOSITORY_URL; else of DD_TAGS */
	const char *git_commit_sha;	/* DD_GIT_COMMIT_SHA; else of DD_TAGS */
	const char *main_package;	/* DD_MAIN_PACKAGE */
	bool without_git_tags;		/* DD_TRACE_GIT_METADATA_ENABLED says no */
	bool without_process_tags;	/* DD_EXPERIMENTAL_PROPAGATE_PROCESS_TAGS_ENABLED says no */

	const struct process_identity *identity;
	const struct options *options;	/* for info.profiler.settings; or NULL */
};

enum { DATADOG_PROBLEM_MAX = 256 };

/*
 * Borrows the config.  ERR_INVALID: problem has a sentence for the user, naming the variable
 * and never its secret; ERR_NOMEM.
 */
int sink_datadog_new(const struct datadog_config *config, struct sink **sink, char problem[DATADOG_PROBLEM_MAX]);

/* Where it sends to, for status(): no user name, password or key in it.  Borrowed from the sink. */
const char *sink_datadog_target(const struct sink *sink);

/* The service name in force.  Borrowed from the sink. */
const char *sink_datadog_service(const struct sink *sink);

#endif
