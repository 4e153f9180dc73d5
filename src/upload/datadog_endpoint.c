/*
 * datadog_endpoint.c - three ways in:
 *
 *     http://host:8126                       POST http://host:8126/profiling/v1/input
 *     unix:///var/run/datadog/apm.socket     the same, of localhost, through the socket
 *     datadoghq.eu                           POST https://intake.profile.datadoghq.eu/api/v2/profile
 *
 * A site is a bare host name and nothing else: the API key goes there.
 */
#include <config.h>

#include "upload/datadog_endpoint.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "runtime/error.h"
#include "upload/wire_text.h"

static const char agent_path[] = "/profiling/v1/input";
static const char default_site[] = "datadoghq.com";

static int refuse(char *problem, size_t room, const char *why)
{
	snprintf(problem, room, "%s", why);
	return ERR_INVALID;
}

static int finish(struct datadog_endpoint *endpoint, bool is_whole)
{
	if (is_whole && endpoint->url && endpoint->target)
		return OK;
	datadog_endpoint_free(endpoint);
	return ERR_NOMEM;
}

void datadog_endpoint_free(struct datadog_endpoint *endpoint)
{
	free(endpoint->url);
	free(endpoint->unix_socket);
	free(endpoint->target);
	free(endpoint->authorization);
	free(endpoint->password);
	*endpoint = (struct datadog_endpoint){NULL};
}

/* printf into malloc; NULL without memory. */
__attribute__((format(printf, 1, 2))) static char *text_of(const char *format, ...)
{
	va_list arguments;
	char *text = NULL;
	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	return text;
}

/* ---- the agent ------------------------------------------------------------------------- */

static bool is_printable(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text == 0x7f)
			return false;
	return true;
}

static int by_socket(struct datadog_endpoint *endpoint, const char *path, char *problem, size_t room)
{
	if (*path != '/')
		return refuse(problem, room, "the agent's socket must be an absolute path: unix:///path");
	if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return refuse(problem, room, "the path of the agent's socket is longer than a socket's can be");
	endpoint->url = text_of("http://localhost%s", agent_path);
	endpoint->unix_socket = strdup(path);
	endpoint->target = text_of("unix://%s", path);
	return finish(endpoint, endpoint->unix_socket);
}

/* Of user:password, with %XX undone as libcurl would. */
static bool set_credentials(struct datadog_endpoint *endpoint, const char *userinfo, size_t length)
{
	if (!length)
		return true;
	char *user = strndup(userinfo, length), *colon = user ? strchr(user, ':') : NULL;
	if (colon)
		*colon = '\0';
	endpoint->password = user ? strdup(colon ? colon + 1 : "") : NULL;
	if (endpoint->password) {
		url_unescape(user);
		url_unescape(endpoint->password);
		endpoint->authorization = basic_authorization(user, endpoint->password);
	}
	free(user);
	return endpoint->authorization;
}

/* The credentials go into a header of ours: libcurl would make one that nobody knows for a secret. */
static int by_tcp(struct datadog_endpoint *endpoint, const char *url, size_t scheme, const char *path, char *problem,
		  size_t room)
{
	const char *authority = url + scheme;
	size_t authority_length = strcspn(authority, "/?#"), length = strlen(url);
	const char *at = memrchr(authority, '@', authority_length);
	const char *host = at ? at + 1 : authority;
	if (host == authority + authority_length || *host == ':')
		return refuse(problem, room, "the URL has no host");
	if (strpbrk(authority, "?#"))
		return refuse(problem, room, "the URL must end with its path, if it has one");
	while (url[length - 1] == '/')
		length--;
	endpoint->url = text_of("%.*s%.*s%s", (int)scheme, url, (int)(url + length - host), host, path);
	endpoint->target = endpoint->url ? strdup(endpoint->url) : NULL;
	return finish(endpoint, !at || set_credentials(endpoint, authority, (size_t)(at - authority)));
}

int datadog_endpoint_agent(struct datadog_endpoint *endpoint, const char *agent_url, char *problem, size_t room)
{
	*endpoint = (struct datadog_endpoint){NULL};
	if (!is_printable(agent_url))
		return refuse(problem, room, "the agent's URL has a space or a control character in it");
	if (!strncasecmp(agent_url, "unix://", 7))
		return by_socket(endpoint, agent_url + 7, problem, room);
	if (!strncasecmp(agent_url, "http://", 7))
		return by_tcp(endpoint, agent_url, 7, agent_path, problem, room);
	if (!strncasecmp(agent_url, "https://", 8))
		return by_tcp(endpoint, agent_url, 8, agent_path, problem, room);
	return refuse(problem, room, "the agent's URL must begin with http://, https:// or unix:///");
}

/* ---- the intake ------------------------------------------------------------------------ */

/* A host's name, and a port if need be. */
static bool is_site(const char *site)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
	size_t name = strspn(site, letters), port = site[name] == ':' ? strspn(site + name + 1, "0123456789") : 0;
	bool is_whole = !site[name + (port ? 1 + port : 0)];
	return is_whole && name && name < 254 && port < 6 && site[0] != '.' && !strstr(site, "..");
}

int datadog_endpoint_intake(struct datadog_endpoint *endpoint, const char *site, char *problem, size_t room)
{
	*endpoint = (struct datadog_endpoint){NULL};
	const char *host = site && *site ? site : default_site;
	if (!is_site(host))
		return refuse(problem, room, "DD_SITE must be the bare name of a site, such as datadoghq.eu");
	endpoint->url = text_of("https://intake.profile.%s/api/v2/profile", host);
	endpoint->target = endpoint->url ? strdup(endpoint->url) : NULL;
	return finish(endpoint, true);
}

/* By name or number, and not as the beginning of another name. */
static bool is_local(const char *authority)
{
	static const char *const hosts[] = {"localhost", "127.0.0.1", "[::1]"};
	for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
		size_t length = strlen(hosts[i]);
		if (!strncasecmp(authority, hosts[i], length) && strchr(":/", authority[length]))
			return strcspn(authority, "@") == strlen(authority);
	}
	return false;
}

int datadog_endpoint_relay(struct datadog_endpoint *endpoint, const char *intake_url, char *problem, size_t room)
{
	*endpoint = (struct datadog_endpoint){NULL};
	bool is_https = !strncasecmp(intake_url, "https://", 8);
	bool is_near = !strncasecmp(intake_url, "http://", 7) && is_local(intake_url + 7);
	if (!is_printable(intake_url) || (!is_https && !is_near))
		return refuse(problem, room, "the intake's URL must begin with https://, as an API key goes there");
	return by_tcp(endpoint, intake_url, is_https ? 8 : 7, "", problem, room);
}
