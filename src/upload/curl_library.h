/*
 * curl_library.h - libcurl, loaded where something is to be sent, and not before.
 *
 * It brings some forty libraries along, whose mappings each fork of the process copies: a program
 * that writes files does without.
 */
#ifndef SNECK_UPLOAD_CURL_LIBRARY_H
#define SNECK_UPLOAD_CURL_LIBRARY_H

#include "upload/curl_calls.h"

enum { CURL_LIBRARY_PROBLEM_MAX = 224 };

/*
 * Its functions, from _sneck_curl.so beside our own library; for good.  One call at a time.
 * NULL: problem has what is missing and what to do, and another try may be made.
 */
const struct curl_calls *curl_library_load(char problem[CURL_LIBRARY_PROBLEM_MAX]);

/* NULL, or the table to give instead: of a program that is linked with libcurl, as tests are. */
extern const struct curl_calls *curl_library_linked;

#endif
