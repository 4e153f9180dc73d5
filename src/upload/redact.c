/*
 * redact.c - byte by byte: a text that is shown is short.
 */
#include <config.h>

#include "upload/redact.h"

#include <string.h>
#include <strings.h>

bool redact_is_secret(const char *header_name)
{
	static const char *const names[] = {"dd-api-key", "authorization"};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcasecmp(header_name, names[i]))
			return true;
	return false;
}

/* How much of the secret stands at text: all, or as much as the text had room for; else 0. */
static size_t match(const char *text, const char *secret)
{
	size_t n = 0;
	while (text[n] && secret[n] && text[n] == secret[n])
		n++;
	return n && (!secret[n] || !text[n]) ? n : 0;
}

void redact(char *text, const char *secret)
{
	for (char *at = text; *at;) {
		size_t n = match(at, secret);
		memset(at, '*', n);
		at += n ? n : 1;
	}
}

void redact_value(char *text, const char *header_value)
{
	const char *space = strchr(header_value, ' ');
	redact(text, space ? space + 1 : header_value);
}
