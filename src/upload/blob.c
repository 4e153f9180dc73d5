/*
 * blob.c - doubles, so that a profile is copied a few times at most.
 */
#include <config.h>

#include "upload/blob.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"

static int grow(struct blob *blob, size_t size)
{
	size_t room = blob->room ? blob->room : 4096;
	while (room < size)
		room *= 2;
	char *grown = realloc(blob->data, room);
	if (!grown)
		return ERR_NOMEM;
	blob->data = grown;
	blob->room = room;
	return OK;
}

int blob_append(void *context, const void *data, size_t size)
{
	struct blob *blob = context;
	if (size > blob->limit - blob->size)
		return ERR_LIMIT;
	if (blob->size + size > blob->room && grow(blob, blob->size + size))
		return ERR_NOMEM;
	memcpy(blob->data + blob->size, data, size);
	blob->size += size;
	return OK;
}
