/*
 * datadog_tags.h - the tags of every profile: ours, and the user's.
 */
#ifndef SNECK_UPLOAD_DATADOG_TAGS_H
#define SNECK_UPLOAD_DATADOG_TAGS_H

#include "upload/sink_datadog.h"
#include "upload/tags.h"

struct datadog_tags {
	struct tags unified;		/* env, service, version: as far as they are known */
	struct tags user;		/* all that stays the same but is not ours */
	bool is_user_service;		/* named by the user, not inferred */
	size_t malformed;		/* entries of the variables that were no tags */
};

/* ERR_NOMEM; free in any case. */
int datadog_tags_init(struct datadog_tags *tags, const struct datadog_config *config);
void datadog_tags_free(struct datadog_tags *tags);

/* tags_profiler of an upload made now: with this process's pid and runtime id.  NULL without memory.  Gives. */
char *datadog_tags_text(const struct datadog_tags *tags, const char *python_version);

#endif
