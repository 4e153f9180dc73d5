/*
 * multi_handle.h - libcurl's multi handle, and the descriptors it keeps for its own wake-ups.
 *
 * libcurl tells nobody which they are, and up to its version 8 makes them without
 * close-on-exec: without this each child of a fork in the middle of an upload had two
 * descriptors more, and so had what it executed.
 */
#ifndef SNECK_UPLOAD_MULTI_HANDLE_H
#define SNECK_UPLOAD_MULTI_HANDLE_H

#include "upload/curl_calls.h"

/* NULL without memory.  A descriptor that could not be told is -1. */
CURLM *multi_handle_new(const struct curl_calls *curl, int descriptors[2]);

#endif
