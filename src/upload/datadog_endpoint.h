/*
 * datadog_endpoint.h - the address of an agent, or of Datadog's intake.
 */
#ifndef SNECK_UPLOAD_DATADOG_ENDPOINT_H
#define SNECK_UPLOAD_DATADOG_ENDPOINT_H

#include <stddef.h>

/* No user name or password is in the first three. */
struct datadog_endpoint {
	char *url;			/* of the request */
	char *unix_socket;		/* what to connect to instead of the URL's host, or NULL */
	char *target;			/* for the user's eyes */
	char *authorization;		/* the header's value, of the user name and password that a URL had, or NULL */
	char *password;			/* that one, as it is; or NULL */
};

/*
 * From http://host:port[/path], https://... or unix:///path; from a site ("" or NULL:
 * datadoghq.com); from the whole address of somebody's own intake, by https unless it is on
 * this machine.  ERR_INVALID: problem says what is wrong, without the text itself, which may
 * hold a password; ERR_NOMEM.
 */
int datadog_endpoint_agent(struct datadog_endpoint *endpoint, const char *agent_url, char *problem, size_t room);
int datadog_endpoint_intake(struct datadog_endpoint *endpoint, const char *site, char *problem, size_t room);
int datadog_endpoint_relay(struct datadog_endpoint *endpoint, const char *intake_url, char *problem, size_t room);

void datadog_endpoint_free(struct datadog_endpoint *endpoint);

#endif
