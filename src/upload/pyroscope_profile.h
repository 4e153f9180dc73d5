/*
 * pyroscope_profile.h - a builder's profile in the shape that a Pyroscope server takes.
 */
#ifndef SNECK_UPLOAD_PYROSCOPE_PROFILE_H
#define SNECK_UPLOAD_PYROSCOPE_PROFILE_H

#include "upload/builder.h"

/*
 * One payload a kind, named as the kind; more where rows or bytes pass the server's limits;
 * none of a kind without a sample.  thread_ids: labels too, as texts.  ERR_NOMEM.
 */
int pyroscope_encode(struct builder *builder, bool thread_ids);

#endif
