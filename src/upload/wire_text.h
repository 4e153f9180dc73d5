/*
 * wire_text.h - texts as URLs and headers want them.
 */
#ifndef SNECK_UPLOAD_WIRE_TEXT_H
#define SNECK_UPLOAD_WIRE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* For a query: all but letters, digits and -._~ as %XX.  NULL without memory.  Gives. */
char *url_escape(const char *text);

/* Undo %XX in place, but for %00: a text ends there. */
void url_unescape(char *text);

/* Base64 with padding.  NULL without memory.  Gives. */
char *base64_encode(const void *data, size_t size);

/* The value of a header: "Basic dXNlcjpwYXNzd29yZA==".  NULL without memory.  Gives. */
char *basic_authorization(const char *user, const char *password);

/* Has it a byte that could end a header line, or that no header may hold? */
bool has_control_character(const char *text);

#endif
