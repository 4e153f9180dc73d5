/*
 * linked_curl.h - for a program that is linked with libcurl itself: nothing is loaded.
 */
#ifndef SNECK_TESTS_LINKED_CURL_H
#define SNECK_TESTS_LINKED_CURL_H

#include "upload/curl_library.h"

__attribute__((constructor)) static void link_curl(void)
{
	curl_library_linked = &sneck_curl_calls;
}

#endif
