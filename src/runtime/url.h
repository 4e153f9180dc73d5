/*
 * url.h - what of a URL is not for everybody's eyes.
 */
#ifndef SNECK_RUNTIME_URL_H
#define SNECK_RUNTIME_URL_H

/* In place, of each URL in the text: scheme://user:password@host becomes scheme://host. */
void url_cut_userinfo(char *text);

#endif
