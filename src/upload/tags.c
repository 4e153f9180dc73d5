/*
 * tags.c - cleaned once, when they come in; the text of a list is then a plain join.
 *
 * A comma would split a value in two for the reader, a line feed would end a header for a
 * careless one, and a tag without a value is refused by the intake with the whole profile.
 */
#include <config.h>

#include "upload/tags.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/url.h"
#include "runtime/utf8.h"

struct tag {
	char *text;		/* key:value */
	size_t key_length;
};

enum { ROOM = TAG_BYTES_MAX };

/* ---- cleaning -------------------------------------------------------------------------- */

/* Control characters (C1 too, two bytes in UTF-8) and commas become '_'. */
static void replace_forbidden(char *text)
{
	const unsigned char *from = (unsigned char *)text;
	char *to = text;
	for (; *from; from++) {
		bool is_c1 = from[0] == 0xc2 && from[1] < 0xa0;
		from += is_c1;
		*to++ = is_c1 || *from < 0x20 || *from == 0x7f || *from == ',' ? '_' : (char)*from;
	}
	*to = '\0';
}

static void cut_end(char *text)
{
	size_t length = strlen(text);
	while (length && strchr(" :", text[length - 1]))
		length--;
	text[length] = '\0';
}

/* Bytes of the first `characters` of a UTF-8 text. */
static size_t bytes_of(const char *text, size_t characters)
{
	size_t at = 0;
	while (text[at] && characters--)
		do
			at++;
		while ((text[at] & 0xc0) == 0x80);
	return at;
}

static void clean(char to[ROOM], const char *text)
{
	utf8_clean(to, ROOM, text + strspn(text, " \t\r\n"));
	size_t length = strlen(to);
	while (length && strchr(" \t\r\n", to[length - 1]))
		to[--length] = '\0';
	replace_forbidden(to);
	cut_end(to);
}

/* key:value, clean, and short enough; the length of its key, 0: nothing is left of one of them. */
static size_t join(char text[2 * ROOM], const char *key, const char *value)
{
	char clean_key[ROOM], clean_value[ROOM];
	clean(clean_key, key + strspn(key, " :\t\r\n"));
	clean(clean_value, value);
	for (char *colon; (colon = strchr(clean_key, ':'));)
		*colon = '_';
	snprintf(text, 2 * (size_t)ROOM, "%s:%s", clean_key, clean_value);
	text[bytes_of(text, TAG_CHARACTERS)] = '\0';
	cut_end(text);
	size_t key_length = strlen(clean_key);
	return strlen(text) > key_length + 1 ? key_length : 0;
}

/* ---- the list -------------------------------------------------------------------------- */

void tags_free(struct tags *tags)
{
	for (size_t i = 0; i < tags->n; i++)
		free(tags->list[i].text);
	free(tags->list);
	*tags = TAGS_EMPTY;
}

/* tags->n: it is not there. */
static size_t find(const struct tags *tags, const char *key, size_t length)
{
	size_t i = 0;
	while (i < tags->n && (tags->list[i].key_length != length || memcmp(tags->list[i].text, key, length) != 0))
		i++;
	return i;
}

static int grow(struct tags *tags)
{
	struct tag *grown = realloc(tags->list, (tags->n + 1) * sizeof(*grown));
	if (!grown)
		return ERR_NOMEM;
	tags->list = grown;
	grown[tags->n++] = (struct tag){NULL, 0};
	return OK;
}

/* Takes text. */
static int put(struct tags *tags, char *text, size_t key_length)
{
	size_t i = text ? find(tags, text, key_length) : 0;
	if (!text || (i == tags->n && grow(tags))) {
		free(text);
		return ERR_NOMEM;
	}
	free(tags->list[i].text);
	tags->list[i] = (struct tag){text, key_length};
	return OK;
}

int tags_set(struct tags *tags, const char *key, const char *value)
{
	char text[2 * ROOM];
	size_t key_length = join(text, key, value);
	return key_length ? put(tags, strdup(text), key_length) : ERR_INVALID;
}

int tags_add(struct tags *tags, const char *key, const char *value)
{
	char text[2 * ROOM];
	size_t key_length = join(text, key, value);
	if (!key_length)
		return ERR_INVALID;
	return find(tags, text, key_length) < tags->n ? OK : put(tags, strdup(text), key_length);
}

int tags_add_all(struct tags *tags, const struct tags *more)
{
	for (size_t i = 0; i < more->n; i++) {
		const struct tag *tag = &more->list[i];
		if (find(tags, tag->text, tag->key_length) == tags->n && put(tags, strdup(tag->text), tag->key_length))
			return ERR_NOMEM;
	}
	return OK;
}

const char *tags_get(const struct tags *tags, const char *key)
{
	size_t i = find(tags, key, strlen(key));
	return i < tags->n ? tags->list[i].text + tags->list[i].key_length + 1 : NULL;
}

void tags_remove(struct tags *tags, const char *key)
{
	size_t i = find(tags, key, strlen(key));
	if (i == tags->n)
		return;
	free(tags->list[i].text);
	tags->n--;
	memmove(&tags->list[i], &tags->list[i + 1], (tags->n - i) * sizeof(*tags->list));
}

char *tags_text(const struct tags *tags)
{
	size_t room = 1;
	for (size_t i = 0; i < tags->n; i++)
		room += strlen(tags->list[i].text) + 1;
	char *text = malloc(room), *at = text;
	if (!text)
		return NULL;
	*at = '\0';
	for (size_t i = 0; i < tags->n; i++)
		at += sprintf(at, "%s%s", i ? "," : "", tags->list[i].text);
	return text;
}

/* ---- parsing --------------------------------------------------------------------------- */

/* The next entry that is not blank, as key and value in place; false: no more. */
static bool next_entry(char **rest, const char *separator, char **key, char **value)
{
	char *entry;
	do
		entry = strsep(rest, separator);
	while (entry && !entry[strspn(entry, " \t\r\n")]);
	if (!entry)
		return false;
	*key = entry + strspn(entry, " :\t\r\n");
	*value = strchr(*key, ':');
	if (*value) {
		*(*value)++ = '\0';
		url_cut_userinfo(*value);	/* while it is whole */
	}
	return true;
}

/* Set the entries, or with tags NULL only count those that are tags. */
static int walk(struct tags *tags, const char *text, const char *separator, size_t *good, size_t *bad)
{
	char *copy = strdup(text), *rest = copy, *key, *value;
	int error = copy ? OK : ERR_NOMEM;
	*good = *bad = 0;
	while (!error && next_entry(&rest, separator, &key, &value)) {
		char joined[2 * ROOM];
		bool is_tag = value && join(joined, key, value);
		++*(is_tag ? good : bad);
		if (is_tag && tags)
			error = tags_set(tags, key, value);
	}
	free(copy);
	return error;
}

int tags_parse(struct tags *tags, const char *text, size_t *malformed)
{
	size_t by_comma, by_space, bad;
	if (!text)
		return OK;
	if (walk(NULL, text, ",", &by_comma, &bad) || walk(NULL, text, " ", &by_space, &bad))
		return ERR_NOMEM;
	int error = walk(tags, text, by_space > by_comma ? " " : ",", &by_comma, &bad);
	*malformed += bad;
	return error;
}
