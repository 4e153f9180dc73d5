/*
 * pyroscope_name.h - what a profile is called at a Pyroscope server: app{key=value,...}.
 *
 * Its grammar has no quotes, so what a character may not be becomes '_': letters, digits and
 * _.-/ are fine in the application's name; letters, digits and _ in a key; anything but
 * commas, braces, double quotes and control characters in a value.
 */
#ifndef SNECK_UPLOAD_PYROSCOPE_NAME_H
#define SNECK_UPLOAD_PYROSCOPE_NAME_H

#include <stddef.h>

struct pyroscope_tag {
	const char *name, *value;
};

enum {
	PYROSCOPE_TAGS_MAX = 16,	/* a server takes 30 labels; the format and a sample's own are the rest */
	PYROSCOPE_VALUE_BYTES = 2048,	/* the server's limit, of a value of a label */
};

/*
 * A tag without a name or a value, of a name that is the server's own (service_name, or
 * beginning with "__"), or beyond PYROSCOPE_TAGS_MAX is left out.  session: hexadecimal, so that two
 * processes with the same tags are two.  NULL without memory.  Gives.
 */
char *pyroscope_name(const char *application, const struct pyroscope_tag *tags, size_t n_tags,
		     unsigned long long session);

/* A label's key in place: what may not stand in it becomes '_'. */
void pyroscope_clean_key(char *key);

#endif
