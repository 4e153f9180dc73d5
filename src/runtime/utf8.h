/*
 * utf8.h - texts that every reader of a profile accepts.
 *
 * One string that is not UTF-8 makes some servers refuse a whole profile, so none gets in.
 */
#ifndef SNECK_RUNTIME_UTF8_H
#define SNECK_RUNTIME_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Is it well-formed: no stray, overlong or cut sequence, no surrogate, nothing past U+10FFFF? */
bool utf8_valid(const char *text, size_t length);

/*
 * Copy a NUL-terminated text into room bytes: each bad byte becomes '?', what is too long
 * is cut between characters.  Always terminated; gives the length.  room > 0.
 */
size_t utf8_clean(char *to, size_t room, const char *text);

#endif
