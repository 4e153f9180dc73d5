/*
 * wire_text.h - texts as URLs and headers want them.
 */
#ifndef SNECK_UPLOAD_WIRE_TEXT_H
#define SNECK_UPLOAD_WIRE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* For a query: all but letters, digits and -._~ as %XX.  NULL without memory.  Gives. */
char *url_escape(const char *text);

/* Base64 with padding.  NULL without memory.  Gives. */
char *base64_encode(const void *data, size_t size);

/* Has it a byte that could end a header line, or that no header may hold? */
bool has_control_character(const char *text);

#endif
