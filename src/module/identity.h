/*
 * identity.h - who the process is, as the interpreter knows it.
 */
#ifndef SNECK_MODULE_IDENTITY_H
#define SNECK_MODULE_IDENTITY_H

#include "upload/process_identity.h"

/* With the GIL, at the start: later the program may have changed its arguments.  Imports nothing, raises nothing. */
void identity_gather(struct process_identity *identity);

#endif
