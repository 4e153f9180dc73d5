/*
 * test_datadog_endpoint.c - addresses as people write them, and what is refused.
 */
#include <config.h>

#include "upload/datadog_endpoint.h"

#include <string.h>

#include "runtime/error.h"
#include "unit.h"

static char problem[256];

START_TEST(endpoint_of_an_agent)
{
	static const char *const cases[][4] = {
		{"http://localhost:8126", "http://localhost:8126/profiling/v1/input", NULL,
		 "http://localhost:8126/profiling/v1/input"},
		{"http://10.0.0.1:8126/", "http://10.0.0.1:8126/profiling/v1/input", NULL,
		 "http://10.0.0.1:8126/profiling/v1/input"},
		{"HTTPS://agent.example/base//", "HTTPS://agent.example/base/profiling/v1/input", NULL,
		 "HTTPS://agent.example/base/profiling/v1/input"},
		{"http://[::1]:8126", "http://[::1]:8126/profiling/v1/input", NULL, "http://[::1]:8126/profiling/v1/input"},
		{"http://me:secret@agent:1/x@y", "http://agent:1/x@y/profiling/v1/input", NULL,
		 "http://agent:1/x@y/profiling/v1/input"},
		{"unix:///var/run/datadog/apm.socket", "http://localhost/profiling/v1/input", "/var/run/datadog/apm.socket",
		 "unix:///var/run/datadog/apm.socket"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct datadog_endpoint endpoint;
		ck_assert_int_eq(datadog_endpoint_agent(&endpoint, cases[i][0], problem, sizeof(problem)), OK);
		ck_assert_str_eq(endpoint.url, cases[i][1]);
		ck_assert_pstr_eq(endpoint.unix_socket, cases[i][2]);
		ck_assert_str_eq(endpoint.target, cases[i][3]);
		datadog_endpoint_free(&endpoint);
	}
}
END_TEST

START_TEST(endpoint_of_a_url_with_a_password_has_it_in_a_header)
{
	static const char *const cases[][3] = {
		{"http://me:secret@agent:1/x", "Basic bWU6c2VjcmV0", "secret"},
		{"https://me:a%40b:c%2@agent", "Basic bWU6YUBiOmMlMg==", "a@b:c%2"},
		{"http://me@agent", "Basic bWU6", ""},
		{"http://@agent", NULL, NULL},
		{"http://agent/x@y", NULL, NULL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct datadog_endpoint endpoint;
		ck_assert_int_eq(datadog_endpoint_agent(&endpoint, cases[i][0], problem, sizeof(problem)), OK);
		ck_assert_pstr_eq(endpoint.authorization, cases[i][1]);
		ck_assert_pstr_eq(endpoint.password, cases[i][2]);
		ck_assert_str_eq(endpoint.url, endpoint.target);
		datadog_endpoint_free(&endpoint);
	}
}
END_TEST

START_TEST(endpoint_of_an_agent_that_makes_no_sense_is_refused_without_its_text)
{
	static const char *const cases[] = {
		"", "localhost:8126", "ftp://sesame@x", "http://", "http:///x", "http://:8126", "http://sesame@/x",
		"http://x?sesame", "http://x/#sesame", "http://x/y sesame", "http://x\r\nsesame: 1", "unix://sesame", "unix://",
		"windows:\\\\.\\pipe\\sesame",
	};
	char path[300] = "unix:///";
	struct datadog_endpoint endpoint;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		ck_assert_msg(datadog_endpoint_agent(&endpoint, cases[i], problem, sizeof(problem)) == ERR_INVALID, "%s", cases[i]);
		ck_assert_ptr_null(strstr(problem, "sesame"));
		ck_assert_ptr_nonnull(strstr(problem, "agent") ? problem : strstr(problem, "URL"));
		ck_assert_ptr_null(endpoint.url);
	}
	memset(path + 8, 'x', 107);
	ck_assert_int_eq(datadog_endpoint_agent(&endpoint, path, problem, sizeof(problem)), ERR_INVALID);
	path[114] = '\0';
	ck_assert_int_eq(datadog_endpoint_agent(&endpoint, path, problem, sizeof(problem)), OK);
	datadog_endpoint_free(&endpoint);
}
END_TEST

START_TEST(endpoint_of_a_site_is_its_intake_and_nobody_elses)
{
	static const char *const bad[] = {
		"https://app.datadoghq.com", "datadoghq.com/x", "evil@x.com", "x.com:", "x.com:1234567", "x.com:1/", "x.com:a", ":1", "x.com?", "datadoghq.com\n",
		"a..b", ".com", "d\xc3\xa4ta.com", "x.com ",
	};
	static const char *const good[][2] = {
		{NULL, "https://intake.profile.datadoghq.com/api/v2/profile"},
		{"", "https://intake.profile.datadoghq.com/api/v2/profile"},
		{"datadoghq.eu", "https://intake.profile.datadoghq.eu/api/v2/profile"},
		{"us3.datadoghq.com", "https://intake.profile.us3.datadoghq.com/api/v2/profile"},
		{"localhost:8443", "https://intake.profile.localhost:8443/api/v2/profile"},
		{"ddog-gov.com", "https://intake.profile.ddog-gov.com/api/v2/profile"},
	};
	struct datadog_endpoint endpoint;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ck_assert_msg(datadog_endpoint_intake(&endpoint, bad[i], problem, sizeof(problem)) == ERR_INVALID, "%s", bad[i]);
		ck_assert_ptr_nonnull(strstr(problem, "DD_SITE"));
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		ck_assert_int_eq(datadog_endpoint_intake(&endpoint, good[i][0], problem, sizeof(problem)), OK);
		ck_assert_str_eq(endpoint.url, good[i][1]);
		ck_assert_str_eq(endpoint.target, good[i][1]);
		ck_assert_ptr_null(endpoint.unix_socket);
		datadog_endpoint_free(&endpoint);
	}
}
END_TEST

START_TEST(endpoint_of_a_relay_takes_the_key_over_tls_alone)
{
	static const char *const bad[] = {"http://relay.example/x", "http://localhost.example/x", "http://localhost@example/x",
		"http://127.0.0.1:1@example/", "unix:///x", "relay", ""};
	static const char *const good[] = {"https://relay.example/api/v2/profile", "http://localhost:80/api/v2/profile",
		"http://127.0.0.1:8080/x", "http://[::1]/x"};
	struct datadog_endpoint endpoint;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_msg(datadog_endpoint_relay(&endpoint, bad[i], problem, sizeof(problem)) == ERR_INVALID, "%s", bad[i]);
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		ck_assert_int_eq(datadog_endpoint_relay(&endpoint, good[i], problem, sizeof(problem)), OK);
		ck_assert_str_eq(endpoint.url, good[i]);
		datadog_endpoint_free(&endpoint);
	}
}
END_TEST

UNIT_TESTS("datadog_endpoint", endpoint_of_an_agent, endpoint_of_a_url_with_a_password_has_it_in_a_header,
	   endpoint_of_an_agent_that_makes_no_sense_is_refused_without_its_text,
	   endpoint_of_a_site_is_its_intake_and_nobody_elses, endpoint_of_a_relay_takes_the_key_over_tls_alone)
