/*
 * tags.h - a list of key:value tags that nothing can be smuggled through.
 *
 * Every tag in it is clean: UTF-8 without control characters and commas, TAG_CHARACTERS at
 * most, a key and a value, no colon at either end.  A key is there once.
 */
#ifndef SNECK_UPLOAD_TAGS_H
#define SNECK_UPLOAD_TAGS_H

#include <stddef.h>

enum {
	TAG_CHARACTERS = 200,		/* Datadog's documented limit, of key, colon and value */
	TAG_BYTES_MAX = TAG_CHARACTERS * 4 + 1,		/* four bytes a character */
};

struct tag;

struct tags {
	struct tag *list;
	size_t n;
};

#define TAGS_EMPTY ((struct tags){NULL, 0})

void tags_free(struct tags *tags);

/*
 * One more tag, or another value for its key; both are cleaned.  ERR_INVALID: nothing is left
 * of the key or of the value, and the list is as it was.  ERR_NOMEM.
 */
int tags_set(struct tags *tags, const char *key, const char *value);

/* The same, unless the key is there. */
int tags_add(struct tags *tags, const char *key, const char *value);

/* All of more, unless their keys are there. */
int tags_add_all(struct tags *tags, const struct tags *more);

/*
 * Set what a variable says: `k:v,k:v` or `k:v k:v`; NULL is nothing.  The separator is the one
 * that makes more tags, and no URL keeps its user and password.  malformed counts up by the entries
 * that are none.
 */
int tags_parse(struct tags *tags, const char *text, size_t *malformed);

/* The value, borrowed, or NULL. */
const char *tags_get(const struct tags *tags, const char *key);
void tags_remove(struct tags *tags, const char *key);

/* `k:v,k:v`, from malloc; NULL without memory.  Gives. */
char *tags_text(const struct tags *tags);

#endif
