/*
 * test_http.c - what is sent, what is made of each kind of answer, and how long it takes.
 *
 * The server is a thread with real sockets, one connection a test.
 */
#include <config.h>

#include "upload/http.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "linked_curl.h"
#include "runtime/clocks.h"
#include "runtime/error.h"
#include "unit.h"

#define MS INT64_C(1000000)

static struct server {
	int listener;
	const char *answer;	/* NULL: none ever */
	bool resets, stays, may_be_cut_off;
	char request[65536];
	char url[64];
	pthread_t thread;
} server;

/* The request has come when its last words have. */
static void take_request(int fd, const char *last)
{
	size_t size = 0;
	ssize_t n;
	while (!strstr(server.request, last) &&
	       (n = read(fd, server.request + size, sizeof(server.request) - 1 - size)) > 0)
		size += (size_t)n;
}

static void say(int fd, const char *answer)
{
	for (size_t left = strlen(answer); left;) {
		ssize_t n = write(fd, answer, left);
		if (n < 0 && server.may_be_cut_off)
			return;
		ck_assert_int_gt(n, 0);
		answer += n;
		left -= (size_t)n;
	}
}

static void *serve(void *last)
{
	int fd = accept(server.listener, NULL, NULL);
	take_request(fd, last);
	if (server.resets)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
	else if (server.answer)
		say(fd, server.answer);
	if (server.stays || (!server.resets && !server.answer))
		while (read(fd, server.request, 1) > 0)		/* until the client has enough */
			;
	close(fd);
	return NULL;
}

static void listen_to(int family, const struct sockaddr *address, socklen_t size)
{
	server.listener = socket(family, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(server.listener, address, size), 0);
	ck_assert_int_eq(listen(server.listener, 1), 0);
}

static void start(const char *answer, const char *last)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	memset(&server, 0, sizeof(server));
	server.answer = answer;
	listen_to(AF_INET, (struct sockaddr *)&address, sizeof(address));
	getsockname(server.listener, (struct sockaddr *)&address, &size);
	snprintf(server.url, sizeof(server.url), "http://127.0.0.1:%d/profiling/v1/input", ntohs(address.sin_port));
	ck_assert_int_eq(pthread_create(&server.thread, NULL, serve, (void *)last), 0);
}

static void finish(void)
{
	pthread_join(server.thread, NULL);
	close(server.listener);
}

static struct http_request request_of(const char *body)
{
	return (struct http_request){.url = server.url, .body = body, .body_size = strlen(body),
				     .content_type = "text/plain", .timeout_ns = 5000 * MS};
}

static int post(const char *answer, struct http_response *response)
{
	start(answer, "the body");
	struct http_request request = request_of("the body");
	int error = http_post(&request, response);
	finish();
	return error;
}

START_TEST(http_sends_headers_and_body_and_reads_the_answer)
{
	struct http_response response;
	start("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfi\nne", "the body");
	const struct http_header headers[] = {{"DD-One", "1"}, {"DD-Empty", ""}};
	struct http_request request = request_of("the body");
	request.headers = headers;
	request.n_headers = 2;
	ck_assert_int_eq(http_post(&request, &response), OK);
	finish();
	ck_assert_int_eq(response.status, 200);
	ck_assert_str_eq(response.body, "fi ne");
	ck_assert_int_eq(response.retry_after_ns, 0);
	ck_assert(strstr(server.request, "POST /profiling/v1/input HTTP/1.1\r\n") == server.request);
	ck_assert(strstr(server.request, "\r\nDD-One: 1\r\n") != NULL);
	ck_assert(strstr(server.request, "\r\nDD-Empty:\r\n") != NULL);
	ck_assert(strstr(server.request, "\r\nConnection: close\r\n") != NULL);
	ck_assert(strstr(server.request, "\r\nContent-Length: 8\r\n") != NULL);
	ck_assert(strstr(server.request, "Expect") == NULL);
}
END_TEST

START_TEST(http_sends_a_form)
{
	struct http_response response;
	const struct http_part parts[] = {
		{.name = "event", .filename = "event.json", .content_type = "application/json", .data = "{}", .size = 2},
		{.name = "p", .filename = "p.pprof", .data = "\1\2three", .size = 7},
	};
	start("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", "three");
	struct http_request request = {.url = server.url, .parts = parts, .n_parts = 2, .timeout_ns = 5000 * MS};
	ck_assert_int_eq(http_post(&request, &response), OK);
	finish();
	ck_assert_int_eq(response.status, 202);
	ck_assert(strstr(server.request, "Content-Type: multipart/form-data; boundary=") != NULL);
	ck_assert(strstr(server.request, "form-data; name=\"event\"; filename=\"event.json\"\r\n"
		  "Content-Type: application/json\r\n\r\n{}\r\n") != NULL);
	ck_assert(strstr(server.request, "\r\n\r\n\1\2three\r\n") != NULL);
}
END_TEST

START_TEST(http_goes_through_a_unix_socket)
{
	struct http_response response;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	memset(&server, 0, sizeof(server));
	server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/sneck-test-http.%d", (int)getpid());
	listen_to(AF_UNIX, (struct sockaddr *)&address, sizeof(address));
	pthread_create(&server.thread, NULL, serve, (void *)"the body");
	struct http_request request = request_of("the body");
	request.url = "http://localhost/profiling/v1/input";
	request.unix_socket = address.sun_path;
	ck_assert_int_eq(http_post(&request, &response), OK);
	ck_assert_int_eq(response.status, 200);
	finish();
	unlink(address.sun_path);
	ck_assert_int_eq(http_post(&request, &response), ERR_IO);	/* gone: and it says so */
	ck_assert_str_ne(response.error, "");
}
END_TEST

START_TEST(http_tells_how_long_to_leave_the_server_alone)
{
	struct http_response response;
	ck_assert_int_eq(post("HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", &response), OK);
	ck_assert_int_eq(response.status, 429);
	ck_assert_int_eq(response.retry_after_ns, 7000 * MS);
}
END_TEST

START_TEST(http_takes_an_answer_that_breaks_off_for_what_its_head_says)
{
	struct http_response response;
	ck_assert_int_eq(post("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nno", &response), OK);
	ck_assert_int_eq(response.status, 200);
}
END_TEST

START_TEST(http_says_why_no_answer_came)
{
	struct http_response response;
	ck_assert_int_eq(post("this is not HTTP\r\n\r\n", &response), ERR_IO);
	ck_assert_int_eq(response.status, 0);
	ck_assert_str_ne(response.error, "");
	start(NULL, "the body");
	server.resets = true;
	struct http_request request = request_of("the body");
	ck_assert_int_eq(http_post(&request, &response), ERR_IO);
	finish();
	ck_assert_int_eq(http_post(&request, &response), ERR_IO);	/* nobody listens any more */
	request.url = "ftp://127.0.0.1/";
	ck_assert_int_eq(http_post(&request, &response), ERR_IO);
}
END_TEST

START_TEST(http_keeps_its_deadline)
{
	struct http_response response;
	start(NULL, "the body");
	struct http_request request = request_of("the body");
	request.timeout_ns = 200 * MS;
	int64_t began_ns = clock_now_ns();
	ck_assert_int_eq(http_post(&request, &response), ERR_TIMEOUT);
	ck_assert_int_ge(clock_now_ns() - began_ns, 190 * MS);
	ck_assert_int_lt(clock_now_ns() - began_ns, 3000 * MS);
	finish();
}
END_TEST

/* As at the end of a program, where there may be no other thread to cancel by. */
START_TEST(http_is_cancelled_at_a_time_set_before)
{
	struct http_response response;
	start(NULL, "the body");
	struct http_request request = request_of("the body");
	request.timeout_ns = 60000 * MS;
	int64_t began_ns = clock_now_ns();
	http_cancel_at(began_ns + 100 * MS);
	ck_assert_int_eq(http_post(&request, &response), ERR_CANCELLED);
	ck_assert_int_ge(clock_now_ns() - began_ns, 100 * MS);
	ck_assert_int_lt(clock_now_ns() - began_ns, 3000 * MS);
	finish();
	http_allow();
}
END_TEST

static void *cancel_soon(void *unused)
{
	usleep(100000);
	http_cancel();
	return unused;
}

START_TEST(http_is_cancelled_at_once_until_allowed_again)
{
	struct http_response response;
	pthread_t canceller;
	start(NULL, "the body");
	struct http_request request = request_of("the body");
	pthread_create(&canceller, NULL, cancel_soon, NULL);
	int64_t began_ns = clock_now_ns();
	ck_assert_int_eq(http_post(&request, &response), ERR_CANCELLED);
	ck_assert_int_lt(clock_now_ns() - began_ns, 3000 * MS);
	pthread_join(canceller, NULL);
	finish();
	ck_assert_int_eq(http_post(&request, &response), ERR_CANCELLED);
	http_allow();
	ck_assert_int_eq(http_post(&request, &response), ERR_IO);
}
END_TEST

/* A date is turned into seconds from now; one that is past is none. */
START_TEST(http_takes_a_date_to_be_left_alone_until)
{
	struct http_response response;
	char answer[256];
	time_t then = time(NULL) + 120;
	struct tm parts;
	strftime(answer, sizeof(answer), "HTTP/1.1 503 Busy\r\nRetry-After: %a, %d %b %Y %H:%M:%S GMT\r\n"
		 "Content-Length: 0\r\n\r\n", gmtime_r(&then, &parts));
	ck_assert_int_eq(post(answer, &response), OK);
	ck_assert_int_eq(response.status, 503);
	ck_assert_int_gt(response.retry_after_ns, 60000 * MS);
	ck_assert_int_le(response.retry_after_ns, 120000 * MS);
	ck_assert_int_eq(post("HTTP/1.1 503 Busy\r\nRetry-After: Thu, 01 Jan 2015 00:00:00 GMT\r\n"
			      "Content-Length: 0\r\n\r\n", &response), OK);
	ck_assert_int_eq(response.retry_after_ns, 0);
	ck_assert_int_eq(post("HTTP/1.1 503 Busy\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n", &response), OK);
	ck_assert_int_eq(response.retry_after_ns, 0);
}
END_TEST

/* The server says no more after this, and does not close. */
START_TEST(http_does_not_wait_for_the_rest_of_an_answer)
{
	struct http_response response;
	int64_t began_ns = clock_now_ns();
	start("HTTP/1.1 403 No\r\nContent-Length: 99\r\n\r\nwrong key", "the body");
	server.stays = true;
	struct http_request request = request_of("the body");
	request.timeout_ns = 60000 * MS;
	ck_assert_int_eq(http_post(&request, &response), OK);
	ck_assert_int_lt(clock_now_ns() - began_ns, 30000 * MS);
	finish();
	ck_assert_int_eq(response.status, 403);
	ck_assert_str_eq(response.body, "wrong key");
}
END_TEST

START_TEST(http_takes_no_more_of_an_answer_than_it_needs)
{
	struct http_response response;
	size_t size = 8 << 20;
	char *answer = malloc(size + 1);
	memset(answer, 'x', size);
	answer[size] = '\0';
	static const char head[] = "HTTP/1.1 500 Oops\r\nContent-Length: 9999999999999\r\n\r\n";
	memcpy(answer, head, sizeof(head) - 1);
	signal(SIGPIPE, SIG_IGN);	/* the server's: it may be cut off */
	start(answer, "the body");
	server.may_be_cut_off = true;
	struct http_request request = request_of("the body");
	ck_assert_int_eq(http_post(&request, &response), OK);
	finish();
	ck_assert_int_eq(response.status, 500);
	ck_assert_uint_eq(strlen(response.body), sizeof(response.body) - 1);
	free(answer);
}
END_TEST

START_TEST(http_goes_where_it_was_told_to_and_nowhere_else)
{
	struct http_response response;
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	ck_assert_int_eq(post("HTTP/1.1 302 Away\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
			      &response), OK);
	ck_assert_int_eq(response.status, 302);
}
END_TEST

START_TEST(http_does_not_tell_a_key_that_the_server_told_back)
{
	struct http_response response;
	start("HTTP/1.1 403 No\r\nContent-Length: 48\r\n\r\nbad request: dd-api-key: 0123456789abcdef, sorry.", "the body");
	const struct http_header headers[] = {{"dd-api-key", "0123456789abcdef"}, {"DD-EVP-ORIGIN", "sorry"}};
	struct http_request request = request_of("the body");
	request.headers = headers;
	request.n_headers = 2;
	ck_assert_int_eq(http_post(&request, &response), OK);
	finish();
	ck_assert_str_eq(response.body, "bad request: dd-api-key: ****************, sorry");
}
END_TEST

START_TEST(http_does_not_tell_a_password_that_the_server_told_back)
{
	struct http_response response;
	start("HTTP/1.1 403 No\r\nContent-Length: 35\r\n\r\n"
	      "Basic bWU6w7xi, which is me:\xc3\xbc""b, \xc3\xbc", "the body");
	const struct http_header header = {"Authorization", "Basic bWU6w7xi"};
	struct http_request request = request_of("the body");
	request.headers = &header;
	request.n_headers = 1;
	request.password = "\xc3\xbc""b";
	ck_assert_int_eq(http_post(&request, &response), OK);
	finish();
	ck_assert_str_eq(response.body, "Basic ********, which is me:***, **");
}
END_TEST

START_TEST(http_refuses_to_inject_headers)
{
	struct http_response response;
	const struct http_header bad = {"DD-Tag", "x\r\nEvil: 1"};
	struct http_request request = {.url = "http://127.0.0.1:1/", .headers = &bad, .n_headers = 1, .timeout_ns = MS};
	ck_assert_int_eq(http_post(&request, &response), ERR_INVALID);
}
END_TEST

static void *post_once(void *response)
{
	struct http_request request = request_of("the body");
	request.timeout_ns = 2000 * MS;
	http_post(&request, response);
	return NULL;
}

/* The child closes its copy of the connection, and may post by itself. */
START_TEST(http_call_goes_on_in_the_parent_of_a_fork)
{
#ifndef __SANITIZE_THREAD__
	struct http_response response;
	pthread_t poster;
	start(NULL, "the body");
	pthread_create(&poster, NULL, post_once, &response);
	usleep(200000);
	http_prefork();
	pid_t child = fork();
	if (child == 0) {
		http_postfork_child();
		struct http_request request = request_of("x");
		request.url = "http://127.0.0.1:1/";
		_exit(http_post(&request, &response) == ERR_IO ? 0 : 1);
	}
	http_postfork_parent();
	int status;
	waitpid(child, &status, 0);
	ck_assert_int_eq(status, 0);
	http_cancel();
	pthread_join(poster, NULL);
	http_allow();
	finish();		/* the server saw the connection close: no copy is left */
#endif
}
END_TEST

UNIT_TESTS("http", http_sends_headers_and_body_and_reads_the_answer, http_sends_a_form, http_goes_through_a_unix_socket,
	   http_tells_how_long_to_leave_the_server_alone, http_takes_an_answer_that_breaks_off_for_what_its_head_says,
	   http_says_why_no_answer_came, http_keeps_its_deadline, http_is_cancelled_at_a_time_set_before,
	   http_is_cancelled_at_once_until_allowed_again,
	   http_takes_a_date_to_be_left_alone_until, http_does_not_wait_for_the_rest_of_an_answer,
	   http_takes_no_more_of_an_answer_than_it_needs, http_goes_where_it_was_told_to_and_nowhere_else,
	   http_does_not_tell_a_key_that_the_server_told_back,
	   http_does_not_tell_a_password_that_the_server_told_back, http_refuses_to_inject_headers,
	   http_call_goes_on_in_the_parent_of_a_fork)
