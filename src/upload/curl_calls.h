/*
 * curl_calls.h - libcurl's functions as a table, so that who calls them need not be linked with it.
 *
 *     curl->multi_poll(multi, NULL, 0, wait_ms, NULL);
 *     CURL_SETOPT(curl, easy, CURLOPT_NOSIGNAL, 1L);
 *
 * _sneck_curl.so is linked with it, and has this table alone; curl_library.c gets it from there.
 */
#ifndef SNECK_UPLOAD_CURL_CALLS_H
#define SNECK_UPLOAD_CURL_CALLS_H

#include <curl/curl.h>

/* The rows by name: a table of another build tells itself by them. */
static const char curl_calls_rows[] =
#define CURL_CALL(name) #name " "
#include "upload/curl_calls.def"
#undef CURL_CALL
	;

struct curl_calls {
	const char *rows;	/* first in every build */
#define CURL_CALL(name) __typeof__(curl_##name) *name;
#include "upload/curl_calls.def"
#undef CURL_CALL
};

#define CURL_CALLS_SYMBOL "sneck_curl_calls"
extern __attribute__((visibility("default"))) const struct curl_calls sneck_curl_calls;

/*
 * These two take anything.  With gcc, curl.h has macros of their names that hold a value against
 * its option, and then call the name; here that name is the table's.
 */
#define CURL_SETOPT(calls, easy, option, value) CURL_CHECKED_(calls, easy_setopt, easy, option, value)
#define CURL_GETINFO(calls, easy, info, value) CURL_CHECKED_(calls, easy_getinfo, easy, info, value)
#define CURL_CHECKED_(calls, name, easy, what, value) \
	__extension__({ \
		_Pragma("GCC diagnostic push") \
		_Pragma("GCC diagnostic ignored \"-Wshadow\"") \
		__typeof__(curl_##name) *curl_##name = (calls)->name; \
		_Pragma("GCC diagnostic pop") \
		curl_##name(easy, what, value); \
	})

#endif
