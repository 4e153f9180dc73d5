/*
 * datadog.c - one field an option.
 */
#include <config.h>

#include "module/datadog.h"

int datadog_sink(const struct options *options, const struct process_identity *identity, const char *agent_url,
		 struct sink **sink, char problem[DATADOG_PROBLEM_MAX])
{
	const struct datadog_config config = {
		.agent_url = agent_url,
		.api_key = agent_url ? NULL : options->api_key,
		.site = options->site,
		.timeout_ns = options->api_timeout * INT64_C(1000000),
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
		.identity = identity,
		.options = options,
	};
	return sink_datadog_new(&config, sink, problem);
}
