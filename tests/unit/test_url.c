/*
 * test_url.c - no password is left.
 */
#include <config.h>

#include "runtime/url.h"

#include <stdio.h>

#include "unit.h"

START_TEST(url_loses_its_userinfo_alone)
{
	static const char *const cases[][2] = {
		{"", ""},
		{"http://localhost:8126", "http://localhost:8126"},
		{"http://user:pw@localhost:8126/x", "http://localhost:8126/x"},
		{"https://token@host", "https://host"},
		{"https://a@b:p,w @host?q=@", "https://host?q=@"},
		{"https://host/a@b", "https://host/a@b"},
		{"git@github.com:org/repo.git", "git@github.com:org/repo.git"},
		{"a:http://u:p@x/y,b:https://v:q@z,c:me@home", "a:http://x/y,b:https://home"},
		{"http://u:p@", "http://"},
		{"://", "://"},
		{"u://v://w@x", "u://v://x"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[64];
		snprintf(text, sizeof(text), "%s", cases[i][0]);
		url_cut_userinfo(text);
		ck_assert_str_eq(text, cases[i][1]);
	}
}
END_TEST

UNIT_TESTS("url", url_loses_its_userinfo_alone)
