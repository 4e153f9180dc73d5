/*
 * curl_calls.c - all of _sneck_curl.so: the table, which the dynamic linker fills in.
 */
#include <config.h>

#include "upload/curl_calls.h"

const struct curl_calls sneck_curl_calls = {
	.rows = curl_calls_rows,
#define CURL_CALL(name) .name = curl_##name,
#include "upload/curl_calls.def"
#undef CURL_CALL
};
