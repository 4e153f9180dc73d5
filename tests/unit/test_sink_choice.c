/*
 * test_sink_choice.c - for each set of variables and arguments: which sink, and why.
 */
#include <config.h>

#include "upload/sink_choice.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "unit.h"

static const char *const *environment;	/* name, value, ..., NULL */

static char *look_up(const char *name)
{
	for (const char *const *pair = environment; pair && *pair; pair += 2)
		if (!strcmp(*pair, name))
			return (char *)(uintptr_t)pair[1];
	return NULL;
}

static struct sink_choice choice;
static struct options options;

/* By variables, and one option by an argument. */
static void choose(const char *const *variables, enum option_id id, const char *argument)
{
	char problem[OPTION_PROBLEM_MAX];
	options_init(&options);
	if (argument)
		ck_assert_int_eq(options_set(&options, id, argument, OPTION_BY_ARGUMENT, problem), 0);
	environment = variables;
	options_from_environment(&options, look_up);
	sink_choose(&options, &choice);
}

START_TEST(sink_choice_follows_the_variables)
{
	static const struct {
		const char *variables[12];
		enum sink_kind kind;
		const char *why, *agent_url, *problem;
	} cases[] = {
		{{NULL}, SINK_FILE, "nothing names a server", "", ""},
		{{"DD_TRACE_AGENT_URL", "http://a:1"}, SINK_AGENT, "DD_TRACE_AGENT_URL is set", "http://a:1", ""},
		{{"DD_TRACE_AGENT_URL", "unix:///x.sock", "DD_AGENT_HOST", "b"}, SINK_AGENT, "DD_TRACE_AGENT_URL is set",
		 "unix:///x.sock", ""},
		{{"DD_AGENT_HOST", "b"}, SINK_AGENT, "DD_AGENT_HOST is set", "http://b:8126", ""},
		{{"DD_AGENT_HOST", "b", "DD_TRACE_AGENT_HOSTNAME", "c", "DD_AGENT_PORT", "1", "DD_TRACE_AGENT_PORT", "2"},
		 SINK_AGENT, "DD_TRACE_AGENT_HOSTNAME is set", "http://c:2", ""},
		{{"DD_AGENT_HOST", "fd00::1", "DD_AGENT_PORT", "7"}, SINK_AGENT, "DD_AGENT_HOST is set",
		 "http://[fd00::1]:7", ""},
		{{"DD_AGENT_HOST", "[fd00::1]"}, SINK_AGENT, "DD_AGENT_HOST is set", "http://[fd00::1]:8126", ""},
		{{"DD_TRACE_AGENT_PORT", "9"}, SINK_AGENT, "DD_TRACE_AGENT_PORT is set", "http://localhost:9", ""},
		{{"SNECK_AGENT_HOST", "b", "DD_TRACE_AGENT_URL", "http://a:1"}, SINK_AGENT, "SNECK_AGENT_HOST is set",
		 "http://b:8126", ""},
		{{"DD_PROFILING_AGENTLESS", "true", "DD_API_KEY", "k", "DD_AGENT_HOST", "b"}, SINK_INTAKE,
		 "DD_PROFILING_AGENTLESS is set", "", ""},
		{{"DD_PROFILING_AGENTLESS", "false", "DD_API_KEY", "k"}, SINK_FILE, "nothing names a server", "", ""},
		{{"DD_API_KEY", "k"}, SINK_FILE, "nothing names a server", "", ""},
		{{"DD_SERVICE", "shop"}, SINK_FILE,
		 "nothing names a server (DD_SERVICE is set: for an agent on this machine DD_AGENT_HOST=localhost is needed)", "", ""},
		{{"DD_TAGS", "a:b", "DD_ENV", "prod"}, SINK_FILE,
		 "nothing names a server (DD_ENV is set: for an agent on this machine DD_AGENT_HOST=localhost is needed)", "", ""},
		{{"SNECK_SERVICE", "shop"}, SINK_FILE, "nothing names a server", "", ""},
		{{"DD_PROFILING_AGENTLESS", "1", "DD_AGENT_HOST", "b"}, SINK_AGENT, "DD_AGENT_HOST is set", "http://b:8126",
		 "an upload without an agent takes an API key: set DD_API_KEY"},
		{{"PYROSCOPE_SERVER_ADDRESS", "http://p:4040", "DD_AGENT_HOST", "b"}, SINK_PYROSCOPE,
		 "PYROSCOPE_SERVER_ADDRESS is set", "", ""},
		{{"PYROSCOPE_SERVER_ADDRESS", "", "DD_AGENT_HOST", "b"}, SINK_AGENT, "DD_AGENT_HOST is set", "http://b:8126",
		 ""},
		{{"SNECK_AGENT_URL", "http://a:1", "PYROSCOPE_SERVER_ADDRESS", "http://p:4040"}, SINK_AGENT,
		 "SNECK_AGENT_URL is set", "http://a:1", ""},
		{{"DD_PROFILING_OUTPUT_PPROF", "/tmp/x", "DD_AGENT_HOST", "b", "PYROSCOPE_SERVER_ADDRESS", "http://p"},
		 SINK_FILE, "DD_PROFILING_OUTPUT_PPROF is set", "", ""},
		{{"DD_PROFILING_OUTPUT_PPROF", "/tmp/x", "SNECK_PYROSCOPE_URL", "http://p"}, SINK_PYROSCOPE,
		 "SNECK_PYROSCOPE_URL is set", "", ""},
		{{"SNECK_OUTPUT_DEFAULT", "/tmp/x/", "DD_AGENT_HOST", "b"}, SINK_AGENT, "DD_AGENT_HOST is set",
		 "http://b:8126", ""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		choose(cases[i].variables, 0, NULL);
		ck_assert_msg(choice.kind == cases[i].kind, "case %zu: %s", i, sink_kind_text(choice.kind));
		ck_assert_str_eq(choice.why, cases[i].why);
		ck_assert_str_eq(choice.agent_url, cases[i].agent_url);
		ck_assert_str_eq(choice.problem, cases[i].problem);
	}
}
END_TEST

START_TEST(sink_choice_hears_arguments_first)
{
	static const char *const all[] = {"SNECK_PYROSCOPE_URL", "http://p", "SNECK_OUTPUT", "x", "DD_AGENT_HOST", "b", NULL};
	choose(all, 0, NULL);
	ck_assert_int_eq(choice.kind, SINK_FILE);
	ck_assert_str_eq(choice.why, "SNECK_OUTPUT is set");
	choose(all, OPTION_agent_host, "c");
	ck_assert_int_eq(choice.kind, SINK_AGENT);
	ck_assert_str_eq(choice.agent_url, "http://c:8126");
	ck_assert_str_eq(choice.why, "agent_host is an argument of start()");
	choose(all, OPTION_pyroscope_url, "");		/* none, as far as arguments are concerned */
	ck_assert_int_eq(choice.kind, SINK_FILE);
	ck_assert_str_eq(choice.why, "SNECK_OUTPUT is set");
}
END_TEST

START_TEST(sink_choice_finds_the_agents_socket)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/sneck-choice-%d", (int)getpid());
	sink_default_socket = address.sun_path;
	FILE *file = fopen(address.sun_path, "w");
	fclose(file);
	choose(NULL, 0, NULL);
	ck_assert_int_eq(choice.kind, SINK_FILE);	/* a file is no socket */
	unlink(address.sun_path);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	choose(NULL, 0, NULL);
	ck_assert_int_eq(choice.kind, SINK_AGENT);
	ck_assert_str_eq(choice.agent_url + strlen("unix://"), address.sun_path);
	ck_assert_ptr_nonnull(strstr(choice.why, "is there"));
	choose(NULL, OPTION_output, "x");
	ck_assert_int_eq(choice.kind, SINK_FILE);
	close(fd);
	unlink(address.sun_path);
}
END_TEST

UNIT_TESTS("sink_choice", sink_choice_follows_the_variables, sink_choice_hears_arguments_first,
	   sink_choice_finds_the_agents_socket)
