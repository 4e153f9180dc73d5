/*
 * test_utf8.c - what is UTF-8, and what becomes of the rest.
 */
#include <config.h>

#include "runtime/utf8.h"

#include <string.h>

#include "unit.h"

static const char *const good[] = {
	"", "plain", "eight ch", "Schl\xc3\xbcssel", "\xe9\x8d\xb5", "\xf0\x9f\x94\x92", "\xed\x9f\xbf", "\xee\x80\x80",
	"\xf4\x8f\xbf\xbf", "\xe0\xa0\x80", "\xf0\x90\x80\x80", "\xc2\x80", "twelve ascii\xc3\xbc",
};

/* and what utf8_clean makes of it */
static const char *const bad[][2] = {
	{"\x80", "?"},				/* a stray continuation */
	{"a\xff" "b", "a?b"},
	{"\xc0\xaf", "??"},			/* overlong */
	{"\xe0\x9f\xbf", "???"},
	{"\xf0\x8f\xbf\xbf", "????"},
	{"\xed\xa0\x80", "???"},		/* a surrogate */
	{"\xf4\x90\x80\x80", "????"},		/* past U+10FFFF */
	{"\xf5\x80\x80\x80", "????"},
	{"end\xc3", "end?"},			/* cut */
	{"end\xe9\x8d", "end??"},
	{"\xc3\xbc\xc3(\xc3\xbc", "\xc3\xbc?(\xc3\xbc"},
	{"long enough to pass a word \xfe", "long enough to pass a word ?"},
};

START_TEST(utf8_knows_the_well_formed)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		ck_assert_msg(utf8_valid(good[i], strlen(good[i])), "good[%zu]", i);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_msg(!utf8_valid(bad[i][0], strlen(bad[i][0])), "bad[%zu]", i);
}
END_TEST

START_TEST(utf8_clean_replaces_each_bad_byte_alone)
{
	char clean[64];
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		ck_assert_uint_eq(utf8_clean(clean, sizeof(clean), good[i]), strlen(good[i]));
		ck_assert_str_eq(clean, good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ck_assert_uint_eq(utf8_clean(clean, sizeof(clean), bad[i][0]), strlen(bad[i][1]));
		ck_assert_str_eq(clean, bad[i][1]);
	}
}
END_TEST

START_TEST(utf8_clean_cuts_between_characters)
{
	const char *text = "a\xc3\xbc\xe9\x8d\xb5\xf0\x9f\x94\x92z";	/* lengths 1 3 6 10 11 */
	const size_t lengths[] = {0, 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11, 11};
	for (size_t room = 1; room < sizeof(lengths) / sizeof(*lengths); room++) {
		char clean[16];
		memset(clean, 'x', sizeof(clean));
		ck_assert_uint_eq(utf8_clean(clean, room, text), lengths[room]);
		ck_assert_uint_eq(strlen(clean), lengths[room]);
		ck_assert(memcmp(clean, text, lengths[room]) == 0);
		ck_assert(room == sizeof(clean) || clean[room] == 'x');
	}
}
END_TEST

START_TEST(utf8_clean_is_always_valid)
{
	unsigned seed = 1;
	for (int i = 0; i < 200000; i++) {
		char dirty[24] = "", clean[24];
		for (size_t n = i % 23, at = 0; at < n; at++)
			dirty[at] = (char)(((seed = seed * 1103515245 + 12345) >> 16 & 0xff) | 1);
		size_t length = utf8_clean(clean, 1 + (size_t)i % 24, dirty);
		ck_assert(utf8_valid(clean, length));
		ck_assert_uint_eq(strlen(clean), length);
	}
}
END_TEST

UNIT_TESTS("utf8", utf8_knows_the_well_formed, utf8_clean_replaces_each_bad_byte_alone,
	   utf8_clean_cuts_between_characters, utf8_clean_is_always_valid)
