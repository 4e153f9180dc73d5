/*
 * blob.h - bytes that grow, up to a limit.
 */
#ifndef SNECK_UPLOAD_BLOB_H
#define SNECK_UPLOAD_BLOB_H

#include <stddef.h>

struct blob {
	char *data;			/* from malloc: whose it is then is the user's matter */
	size_t size, room, limit;
};

/* A pprof_sink whose context is a blob.  ERR_LIMIT, ERR_NOMEM: what is there stays. */
int blob_append(void *blob, const void *data, size_t size);

#endif
