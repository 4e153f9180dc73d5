/*
 * pyroscope_name.c - any text into the grammar of a name.
 */
#include <config.h>

#include "upload/pyroscope_name.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/utf8.h"

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool stays_in_application(char c)
{
	return is_letter_or_digit(c) || strchr("_.-/", c);
}

static bool stays_in_key(char c)
{
	return is_letter_or_digit(c) || c == '_';
}

static bool stays_in_value(char c)
{
	return (unsigned char)c >= ' ' && c != 0x7f && !strchr(",{}\"", c);
}

/* Each character that may not stay, of however many bytes, is one '_'. */
static void replace(char *text, bool (*stays)(char c))
{
	char *to = text;
	for (const char *from = text; *from; from++) {
		bool continues = ((unsigned char)*from & 0xc0) == 0x80;
		if (stays(*from))
			*to++ = *from;
		else if (!continues)
			*to++ = '_';
	}
	*to = '\0';
}

void pyroscope_clean_key(char *key)
{
	replace(key, stays_in_key);
	if (*key >= '0' && *key <= '9')		/* no key begins with a digit */
		*key = '_';
}

static bool is_of_the_server(const char *key)
{
	return strncmp(key, "__", 2) == 0 || strcmp(key, "service_name") == 0;
}

/* False: the tag is left out. */
static bool write_tag(FILE *file, const struct pyroscope_tag *tag)
{
	char key[256], value[PYROSCOPE_VALUE_BYTES + 1];
	utf8_clean(key, sizeof(key), tag->name ? tag->name : "");
	utf8_clean(value, sizeof(value), tag->value ? tag->value : "");
	pyroscope_clean_key(key);
	replace(value, stays_in_value);
	if (!*key || !*value || is_of_the_server(key))
		return false;
	fprintf(file, ",%s=%s", key, value);
	return true;
}

static void write_application(FILE *file, const char *application)
{
	char name[256];
	utf8_clean(name, sizeof(name), application);
	replace(name, stays_in_application);
	fputs(*name ? name : "python", file);		/* without a name: 400 */
}

char *pyroscope_name(const char *application, const struct pyroscope_tag *tags, size_t n_tags,
		     unsigned long long session)
{
	char *name = NULL;
	size_t size, written = 0;
	FILE *file = open_memstream(&name, &size);
	if (!file)
		return NULL;
	write_application(file, application);
	fprintf(file, "{__session_id__=%016llx", session);
	for (size_t i = 0; i < n_tags && written < PYROSCOPE_TAGS_MAX; i++)
		written += write_tag(file, &tags[i]);
	fputc('}', file);
	bool failed = ferror(file);
	if (fclose(file) == 0 && !failed)
		return name;
	free(name);
	return NULL;
}
