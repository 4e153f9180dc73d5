/*
 * pprof_stream.h - a pprof message by message into the compressor.
 *
 * A protobuf message may be written in parts that add up: a Profile with one sample, then
 * one with the next.  So each part is packed by itself, and none is ever in memory whole.
 */
#ifndef SNECK_UPLOAD_PPROF_STREAM_H
#define SNECK_UPLOAD_PPROF_STREAM_H

#include <zlib.h>

#include "upload/pprof.h"
#include "upload/profile.pb-c.h"

enum { PPROF_BUFFER_BYTES = 16 << 10 };	/* of each side of the compressor */

/* Too large for a small stack. */
struct pprof_stream {
	ProtobufCBuffer base;		/* first: protobuf-c hands this back to append() */
	pprof_sink sink;
	void *context;
	int error;			/* the first one; nothing is done after it */
	size_t plain_bytes;		/* written until now, before compression */
	z_stream z;
	size_t in_used;
	unsigned char in[PPROF_BUFFER_BYTES], out[PPROF_BUFFER_BYTES];
};

/* ERR_NOMEM.  What came of all that was put, pprof_stream_end tells; it frees in any case. */
int pprof_stream_begin(struct pprof_stream *stream, pprof_sink sink, void *context);
int pprof_stream_end(struct pprof_stream *stream);

/* A Profile that holds the next part: PPROF_PUT(stream, .n_sample = 1, .sample = &sample). */
void pprof_stream_put(struct pprof_stream *stream, const Pprof__Profile *part);
#define PPROF_PUT(stream, ...) \
	pprof_stream_put(stream, &(Pprof__Profile){PROTOBUF_C_MESSAGE_INIT(&pprof__profile__descriptor), __VA_ARGS__})

/* The next entry of the string table. */
void pprof_stream_put_string(struct pprof_stream *stream, const char *text);

/* The one place where estimates become whole numbers. */
int64_t pprof_round(double value);

#endif
