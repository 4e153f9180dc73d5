/*
 * redact.h - keys and tokens out of texts that are shown.
 */
#ifndef SNECK_UPLOAD_REDACT_H
#define SNECK_UPLOAD_REDACT_H

#include <stdbool.h>

/* Is a header of this name a credential? */
bool redact_is_secret(const char *header_name);

/* Overwrite the secret in the text, by '*', also where the text ends in the middle of it. */
void redact(char *text, const char *secret);

/* The same with what a header's value has of a credential: what follows its first word ("Bearer <token>"), or all. */
void redact_value(char *text, const char *header_value);

#endif
