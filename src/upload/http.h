/*
 * http.h - one POST by libcurl: one deadline over all of it, and it can be cancelled.
 *
 * A handle of libcurl's is made for the call and freed after it: none lives across a fork by
 * our doing.  No function here touches Python; http_post waits, so call it without the GIL
 * and without locks.
 */
#ifndef SNECK_UPLOAD_HTTP_H
#define SNECK_UPLOAD_HTTP_H

#include <stddef.h>
#include <stdint.h>

struct http_header {
	const char *name, *value;	/* a value with a control character is refused: ERR_INVALID */
};

/* A part of a multipart/form-data body; borrowed. */
struct http_part {
	const char *name, *filename, *content_type;	/* the last two may be NULL: not sent */
	const void *data;
	size_t size;
};

struct http_request {
	const char *url;		/* http:// or https:// with a verified certificate */
	const char *unix_socket;	/* the path connected to instead of the URL's host; or NULL */
	const struct http_header *headers;
	size_t n_headers;
	const char *password;		/* that a header has encoded, as it is: not to be told on either; or NULL */
	const struct http_part *parts;	/* the body as a form; or, without parts, */
	size_t n_parts;
	const void *body;		/* as it is, of content_type */
	size_t body_size;
	const char *content_type;
	int64_t timeout_ns;		/* over everything: look-up, connection, answer */
};

struct http_response {
	int status;			/* 0: none came */
	int64_t retry_after_ns;		/* as the server wishes; 0: it said nothing */
	char error[256];		/* why no answer came; no secrets in it */
	char body[512];			/* how the answer begins, printable, no secrets in it, for the user's eyes */
};

enum { HTTP_PROBLEM_MAX = 224 };

/*
 * Load libcurl and what it and its TLS library need, once: milliseconds, so at the start and not
 * at a first upload.  In Python, with the GIL: other users of libcurl initialise it so, and it
 * forks so; a child inherits it done, and never half done.  ERR_IO: it is not installed; ERR_NOMEM:
 * each with a sentence, and it may be called again.
 */
int http_init(char problem[HTTP_PROBLEM_MAX]);

/*
 * The certificates to trust in, for all requests from now on; "": the system's.  A relative path is of
 * the directory one is in now.  ERR_INVALID: too long.
 */
int http_trust(const char *ca_file);

/*
 * OK: an answer came, look at its status.  ERR_IO, ERR_TIMEOUT, ERR_CANCELLED, ERR_INVALID, ERR_NOMEM.
 * Without an http_init() before, it does that first.
 */
int http_post(const struct http_request *request, struct http_response *response);

/*
 * End the call under way, if any, within some milliseconds; later ones fail at once until
 * http_allow().  Or do so from a time on (clock_now_ns).
 */
void http_cancel(void);
void http_cancel_at(int64_t at_ns);
void http_allow(void);

/* Around a fork; prefork waits for a step of libcurl's, never for the network. */
void http_prefork(void);
void http_postfork_parent(void);
void http_postfork_child(void);

#endif
