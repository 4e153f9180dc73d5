/*
 * process_tags.c - values as Datadog's agent normalises them: lower case, a small alphabet,
 * '_' for the rest, so that equal processes get equal tags whoever reports them.
 */
#include <config.h>

#include "upload/process_tags.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_CHARACTERS = 100 };	/* the agent's limit, before normalising */

static bool is_continuation(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/* Letters beyond ASCII stay as they are, in their case. */
static bool is_allowed(unsigned char c)
{
	return c >= 0x80 || isalnum(c) || strchr("/._-", c);
}

static void normalise(char to[IDENTITY_TEXT_MAX], const char *text)
{
	size_t n = 0, characters = 0;
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		characters += !is_continuation(c);
		if (characters > VALUE_CHARACTERS)
			break;
		if (!is_allowed(c))
			c = '_';
		if (c != '_' || (n && to[n - 1] != '_'))	/* none in front, no two in a row */
			to[n++] = (char)(c < 0x80 ? tolower(c) : c);
	}
	while (n && to[n - 1] == '_')
		n--;
	to[n] = '\0';
}

/* Names that say nothing. */
static bool is_empty(const char *value)
{
	return !*value || !strcmp(value, "/") || !strcmp(value, "bin");
}

static void add(FILE *text, const char *key, const char *value)
{
	char clean[IDENTITY_TEXT_MAX];
	if (is_empty(value))
		return;
	normalise(clean, value);
	if (*clean)
		fprintf(text, "%s%s:%s", ftell(text) ? "," : "", key, clean);
}

char *process_tags(const struct process_identity *identity, const char *user_service)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);
	if (!file)
		return NULL;
	add(file, "entrypoint.basedir", identity->entrypoint_basedir);
	add(file, "entrypoint.name", identity->entrypoint_name);
	add(file, "entrypoint.type", identity->entrypoint_type);
	add(file, "entrypoint.workdir", identity->entrypoint_workdir);
	if (user_service)
		add(file, "svc.user", "true");
	else
		add(file, "svc.auto", *identity->service ? identity->service : identity->entrypoint_name);
	if (fclose(file) == 0)
		return text;
	free(text);
	return NULL;
}
