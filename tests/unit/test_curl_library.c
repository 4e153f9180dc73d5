/*
 * test_curl_library.c - what is said where there is nothing to load, and that another try may be made.
 *
 * That it does load is for tests/upload/test_curl.py: beside a unit test there is nothing.
 */
#include <config.h>

#include "upload/curl_library.h"

#include <stdio.h>
#include <string.h>

#include "runtime/clocks.h"
#include "runtime/error.h"
#include "runtime/log.h"
#include "unit.h"
#include "upload/http.h"

START_TEST(curl_library_says_what_is_missing_and_what_to_do)
{
	char problem[CURL_LIBRARY_PROBLEM_MAX] = "";
	for (int time = 0; time < 2; time++) {
		ck_assert_ptr_null(curl_library_load(problem));
		ck_assert_msg(strstr(problem, "install sneck again") == problem, "%s", problem);
		ck_assert_ptr_nonnull(strstr(problem, "/"));
		problem[0] = '\0';
	}
}
END_TEST

START_TEST(curl_library_gives_the_table_of_a_program_that_has_one)
{
	char problem[CURL_LIBRARY_PROBLEM_MAX];
	curl_library_linked = &sneck_curl_calls;
	ck_assert_ptr_eq(curl_library_load(problem), &sneck_curl_calls);
	ck_assert(sneck_curl_calls.easy_setopt == (curl_easy_setopt));
	ck_assert(sneck_curl_calls.slist_free_all == curl_slist_free_all);
}
END_TEST

START_TEST(http_without_its_library_fails_with_a_sentence_and_works_once_it_is_there)
{
	char problem[HTTP_PROBLEM_MAX] = "";
	struct http_response response;
	struct http_request request = {.url = "http://127.0.0.1:1/", .body = "x", .body_size = 1, .timeout_ns = 1000000000};
	http_cancel_at(clock_now_ns() + INT64_C(60000000000));
	ck_assert_int_eq(http_init(problem), ERR_IO);
	ck_assert_str_ne(problem, "");
	ck_assert_int_eq(http_post(&request, &response), ERR_IO);
	ck_assert_str_eq(response.error, problem);
	ck_assert_int_eq(response.status, 0);
	http_cancel();
	http_allow();
	http_prefork();
	http_postfork_parent();
	http_prefork();
	http_postfork_child();
	curl_library_linked = &sneck_curl_calls;
	ck_assert_int_eq(http_init(problem), OK);
	ck_assert_int_eq(http_post(&request, &response), ERR_IO);	/* nobody listens there */
	ck_assert_str_ne(response.error, problem);
}
END_TEST

static char line[LOG_LINE_MAX];

static void note_line(const char *text, size_t size)
{
	snprintf(line, sizeof(line), "%.*s", (int)size, text);
}

static curl_version_info_data *without_a_resolver(CURLversion wanted)
{
	static curl_version_info_data data;
	data = *curl_version_info(wanted);
	data.features &= ~CURL_VERSION_ASYNCHDNS;
	return &data;
}

START_TEST(http_says_where_libcurl_would_wait_for_a_name_server)
{
	char problem[HTTP_PROBLEM_MAX];
	struct curl_calls calls = sneck_curl_calls;
	log_writer = note_line;
	calls.version_info = without_a_resolver;
	curl_library_linked = &calls;
	ck_assert_int_eq(http_init(problem), OK);
	ck_assert_ptr_nonnull(strstr(line, "a fork may have to wait for the name server"));
}
END_TEST

UNIT_TESTS("curl_library", curl_library_says_what_is_missing_and_what_to_do,
	   curl_library_gives_the_table_of_a_program_that_has_one,
	   http_without_its_library_fails_with_a_sentence_and_works_once_it_is_there,
	   http_says_where_libcurl_would_wait_for_a_name_server)
