/*
 * url.c - by the one rule that all agree on: an authority ends at / ? or #, its userinfo at the last @.
 *
 * Commas and spaces do not end it, as a password may have them: of a list of URLs too much may go, never too little.
 */
#include <config.h>

#include "runtime/url.h"

#include <string.h>

void url_cut_userinfo(char *text)
{
	for (char *authority = text; (authority = strstr(authority, "://"));) {
		authority += 3;
		char *at = memrchr(authority, '@', strcspn(authority, "/?#"));
		if (at)
			memmove(authority, at + 1, strlen(at));
	}
}
