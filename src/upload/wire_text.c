/*
 * wire_text.c - percent signs, base64, a password in a header, and what a header may not hold.
 */
#include <config.h>

#include "upload/wire_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Not isalnum(): it goes by the program's locale. */
static bool stays_in_url(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._~", c));
}

char *url_escape(const char *text)
{
	static const char digits[] = "0123456789ABCDEF";
	char *escaped = malloc(3 * strlen(text) + 1), *to = escaped;
	if (!escaped)
		return NULL;
	for (; *text; text++) {
		if (stays_in_url(*text)) {
			*to++ = *text;
			continue;
		}
		*to++ = '%';
		*to++ = digits[(unsigned char)*text >> 4];
		*to++ = digits[(unsigned char)*text & 15];
	}
	*to = '\0';
	return escaped;
}

static int digit_value(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;
	return at ? (int)(at - digits) : -1;
}

void url_unescape(char *text)
{
	char *to = text;
	for (; *text; text++) {
		int high = *text == '%' ? digit_value(text[1]) : -1, low = high < 0 ? -1 : digit_value(text[2]);
		bool is_escape = low >= 0 && high + low > 0;
		*to++ = is_escape ? (char)(high << 4 | low) : *text;
		text += is_escape ? 2 : 0;
	}
	*to = '\0';
}

char *base64_encode(const void *data, size_t size)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *from = data;
	char *encoded = malloc((size + 2) / 3 * 4 + 1), *to = encoded;
	if (!encoded)
		return NULL;
	for (size_t i = 0; i < size; i += 3) {
		unsigned second = i + 1 < size ? from[i + 1] : 0, third = i + 2 < size ? from[i + 2] : 0;
		unsigned bits = (unsigned)from[i] << 16 | second << 8 | third;
		*to++ = digits[bits >> 18];
		*to++ = digits[bits >> 12 & 63];
		*to++ = i + 1 < size ? digits[bits >> 6 & 63] : '=';
		*to++ = i + 2 < size ? digits[bits & 63] : '=';
	}
	*to = '\0';
	return encoded;
}

char *basic_authorization(const char *user, const char *password)
{
	char *pair = NULL, *encoded = NULL, *value = NULL;
	int length = asprintf(&pair, "%s:%s", user, password);
	if (length < 0)
		return NULL;
	encoded = base64_encode(pair, (size_t)length);
	if (!encoded || asprintf(&value, "Basic %s", encoded) < 0)
		value = NULL;
	free(encoded);
	free(pair);
	return value;
}

bool has_control_character(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return true;
	return false;
}
