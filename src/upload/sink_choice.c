/*
 * sink_choice.c - who speaks louder wins; of those equally loud, the earlier row.
 *
 *     argument of start()  >  SNECK_* variable  >  shared variable  >  the agent's socket  >  files
 *
 * So DD_AGENT_HOST, which the platform sets for every program, gives way to an output that
 * somebody chose for this one, and DD_PROFILING_OUTPUT_PPROF replaces an upload.
 */
#include <config.h>

#include "upload/sink_choice.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

const char *sink_default_socket = "/var/run/datadog/apm.socket";

struct claim {
	enum option_id option;
	enum sink_kind kind;
};

static const struct claim claims[] = {
	{OPTION_output, SINK_FILE},
	{OPTION_pyroscope_url, SINK_PYROSCOPE},
	{OPTION_agentless, SINK_INTAKE},
	{OPTION_agent_url, SINK_AGENT},
	{OPTION_agent_host, SINK_AGENT},
	{OPTION_agent_port, SINK_AGENT},
};

enum { CLAIMS = sizeof(claims) / sizeof(*claims) };

const char *sink_kind_text(enum sink_kind kind)
{
	static const char *const texts[] = {
		[SINK_FILE] = "file",
		[SINK_AGENT] = "Datadog agent",
		[SINK_INTAKE] = "Datadog intake",
		[SINK_PYROSCOPE] = "Pyroscope",
	};
	return texts[kind];
}

/* ---- claims ---------------------------------------------------------------------------- */

static bool is_made(const struct options *options, enum option_id id, enum option_source source)
{
	if (options->sources[id] != source)
		return false;
	if (option_infos[id].type == OPTION_BOOL)
		return options_bool(options, id);
	return !option_is_text(id) || *options_string(options, id);
}

static bool lacks_key(const struct options *options, const struct claim *claim)
{
	return claim->kind == SINK_INTAKE && !*options->api_key;
}

/* The claim that wins; NULL: nobody makes one.  *problem: the one that would have, if it could. */
static const struct claim *find_claim(const struct options *options, const struct claim **problem)
{
	for (enum option_source source = OPTION_BY_ARGUMENT; source > OPTION_BY_DEFAULT; source--)
		for (size_t i = 0; i < CLAIMS; i++) {
			if (!is_made(options, claims[i].option, source))
				continue;
			if (!lacks_key(options, &claims[i]))
				return &claims[i];
			*problem = &claims[i];
		}
	return NULL;
}

static void say_why(struct sink_choice *choice, const struct options *options, enum option_id id)
{
	if (options->sources[id] == OPTION_BY_ARGUMENT)
		snprintf(choice->why, sizeof(choice->why), "%s is an argument of start()", option_infos[id].name);
	else
		snprintf(choice->why, sizeof(choice->why), "%s is set", options_source_text(options, id));
}

/* ---- the agent's address --------------------------------------------------------------- */

static void write_agent_url(struct sink_choice *choice, const struct options *options, enum option_id id)
{
	const char *host = *options->agent_host ? options->agent_host : "localhost";
	bool is_ipv6 = strchr(host, ':') && *host != '[';
	if (id == OPTION_agent_url)
		snprintf(choice->agent_url, sizeof(choice->agent_url), "%s", options->agent_url);
	else
		snprintf(choice->agent_url, sizeof(choice->agent_url), is_ipv6 ? "http://[%s]:%d" : "http://%s:%d", host,
			 (int)options->agent_port);
}

static bool is_socket(const char *path)
{
	struct stat status;
	return stat(path, &status) == 0 && S_ISSOCK(status.st_mode);
}

/* Who sets Datadog's variables may know from ddtrace that an agent on this machine need not be named. */
static void say_why_files(struct sink_choice *choice, const struct options *options)
{
	static const enum option_id datadogs[] = {OPTION_service, OPTION_env, OPTION_version, OPTION_tags, OPTION_profiling_tags};
	snprintf(choice->why, sizeof(choice->why), "nothing names a server");
	for (size_t i = 0; i < sizeof(datadogs) / sizeof(*datadogs); i++)
		if (is_made(options, datadogs[i], OPTION_BY_SHARED_VARIABLE)) {
			snprintf(choice->why, sizeof(choice->why), "nothing names a server (%s is set: for an agent on this "
				 "machine DD_AGENT_HOST=localhost is needed)", options_source_text(options, datadogs[i]));
			return;
		}
}

/* Nobody said anything. */
static void choose_by_default(struct sink_choice *choice, const struct options *options)
{
	if (!is_socket(sink_default_socket)) {
		choice->kind = SINK_FILE;
		say_why_files(choice, options);
		return;
	}
	choice->kind = SINK_AGENT;
	snprintf(choice->why, sizeof(choice->why), "%s is there", sink_default_socket);
	snprintf(choice->agent_url, sizeof(choice->agent_url), "unix://%s", sink_default_socket);
}

void sink_choose(const struct options *options, struct sink_choice *choice)
{
	const struct claim *problem = NULL, *claim = find_claim(options, &problem);
	*choice = (struct sink_choice){0};
	if (problem)
		snprintf(choice->problem, sizeof(choice->problem), "an upload without an agent takes an API key: set DD_API_KEY");
	if (!claim) {
		choose_by_default(choice, options);
		return;
	}
	choice->kind = claim->kind;
	say_why(choice, options, claim->option);
	if (claim->kind == SINK_AGENT)
		write_agent_url(choice, options, claim->option);
}
