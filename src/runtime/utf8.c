/*
 * utf8.c - well-formed UTF-8, by the table of the Unicode standard (3.9, table 3-7).
 */
#include <config.h>

#include "runtime/utf8.h"

#include <stdint.h>
#include <string.h>

/* Rows of the table: lead bytes, bounds of the second byte, bytes in all. */
static const struct {
	unsigned char lead_first, lead_last, second_first, second_last, length;
} forms[] = {
	{0x00, 0x7f, 0, 0, 1},
	{0xc2, 0xdf, 0x80, 0xbf, 2},
	{0xe0, 0xe0, 0xa0, 0xbf, 3},
	{0xe1, 0xec, 0x80, 0xbf, 3},
	{0xed, 0xed, 0x80, 0x9f, 3},	/* not the surrogates */
	{0xee, 0xef, 0x80, 0xbf, 3},
	{0xf0, 0xf0, 0x90, 0xbf, 4},
	{0xf1, 0xf3, 0x80, 0xbf, 4},
	{0xf4, 0xf4, 0x80, 0x8f, 4},	/* not past U+10FFFF */
};

/* Bytes of the character at the front; 0 if it is none. */
static size_t character(const char *text, size_t left)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t f = 0;
	while (f < sizeof(forms) / sizeof(*forms) && (*at < forms[f].lead_first || *at > forms[f].lead_last))
		f++;
	if (f == sizeof(forms) / sizeof(*forms) || forms[f].length > left)
		return 0;
	for (size_t i = 1; i < forms[f].length; i++) {
		unsigned char first = i == 1 ? forms[f].second_first : 0x80;
		unsigned char last = i == 1 ? forms[f].second_last : 0xbf;
		if (at[i] < first || at[i] > last)
			return 0;
	}
	return forms[f].length;
}

/* Bytes of plain ASCII at the front, in steps of eight: nearly all texts are nothing else. */
static size_t ascii_words(const char *text, size_t length)
{
	size_t at = 0;
	for (uint64_t word; length - at >= sizeof(word); at += sizeof(word)) {
		memcpy(&word, text + at, sizeof(word));
		if (word & UINT64_C(0x8080808080808080))
			break;
	}
	return at;
}

bool utf8_valid(const char *text, size_t length)
{
	for (size_t at = ascii_words(text, length), n; at < length; at += n) {
		n = character(text + at, length - at);
		if (!n)
			return false;
	}
	return true;
}

size_t utf8_clean(char *to, size_t room, const char *text)
{
	size_t length = strnlen(text, room + 4), n = 0;	/* 4: a character cut by room is still whole here */
	for (size_t from = 0; from < length;) {
		size_t bytes = character(text + from, length - from);
		if (n + (bytes ? bytes : 1) >= room)
			break;
		if (bytes)
			memcpy(to + n, text + from, bytes);
		else
			to[n] = '?';
		n += bytes ? bytes : 1;
		from += bytes ? bytes : 1;
	}
	to[n] = '\0';
	return n;
}
