/*
 * event_json.h - the description that goes with a profile: event.json, version 4.
 */
#ifndef SNECK_UPLOAD_EVENT_JSON_H
#define SNECK_UPLOAD_EVENT_JSON_H

#include <jansson.h>
#include <stdint.h>

#include "runtime/options.h"
#include "upload/uploader.h"

struct event {
	const char *attachment;		/* the name of the profile's part */
	const char *tags;		/* k:v,k:v */
	const char *process_tags;	/* the same form, or NULL */
	int64_t start_ns, end_ns;	/* since 1970 */
	json_t *internal, *info;	/* borrowed; NULL: an empty one */
};

/* From malloc, or NULL without memory.  Gives. */
char *event_json(const struct event *event);

/*
 * What we counted since the process began: samples, drops, failures, overflow.  A new
 * reference, or NULL.
 */
json_t *event_internal(const struct uploader_status *uploader);

/*
 * {"profiler": {"settings": {option: value}}}.  Numbers and truths, and those texts that say how
 * the profiler works: no other text of the user's, which might be a secret.  New, or NULL.
 */
json_t *event_info(const struct options *options);

/* "2026-03-07T09:05:01.000000123Z"; room for it. */
enum { EVENT_TIME_MAX = 64 };
void event_time(char text[EVENT_TIME_MAX], int64_t ns);

#endif
