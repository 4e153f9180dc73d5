/*
 * test_broken_pipe.c - a write nobody reads, and we live.
 */
#include <config.h>

#include "upload/broken_pipe.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static void break_one(void)
{
	int ends[2];
	ck_assert_int_eq(pipe(ends), 0);
	close(ends[0]);
	ck_assert_int_eq(write(ends[1], "x", 1), -1);
	close(ends[1]);
}

START_TEST(broken_pipe_is_not_noticed_between_begin_and_end)
{
	struct broken_pipe pipe;
	signal(SIGPIPE, SIG_DFL);
	broken_pipe_begin(&pipe);
	break_one();
	broken_pipe_end(&pipe);
	sigset_t blocked;
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	ck_assert_int_eq(sigismember(&blocked, SIGPIPE), 0);
}
END_TEST

/* What the program blocked and waits for is still there for it. */
START_TEST(broken_pipe_of_the_program_stays_its_own)
{
	struct broken_pipe pipe;
	sigset_t set, pending;
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	break_one();
	broken_pipe_begin(&pipe);
	break_one();
	broken_pipe_end(&pipe);
	sigpending(&pending);
	ck_assert_int_eq(sigismember(&pending, SIGPIPE), 1);
}
END_TEST

UNIT_TESTS("broken_pipe", broken_pipe_is_not_noticed_between_begin_and_end, broken_pipe_of_the_program_stays_its_own)
