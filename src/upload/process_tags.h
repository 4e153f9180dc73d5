/*
 * process_tags.h - how the process was started, in Datadog's own small vocabulary.
 */
#ifndef SNECK_UPLOAD_PROCESS_TAGS_H
#define SNECK_UPLOAD_PROCESS_TAGS_H

#include "upload/process_identity.h"

/*
 * `entrypoint.basedir:x,entrypoint.name:y,...`, sorted by key; what is unknown is left out.
 * user_service: the service as the user named it, or NULL if it was inferred.  From malloc;
 * NULL without memory.  Gives.
 */
char *process_tags(const struct process_identity *identity, const char *user_service);

#endif
