/*
 * http.c - a POST as a loop of short steps: libcurl works without ever blocking, then waits.
 *
 *     loop:  [http_lock] curl_multi_perform    computes, never blocks
 *            curl_multi_poll                   waits for the network, the deadline or a wake-up
 *
 * So a fork, which takes http_lock, waits for a step and never for the network, and no child
 * ever inherits libcurl or its TLS library in the middle of a change.  Steps take some microseconds, but
 * of a call by https one reads the system's certificates: 25 to 50 ms for 140 of them (libcurl 7.88,
 * OpenSSL 3.0).  A handle that is kept between calls remembers them, and keeps descriptors open that the
 * program may close and make its own: so none is.
 *
 * Names are looked up by a thread of libcurl's; numeric addresses and localhost need none.  It
 * is left behind when the deadline passes first (CURLOPT_QUICK_EXIT; before libcurl 7.87 it is
 * waited for, as long as the resolver's own timeouts are).
 *
 * The head of an answer decides.  Its body is for the user's eyes, so a server that trickles it
 * is not listened to for longer than a moment.
 *
 * Locking: http_lock (LOCK_RANK_HTTP) guards libcurl, which is loaded under it, and `call`.
 * Fork:    the parent's call goes on.  The child forgets it, and closes its copy of the
 *          connection: otherwise the server would not see the parent close it.  It is known
 *          to be ours, as no one can have closed it while http_lock was held.
 */
#include <config.h>

#include "upload/http.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/clocks.h"
#include "runtime/error.h"
#include "runtime/fork.h"
#include "runtime/log.h"
#include "runtime/mutex.h"
#include "upload/broken_pipe.h"
#include "upload/curl_library.h"
#include "upload/multi_handle.h"
#include "upload/redact.h"

/* Of an answer's body more than this is not taken in: an intake's is a few words. */
static const size_t answer_bytes_max = 1 << 20;

/* For the rest of an answer whose status is known. */
static const int64_t rest_ns = INT64_C(1000000000);

enum { SOCKETS_MAX = 8 };	/* of one call: some may race for the first connection; libcurl's own */

struct call {
	CURLM *multi;
	CURL *easy;
	curl_mime *form;
	struct curl_slist *headers;
	struct http_response *response;
	size_t answer_bytes, kept_bytes;
	int64_t answered_ns;	/* when its status was first seen, or 0 */
	char curl_error[CURL_ERROR_SIZE];
};

static struct mutex http_lock SNECK_AT_FORK = MUTEX_INITIALIZER(LOCK_RANK_HTTP);
static const struct curl_calls *curl;	/* NULL until it is loaded and initialised; then as it is, for good */
static struct call *call SNECK_AT_FORK;		/* the one under way; NULL between calls, and without libcurl */
static int sockets[SOCKETS_MAX] SNECK_AT_FORK;	/* of that call: descriptor + 1, or 0 */
static int64_t cancelled_from_ns SNECK_AT_FORK = INT64_MAX;
static char trusted[4096];		/* a file of certificates; "": the system's */

/* ---- what libcurl calls back --------------------------------------------------------------- */

static size_t keep_answer(char *data, size_t unit, size_t n, void *context)
{
	struct call *self = context;
	size_t size = unit * n, room = sizeof(self->response->body) - 1;
	for (size_t i = 0; i < size && self->kept_bytes < room; i++)
		self->response->body[self->kept_bytes++] = data[i] ? data[i] : ' ';
	self->answer_bytes += size;
	return self->answer_bytes > answer_bytes_max ? 0 : size;
}

/* Those the child of a fork has to close. */
static void remember_socket(int fd)
{
	for (size_t i = 0; fd >= 0 && i < SOCKETS_MAX; i++)
		if (!sockets[i]) {
			sockets[i] = fd + 1;
			return;
		}
}

static curl_socket_t open_socket(void *unused, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void)unused, (void)purpose;
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	remember_socket(fd);
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static int close_socket(void *unused, curl_socket_t fd)
{
	(void)unused;
	for (size_t i = 0; i < SOCKETS_MAX; i++)
		if (sockets[i] == fd + 1)
			sockets[i] = 0;
	return close(fd);
}

/* ---- one request as libcurl wants it ------------------------------------------------------- */

static bool is_clean(const char *text)
{
	for (; *text; text++)
		if (iscntrl((unsigned char)*text))
			return false;
	return true;
}

static int add_header(struct call *self, const char *name, const char *value)
{
	char *line = NULL;
	if (!is_clean(name) || !is_clean(value))
		return ERR_INVALID;
	/* a header without a value is written with a semicolon; with a bare colon libcurl removes it */
	if (asprintf(&line, *value ? "%s: %s" : "%s;", name, value) < 0)
		return ERR_NOMEM;
	struct curl_slist *longer = curl->slist_append(self->headers, line);
	free(line);
	if (!longer)
		return ERR_NOMEM;
	self->headers = longer;
	return OK;
}

/* "Expect:" takes libcurl's own away: it would wait a second for servers that do not know it. */
static int add_headers(struct call *self, const struct http_request *request)
{
	self->headers = curl->slist_append(NULL, "Expect:");
	int error = self->headers ? add_header(self, "Connection", "close") : ERR_NOMEM;
	for (size_t i = 0; !error && i < request->n_headers; i++)
		error = add_header(self, request->headers[i].name, request->headers[i].value);
	if (!error && !request->n_parts && request->content_type)
		error = add_header(self, "Content-Type", request->content_type);
	return error;
}

/* What is left to be read of a part. */
struct reader {
	const char *data;
	size_t size, at;
};

static size_t read_part(char *to, size_t unit, size_t n, void *context)
{
	struct reader *reader = context;
	size_t room = unit * n, left = reader->size - reader->at, size = left < room ? left : room;
	memcpy(to, reader->data + reader->at, size);
	reader->at += size;
	return size;
}

static int seek_part(void *context, curl_off_t offset, int origin)
{
	struct reader *reader = context;
	if (origin != SEEK_SET || offset < 0 || (size_t)offset > reader->size)
		return CURL_SEEKFUNC_CANTSEEK;
	reader->at = (size_t)offset;
	return CURL_SEEKFUNC_OK;
}

/* curl_mime_data() would copy the whole profile. */
static bool lend_data(curl_mimepart *made, const struct http_part *part)
{
	struct reader *reader = malloc(sizeof(*reader));
	if (!reader)
		return false;
	*reader = (struct reader){.data = part->data, .size = part->size};
	if (curl->mime_data_cb(made, (curl_off_t)part->size, read_part, seek_part, free, reader) == CURLE_OK)
		return true;
	free(reader);
	return false;
}

static int add_part(struct call *self, const struct http_part *part)
{
	curl_mimepart *made = curl->mime_addpart(self->form);
	if (!made || curl->mime_name(made, part->name) || !lend_data(made, part) ||
	    (part->filename && curl->mime_filename(made, part->filename)) ||
	    (part->content_type && curl->mime_type(made, part->content_type)))
		return ERR_NOMEM;
	return OK;
}

static int add_body(struct call *self, const struct http_request *request)
{
	if (!request->n_parts) {
		CURL_SETOPT(curl, self->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_size);
		CURL_SETOPT(curl, self->easy, CURLOPT_POSTFIELDS, request->body_size ? request->body : "");
		return OK;
	}
	self->form = curl->mime_init(self->easy);
	int error = self->form ? OK : ERR_NOMEM;
	for (size_t i = 0; !error && i < request->n_parts; i++)
		error = add_part(self, &request->parts[i]);
	CURL_SETOPT(curl, self->easy, CURLOPT_MIMEPOST, self->form);
	return error;
}

static void set_protocols(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	CURL_SETOPT(curl, easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	CURL_SETOPT(curl, easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
	CURL_SETOPT(curl, easy, CURLOPT_QUICK_EXIT, 1L);
#endif
}

static void set_options(struct call *self, const struct http_request *request)
{
	CURL *easy = self->easy;
	set_protocols(easy);
	CURL_SETOPT(curl, easy, CURLOPT_NOSIGNAL, 1L);
	CURL_SETOPT(curl, easy, CURLOPT_PROXY, "");		/* of the program's, not ours */
	CURL_SETOPT(curl, easy, CURLOPT_USERAGENT, PACKAGE_NAME "/" PACKAGE_VERSION);
	CURL_SETOPT(curl, easy, CURLOPT_URL, request->url);
	CURL_SETOPT(curl, easy, CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
	CURL_SETOPT(curl, easy, CURLOPT_SSL_VERIFYPEER, 1L);
	CURL_SETOPT(curl, easy, CURLOPT_SSL_VERIFYHOST, 2L);
	if (*trusted)
		CURL_SETOPT(curl, easy, CURLOPT_CAINFO, trusted);
	CURL_SETOPT(curl, easy, CURLOPT_FOLLOWLOCATION, 0L);	/* or the key goes to somebody else */
	CURL_SETOPT(curl, easy, CURLOPT_HTTPHEADER, self->headers);
	CURL_SETOPT(curl, easy, CURLOPT_TIMEOUT_MS, (long)((request->timeout_ns + 999999) / 1000000));
	CURL_SETOPT(curl, easy, CURLOPT_ERRORBUFFER, self->curl_error);
	CURL_SETOPT(curl, easy, CURLOPT_WRITEFUNCTION, keep_answer);
	CURL_SETOPT(curl, easy, CURLOPT_WRITEDATA, self);
	CURL_SETOPT(curl, easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	CURL_SETOPT(curl, easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
}

/* Lock held. */
static bool is_cancelled(void)
{
	return cancelled_from_ns != INT64_MAX && clock_now_ns() >= cancelled_from_ns;
}

/* ---- the call ------------------------------------------------------------------------------ */

/* Lock held. */
static int begin(struct call *self, const struct http_request *request)
{
	if (is_cancelled())
		return ERR_CANCELLED;
	int wake_ups[2];
	self->multi = multi_handle_new(curl, wake_ups);
	remember_socket(wake_ups[0]);
	remember_socket(wake_ups[1]);
	self->easy = curl->easy_init();
	if (!self->multi || !self->easy)
		return ERR_NOMEM;
	int error = add_headers(self, request);
	if (!error)
		error = add_body(self, request);
	if (error)
		return error;
	set_options(self, request);
	if (curl->multi_add_handle(self->multi, self->easy))
		return ERR_NOMEM;
	call = self;
	return OK;
}

/* Lock held. */
static void end(struct call *self)
{
	call = NULL;
	if (self->multi && self->easy)
		curl->multi_remove_handle(self->multi, self->easy);
	curl->easy_cleanup(self->easy);
	curl->multi_cleanup(self->multi);
	curl->mime_free(self->form);
	curl->slist_free_all(self->headers);
	memset(sockets, 0, sizeof(sockets));
}

/* Is there an answer, though not all of it, and has there been for a while? */
static bool has_heard_enough(struct call *self)
{
	long status = 0;
	CURL_GETINFO(curl, self->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200)
		return false;
	if (!self->answered_ns)
		self->answered_ns = clock_now_ns();
	return clock_now_ns() - self->answered_ns >= rest_ns;
}

/* libcurl's verdict, or -1 while it is at it.  Lock held. */
static int step(struct call *self)
{
	int running = 0, left;
	if (curl->multi_perform(self->multi, &running))
		return CURLE_FAILED_INIT;
	const CURLMsg *message = curl->multi_info_read(self->multi, &left);
	if (message)
		return (int)message->data.result;
	return has_heard_enough(self) ? (int)CURLE_OK : -1;
}

/* The answer counts, even one that broke off after its head: the server has decided. */
static int verdict(struct call *self, int result)
{
	long status = 0;
	curl_off_t retry_after_s = 0;
	CURL_GETINFO(curl, self->easy, CURLINFO_RESPONSE_CODE, &status);
	CURL_GETINFO(curl, self->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
	if (retry_after_s > 0)		/* a date that is past comes out negative */
		self->response->retry_after_ns = (retry_after_s < 86400 ? retry_after_s : 86400) * INT64_C(1000000000);
	self->response->status = (int)status;
	if (status >= 200)
		return OK;
	const char *why = *self->curl_error ? self->curl_error : curl->easy_strerror((CURLcode)result);
	snprintf(self->response->error, sizeof(self->response->error), "%s", result ? why : "it gave no answer");
	return result == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_IO;
}

/* No longer than until a cancel; libcurl knows of its own deadlines.  Lock held. */
static int patience_ms(void)
{
	int64_t left_ms = cancelled_from_ns == INT64_MAX ? 1000 : (cancelled_from_ns - clock_now_ns()) / 1000000 + 1;
	return left_ms < 1000 ? (int)left_ms : 1000;
}

/* Lock held, and given up while waiting. */
static int run(struct call *self)
{
	for (;;) {
		if (is_cancelled()) {
			snprintf(self->response->error, sizeof(self->response->error), "given up at the program's end");
			return ERR_CANCELLED;
		}
		int result = step(self);
		if (result >= 0)
			return verdict(self, result);
		int wait_ms = patience_ms();
		mutex_unlock(&http_lock);
		curl->multi_poll(self->multi, NULL, 0, wait_ms, NULL);
		mutex_lock(&http_lock);
	}
}

static int init_locked(char problem[HTTP_PROBLEM_MAX])
{
	_Static_assert((int)HTTP_PROBLEM_MAX >= (int)CURL_LIBRARY_PROBLEM_MAX, "a library's problem is ours");
	if (curl)
		return OK;
	const struct curl_calls *loaded = curl_library_load(problem);
	if (!loaded)
		return ERR_IO;
	if (loaded->global_init(CURL_GLOBAL_DEFAULT)) {
		snprintf(problem, HTTP_PROBLEM_MAX, "libcurl could not be initialised");
		return ERR_NOMEM;
	}
	curl = loaded;
	return OK;
}

/* Without a thread for it, libcurl waits for the name server in a step. */
static bool blocks_for_names(void)
{
	return !(curl->version_info(CURLVERSION_NOW)->features & CURL_VERSION_ASYNCHDNS);
}

int http_init(char problem[HTTP_PROBLEM_MAX])
{
	mutex_lock(&http_lock);
	int error = init_locked(problem);
	mutex_unlock(&http_lock);
	if (!error && blocks_for_names())
		log_once("names", "libcurl looks up names without a thread here, so a fork may have to wait for the name server: "
			 "give the server's address as a number");
	return error;
}

/*
 * By its absolute path, as the program may leave its directory.  Not its real one: symbolic links are how
 * certificates are replaced while it runs.
 */
int http_trust(const char *ca_file)
{
	char directory[PATH_MAX] = "", path[sizeof(trusted)];
	const char *slash = *ca_file && *ca_file != '/' && getcwd(directory, sizeof(directory)) ? "/" : "";
	int length = snprintf(path, sizeof(path), "%s%s%s", directory, slash, ca_file);
	if (length < 0 || (size_t)length >= sizeof(path))
		return ERR_INVALID;
	mutex_lock(&http_lock);
	snprintf(trusted, sizeof(trusted), "%s", path);
	mutex_unlock(&http_lock);
	return OK;
}

/* Proxies and debug pages tell the request back to whom it came from. */
static void redact_answer(const struct http_request *request, struct http_response *response)
{
	for (size_t i = 0; i < request->n_headers; i++)
		if (redact_is_secret(request->headers[i].name))
			redact_value(response->body, request->headers[i].value);
	if (request->password)
		redact(response->body, request->password);
}

static void make_printable(char *text)
{
	for (; *text; text++)
		if (!isprint((unsigned char)*text))
			*text = ' ';
}

static int post_locked(const struct http_request *request, struct http_response *response)
{
	struct call self = {.response = response};
	_Static_assert(sizeof(response->error) >= HTTP_PROBLEM_MAX, "it has room for a problem");
	int error = init_locked(response->error);
	if (error)
		return error;
	error = begin(&self, request);
	if (!error)
		error = run(&self);
	if (error && !*response->error)
		snprintf(response->error, sizeof(response->error), "%s", error_text(error));
	end(&self);
	return error;
}

int http_post(const struct http_request *request, struct http_response *response)
{
	struct broken_pipe pipe;
	*response = (struct http_response){0};
	broken_pipe_begin(&pipe);
	mutex_lock(&http_lock);
	int error = post_locked(request, response);
	mutex_unlock(&http_lock);
	broken_pipe_end(&pipe);
	redact_answer(request, response);
	make_printable(response->body);		/* after it: a password may have any letters */
	return error;
}

void http_cancel_at(int64_t at_ns)
{
	mutex_lock(&http_lock);
	cancelled_from_ns = at_ns;
	if (call)
		curl->multi_wakeup(call->multi);
	mutex_unlock(&http_lock);
}

void http_cancel(void)
{
	http_cancel_at(0);
}

void http_allow(void)
{
	http_cancel_at(INT64_MAX);
}

/* ---- fork ---------------------------------------------------------------------------------- */

void http_prefork(void)
{
	mutex_lock(&http_lock);
}

void http_postfork_parent(void)
{
	mutex_unlock(&http_lock);
}

SNECK_FORK_CODE void http_postfork_child(void)
{
	for (size_t i = 0; i < SOCKETS_MAX; i++)
		if (sockets[i])
			close(sockets[i] - 1);
	memset(sockets, 0, sizeof(sockets));
	call = NULL;		/* its memory is the parent's upload thread's: left as it is */
	cancelled_from_ns = INT64_MAX;
	mutex_postfork_child(&http_lock);
}
