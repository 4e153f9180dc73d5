/*
 * broken_pipe.c - block it, and take what came meanwhile.
 */
#include <config.h>

#include "upload/broken_pipe.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

static bool is_pending(void)
{
	sigset_t pending;
	return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

static void only_sigpipe(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGPIPE);
}

void broken_pipe_begin(struct broken_pipe *pipe)
{
	sigset_t set;
	only_sigpipe(&set);
	pipe->was_pending = is_pending();
	pthread_sigmask(SIG_BLOCK, &set, &pipe->before);
}

void broken_pipe_end(struct broken_pipe *pipe)
{
	const struct timespec at_once = {0, 0};
	int saved = errno;
	sigset_t set;
	only_sigpipe(&set);
	if (!pipe->was_pending && is_pending())
		while (sigtimedwait(&set, NULL, &at_once) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &pipe->before, NULL);
	errno = saved;
}
