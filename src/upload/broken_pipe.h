/*
 * broken_pipe.h - no SIGPIPE of ours reaches the program.
 *
 * libcurl asks for none on its sockets, but TLS libraries write by themselves.  The caller may
 * be a thread of the program's, which may have SIGPIPE at its default: death.
 */
#ifndef SNECK_UPLOAD_BROKEN_PIPE_H
#define SNECK_UPLOAD_BROKEN_PIPE_H

#include <signal.h>
#include <stdbool.h>

struct broken_pipe {
	sigset_t before;
	bool was_pending;
};

/* In one thread, in this order; the program's own pending SIGPIPE stays pending. */
void broken_pipe_begin(struct broken_pipe *pipe);
void broken_pipe_end(struct broken_pipe *pipe);

#endif
