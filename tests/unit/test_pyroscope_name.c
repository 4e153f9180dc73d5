/*
 * test_pyroscope_name.c - whatever a service and its tags are called, the name parses.
 */
#include <config.h>

#include "upload/pyroscope_name.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

static void check_name(const char *application, const struct pyroscope_tag *tags, size_t n, const char *expected)
{
	char *name = pyroscope_name(application, tags, n, 0xabc);
	ck_assert_str_eq(name, expected);
	free(name);
}

START_TEST(name_holds_application_session_and_tags)
{
	const struct pyroscope_tag tags[] = {{"env", "prod"}, {"version", "1.2"}};
	check_name("shop.web-1/eu_2", tags, 2, "shop.web-1/eu_2{__session_id__=0000000000000abc,env=prod,version=1.2}");
}
END_TEST

START_TEST(name_has_no_character_that_its_grammar_refuses)
{
	const struct pyroscope_tag tags[] = {{"git.commit sha", "a,b}c{d=e\"\n"}, {"9lives", "\xc3\xbc \xff"},
					     {"Schl\xc3\xbcssel", "\x7f"}};
	check_name("my app{evil=1}\r\n\xc3\xbc\xff,", tags, 3,
		   "my_app_evil_1______{__session_id__=0000000000000abc,git_commit_sha=a_b_c_d=e__,_lives=\xc3\xbc ?,"
		   "Schl_ssel=_}");
}
END_TEST

START_TEST(name_is_never_empty)
{
	check_name("", NULL, 0, "python{__session_id__=0000000000000abc}");
}
END_TEST

START_TEST(name_leaves_out_tags_that_are_the_servers_or_say_nothing)
{
	const struct pyroscope_tag tags[] = {{"__name__", "x"}, {"service_name", "x"}, {"", "x"}, {"x", ""}, {NULL, NULL},
					     {"--x", "1"}, {"kept", "1"}};
	check_name("app", tags, 7, "app{__session_id__=0000000000000abc,kept=1}");
}
END_TEST

START_TEST(name_has_a_bounded_number_of_tags_of_a_bounded_size)
{
	struct pyroscope_tag tags[100];
	char keys[100][8], value[5000];
	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	for (int i = 0; i < 100; i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%d", i);
		tags[i] = (struct pyroscope_tag){keys[i], value};
	}
	char *name = pyroscope_name("app", tags, 100, 1);
	int n = 0;
	for (const char *at = name; (at = strchr(at, ',')); at++)
		n++;
	ck_assert_int_eq(n, PYROSCOPE_TAGS_MAX);
	ck_assert_uint_eq(strspn(strstr(name, "k0=") + 3, "v"), PYROSCOPE_VALUE_BYTES);
	free(name);
}
END_TEST

START_TEST(keys_of_labels_become_keys_of_the_server)
{
	char spaced[] = "lock name", hyphened[] = "re-entry", fine[] = "outcome";
	pyroscope_clean_key(spaced);
	pyroscope_clean_key(hyphened);
	pyroscope_clean_key(fine);
	ck_assert_str_eq(spaced, "lock_name");
	ck_assert_str_eq(hyphened, "re_entry");
	ck_assert_str_eq(fine, "outcome");
}
END_TEST

UNIT_TESTS("pyroscope_name", name_holds_application_session_and_tags, name_has_no_character_that_its_grammar_refuses,
	   name_is_never_empty, name_leaves_out_tags_that_are_the_servers_or_say_nothing,
	   name_has_a_bounded_number_of_tags_of_a_bounded_size, keys_of_labels_become_keys_of_the_server)
