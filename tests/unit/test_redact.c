/*
 * test_redact.c - no part of a key that shows.
 */
#include <config.h>

#include "upload/redact.h"

#include <stdio.h>

#include "unit.h"

static char text[64];

static const char *redacted(const char *from, const char *value)
{
	snprintf(text, sizeof(text), "%s", from);
	redact_value(text, value);
	return text;
}

START_TEST(redact_takes_each_whole_key_and_a_cut_one)
{
	ck_assert_str_eq(redacted("a key12 b key12key12", "key12"), "a ***** b **********");
	ck_assert_str_eq(redacted("ends in key1", "key12"), "ends in ****");
	ck_assert_str_eq(redacted("key1 is another", "key12"), "key1 is another");
	ck_assert_str_eq(redacted("kekey12", "key12"), "ke*****");
	ck_assert_str_eq(redacted("Basic dXNlcg==", "Basic dXNlcg=="), "Basic ********");
	ck_assert_str_eq(redacted("no token one two here", "Bearer one two"), "no token ******* here");
	ck_assert_str_eq(redacted("nothing", ""), "nothing");
	ck_assert_str_eq(redacted("", "key"), "");
}
END_TEST

START_TEST(redact_takes_a_password_with_spaces_whole)
{
	snprintf(text, sizeof(text), "open sesame, open se");
	redact(text, "open sesame");
	ck_assert_str_eq(text, "***********, *******");
	redact(text, "");
	ck_assert_str_eq(text, "***********, *******");
}
END_TEST

START_TEST(redact_knows_credentials_by_their_headers)
{
	ck_assert(redact_is_secret("DD-API-KEY"));
	ck_assert(redact_is_secret("Authorization"));
	ck_assert(!redact_is_secret("DD-EVP-ORIGIN"));
}
END_TEST

UNIT_TESTS("redact", redact_takes_each_whole_key_and_a_cut_one,
	   redact_takes_a_password_with_spaces_whole, redact_knows_credentials_by_their_headers)
