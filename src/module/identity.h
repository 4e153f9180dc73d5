/*
 * identity.h - the process as its interpreter knows it: sys.orig_argv, sys.argv, the version.
 */
#ifndef SNECK_MODULE_IDENTITY_H
#define SNECK_MODULE_IDENTITY_H

#include "upload/process_identity.h"

/* With the GIL.  Never fails, knows less instead; leaves no exception. */
void identity_read(struct process_identity *identity);

#endif
