/*
 * pprof_stream.c - message -> protobuf-c -> gzip -> sink, through two buffers.
 */
#include <config.h>

#include "upload/pprof_stream.h"

#include <math.h>
#include <string.h>

#include "runtime/error.h"

enum {
	GZIP_WINDOW_BITS = 15 + 16,	/* zlib's: the largest window, gzip's header */
	GZIP_MEMORY_LEVEL = 8,		/* zlib's default */
};

/* Compress what is buffered; with Z_FINISH to the end. */
static void compress_input(struct pprof_stream *stream, int flush)
{
	z_stream *z = &stream->z;
	z->next_in = stream->in;
	z->avail_in = (uInt)stream->in_used;
	stream->in_used = 0;
	do {
		z->next_out = stream->out;
		z->avail_out = sizeof(stream->out);
		deflate(z, flush);	/* fails only on a misuse of its own */
		size_t n = sizeof(stream->out) - z->avail_out;
		if (n && !stream->error)
			stream->error = stream->sink(stream->context, stream->out, n);
	} while (z->avail_out == 0 && !stream->error);
}

static void append(ProtobufCBuffer *base, size_t length, const uint8_t *data)
{
	struct pprof_stream *stream = (struct pprof_stream *)base;
	stream->plain_bytes += length;
	while (length && !stream->error) {
		size_t room = sizeof(stream->in) - stream->in_used, n = length < room ? length : room;
		memcpy(stream->in + stream->in_used, data, n);
		stream->in_used += n;
		data += n;
		length -= n;
		if (stream->in_used == sizeof(stream->in))
			compress_input(stream, Z_NO_FLUSH);
	}
}

int pprof_stream_begin(struct pprof_stream *stream, pprof_sink sink, void *context)
{
	memset(stream, 0, sizeof(*stream));
	stream->base.append = append;
	stream->sink = sink;
	stream->context = context;
	return deflateInit2(&stream->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS, GZIP_MEMORY_LEVEL,
			    Z_DEFAULT_STRATEGY) == Z_OK ? OK : ERR_NOMEM;
}

int pprof_stream_end(struct pprof_stream *stream)
{
	if (!stream->error)
		compress_input(stream, Z_FINISH);
	deflateEnd(&stream->z);
	return stream->error;
}

void pprof_stream_put(struct pprof_stream *stream, const Pprof__Profile *part)
{
	if (!stream->error)
		pprof__profile__pack_to_buffer(part, &stream->base);
}

void pprof_stream_put_string(struct pprof_stream *stream, const char *text)
{
	char *string = (char *)(uintptr_t)text;		/* protobuf-c has no const; packing only reads */
	PPROF_PUT(stream, .n_string_table = 1, .string_table = &string);
}

int64_t pprof_round(double value)
{
	return value < 0x1p63 - 1024 ? (int64_t)round(value) : INT64_MAX;	/* 1024: doubles there are that coarse */
}
