/*
 * test_wire_text.c - escapes against what the RFCs say.
 */
#include <config.h>

#include "upload/wire_text.h"

#include <string.h>

#include "unit.h"

static void check_url(const char *text, const char *expected)
{
	char *escaped = url_escape(text);
	ck_assert_str_eq(escaped, expected);
	free(escaped);
}

START_TEST(url_escape_leaves_unreserved_characters_alone)
{
	check_url("", "");
	check_url("AZaz09-._~", "AZaz09-._~");
	check_url("a{b=c,d=e}", "a%7Bb%3Dc%2Cd%3De%7D");
	check_url("a b+c&d?e#f%g/h\n", "a%20b%2Bc%26d%3Fe%23f%25g%2Fh%0A");
	check_url("\xc3\xbc\xff", "%C3%BC%FF");
}
END_TEST

START_TEST(url_unescape_undoes_what_is_an_escape)
{
	static const char *const cases[][2] = {{"", ""}, {"a%20b%2fC%2F", "a b/C/"}, {"%c3%BC", "\xc3\xbc"},
		{"%2541", "%41"}, {"100%", "100%"}, {"%4", "%4"}, {"%zz%g0", "%zz%g0"}, {"%00", "%00"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[32];
		strcpy(text, cases[i][0]);
		url_unescape(text);
		ck_assert_str_eq(text, cases[i][1]);
	}
}
END_TEST

START_TEST(basic_authorization_is_that_of_its_standard)
{
	char *value = basic_authorization("Aladdin", "open sesame");	/* RFC 7617, section 2 */
	ck_assert_str_eq(value, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
	free(value);
}
END_TEST

/* RFC 4648, section 10 */
START_TEST(base64_encodes_the_vectors_of_its_standard)
{
	static const char *const vectors[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
		{"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"},
		{"Aladdin:open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}, {"\xff\xfe\xfd\xfb", "//79+w=="}};
	for (size_t i = 0; i < sizeof(vectors) / sizeof(*vectors); i++) {
		char *encoded = base64_encode(vectors[i][0], strlen(vectors[i][0]));
		ck_assert_str_eq(encoded, vectors[i][1]);
		free(encoded);
	}
}
END_TEST

START_TEST(control_characters_are_found)
{
	ck_assert(!has_control_character(""));
	ck_assert(!has_control_character("team one, \xc3\xbc"));
	ck_assert(has_control_character("a\r\nX-Admin: 1"));
	ck_assert(has_control_character("a\tb"));
	ck_assert(has_control_character("a\x7f"));
}
END_TEST

UNIT_TESTS("wire_text", url_escape_leaves_unreserved_characters_alone, base64_encodes_the_vectors_of_its_standard,
	   url_unescape_undoes_what_is_an_escape, basic_authorization_is_that_of_its_standard,
	   control_characters_are_found)
