/*
 * test_tags.c - what a variable says becomes a list, and nothing gets through it.
 */
#include <config.h>

#include "upload/tags.h"

#include <string.h>

#include "runtime/error.h"
#include "unit.h"

static size_t malformed;

/* The text of a list made from one variable, or two. */
static const char *parsed(const char *first, const char *second)
{
	static char text[4096];
	struct tags tags = TAGS_EMPTY;
	malformed = 0;
	ck_assert_int_eq(tags_parse(&tags, first, &malformed), OK);
	ck_assert_int_eq(tags_parse(&tags, second, &malformed), OK);
	char *joined = tags_text(&tags);
	ck_assert_uint_lt(strlen(joined), sizeof(text));
	strcpy(text, joined);
	free(joined);
	tags_free(&tags);
	return text;
}

START_TEST(tags_parse_takes_commas_and_spaces)
{
	static const struct {
		const char *text, *list;
		size_t malformed;
	} cases[] = {
		{"", "", 0},
		{" , ,, ", "", 0},
		{"team:core", "team:core", 0},
		{"team:core,tier:1", "team:core,tier:1", 0},
		{"team:core tier:1", "team:core,tier:1", 0},
		{"team:core, tier:1", "team:core,tier:1", 0},
		{" team : core , tier : 1 ", "team:core,tier:1", 0},
		{"url:http://x:80/a?b", "url:http://x:80/a?b", 0},
		{"note:two words,tier:1", "note:two words,tier:1", 0},
		{"note:two words", "note:two words", 0},
		{"a:1,a:2", "a:2", 0},
		{"alone,a:1", "a:1", 1},
		{"alone", "", 1},
		{"a:,b:1,:,::", "b:1", 3},
		{":a:1", "a:1", 0},
		{"a:1:", "a:1", 0},
		{"a::1", "a::1", 0},
		{"tier:1\n", "tier:1", 0},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		ck_assert_str_eq(parsed(cases[i].text, NULL), cases[i].list);
		ck_assert_msg(malformed == cases[i].malformed, "%s: %zu malformed", cases[i].text, malformed);
	}
}
END_TEST

START_TEST(tags_of_the_later_variable_win)
{
	ck_assert_str_eq(parsed("a:1,b:2", "b:3 c:4"), "a:1,b:3,c:4");
	ck_assert_str_eq(parsed(NULL, "a:1"), "a:1");
}
END_TEST

static const char *cleaned(const char *key, const char *value)
{
	static char text[4096];
	struct tags tags = TAGS_EMPTY;
	int error = tags_set(&tags, key, value);
	char *joined = tags_text(&tags);
	strcpy(text, joined);
	ck_assert(error == OK || (error == ERR_INVALID && !*text));
	free(joined);
	tags_free(&tags);
	return error ? "(none)" : text;
}

START_TEST(tags_cannot_carry_a_header_or_another_tag)
{
	ck_assert_str_eq(cleaned("a", "x\r\nDD-API-KEY: y"), "a:x__DD-API-KEY: y");
	ck_assert_str_eq(cleaned("a\nb", "x"), "a_b:x");
	ck_assert_str_eq(cleaned("a", "one,two:three"), "a:one_two:three");
	ck_assert_str_eq(cleaned("a,b", "x"), "a_b:x");
	ck_assert_str_eq(cleaned("a:b", "x"), "a_b:x");
	ck_assert_str_eq(cleaned("a", "\x01\x7fx\xc2\x85y"), "a:__x_y");
	ck_assert_str_eq(cleaned("a", "\xff\xc3"), "a:\?\?");
	ck_assert_str_eq(cleaned("a", "caf\xc3\xa9 \xf0\x9f\x94\x92"), "a:caf\xc3\xa9 \xf0\x9f\x94\x92");
}
END_TEST

START_TEST(tags_without_key_or_value_are_refused)
{
	ck_assert_str_eq(cleaned("", "x"), "(none)");
	ck_assert_str_eq(cleaned(":", "x"), "(none)");
	ck_assert_str_eq(cleaned("a", ""), "(none)");
	ck_assert_str_eq(cleaned("a", " \n"), "(none)");
	ck_assert_str_eq(cleaned("a", ":::"), "(none)");
	ck_assert_str_eq(cleaned("a", "x::"), "a:x");
}
END_TEST

START_TEST(tags_are_cut_between_characters_at_their_limit)
{
	char value[2000] = "", expected[2000] = "k:";
	for (int i = 0; i < 300; i++)
		strcat(value, "\xe2\x82\xac");
	for (int i = 0; i < TAG_CHARACTERS - 2; i++)
		strcat(expected, "\xe2\x82\xac");
	ck_assert_str_eq(cleaned("k", value), expected);
	memset(value, 'k', TAG_CHARACTERS + 10);
	value[TAG_CHARACTERS - 2] = '\0';
	strcpy(expected, value);
	strcat(expected, ":v");
	ck_assert_str_eq(cleaned(value, "vv"), expected);
	value[TAG_CHARACTERS - 2] = 'k';
	value[TAG_CHARACTERS - 1] = '\0';
	ck_assert_str_eq(cleaned(value, "v"), "(none)");	/* all of it key */
	memset(value, 'v', 197);
	strcpy(value + 197, ":tail");
	ck_assert_uint_eq(strlen(cleaned("k", value)), 199);	/* cut behind a colon, which goes too */
}
END_TEST

START_TEST(tags_of_a_list_can_be_asked_for_and_removed)
{
	struct tags tags = TAGS_EMPTY, more = TAGS_EMPTY;
	ck_assert_int_eq(tags_set(&tags, "env", "prod"), OK);
	ck_assert_int_eq(tags_set(&tags, "environment", "x"), OK);
	ck_assert_int_eq(tags_add(&tags, "env", "test"), OK);
	ck_assert_str_eq(tags_get(&tags, "env"), "prod");
	ck_assert_ptr_null(tags_get(&tags, "en"));
	ck_assert_int_eq(tags_set(&tags, "env", ""), ERR_INVALID);
	ck_assert_str_eq(tags_get(&tags, "env"), "prod");
	tags_remove(&tags, "none");
	tags_remove(&tags, "env");
	ck_assert_ptr_null(tags_get(&tags, "env"));
	ck_assert_uint_eq(tags.n, 1);
	ck_assert_int_eq(tags_parse(&more, "environment:y,z:1", &malformed), OK);
	ck_assert_int_eq(tags_add_all(&tags, &more), OK);
	char *text = tags_text(&tags);
	ck_assert_str_eq(text, "environment:x,z:1");
	free(text);
	tags_free(&tags);
	tags_free(&more);
}
END_TEST

UNIT_TESTS("tags", tags_parse_takes_commas_and_spaces, tags_of_the_later_variable_win,
	   tags_cannot_carry_a_header_or_another_tag, tags_without_key_or_value_are_refused,
	   tags_are_cut_between_characters_at_their_limit, tags_of_a_list_can_be_asked_for_and_removed)
