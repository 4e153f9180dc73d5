/*
 * sink_pyroscope.h - uploads to a Pyroscope server, Grafana Cloud's included.
 *
 * One upload is a few requests: one a kind of profile, and more where the server's limits
 * want it.  What was taken already is not sent again by another try.
 */
#ifndef SNECK_UPLOAD_SINK_PYROSCOPE_H
#define SNECK_UPLOAD_SINK_PYROSCOPE_H

#include <stdbool.h>

#include "upload/http.h"
#include "upload/pyroscope_name.h"
#include "upload/sink.h"

/* The server takes what began an hour ago at most, by its own clock, when it arrives. */
enum { PYROSCOPE_BEGUN_MAX_S = 3500 };

/* Texts are copied; NULL is as good as "". */
struct pyroscope_config {
	const char *url;		/* of the server: http://localhost:4040, a path may follow */
	const char *application;	/* what the server calls service_name */
	const char *tenant;		/* of a server with many (X-Scope-OrgID); "": none */
	const char *user, *password;	/* basic authentication; "": none */
	const char *token;		/* bearer authentication; "": none */
	const struct pyroscope_tag *tags;	/* labels of every profile; two processes' may be the same */
	size_t n_tags;
	bool thread_ids;		/* threads' ids as labels: each thread a series of its own then */
	int64_t timeout_ns;		/* over all requests of one try */
	int (*post)(const struct http_request *request, struct http_response *response);	/* http_post */
};

/*
 * ERR_INVALID: no URL of http or https, or one with a query or a password in it; a control
 * character in the tenant or a credential; both a user and a token.  ERR_NOMEM.
 */
int sink_pyroscope_new(const struct pyroscope_config *config, struct sink **sink);

#endif
