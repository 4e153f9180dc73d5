/*
 * multi_handle.c - guess, then prove.
 *
 * The kernel hands out the lowest free numbers, so a pair made and closed right before tells
 * where libcurl's will be, unless another thread is faster.  The proof: a call to wake the
 * handle up makes that very descriptor readable; and the two ends of a pair have inode
 * numbers in a row.  Newer versions have one eventfd, which proves by itself.
 */
#include <config.h>

#include "upload/multi_handle.h"

#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static bool guess(int descriptors[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, descriptors) != 0)
		return false;
	close(descriptors[0]);
	close(descriptors[1]);
	return true;
}

static bool is_readable(int descriptor)
{
	struct pollfd look = {.fd = descriptor, .events = POLLIN};
	return poll(&look, 1, 0) == 1 && look.revents == POLLIN;
}

static bool are_pair(int a, int b)
{
	struct stat one, other;
	return fstat(a, &one) == 0 && fstat(b, &other) == 0 && S_ISSOCK(one.st_mode) && S_ISSOCK(other.st_mode) &&
	       (one.st_ino + 1 == other.st_ino || other.st_ino + 1 == one.st_ino);
}

static int keep_from_exec(int descriptor)
{
	int flags = fcntl(descriptor, F_GETFD);
	if (flags >= 0)
		(void)fcntl(descriptor, F_SETFD, flags | FD_CLOEXEC);
	return descriptor;
}

CURLM *multi_handle_new(const struct curl_calls *curl, int descriptors[2])
{
	int guessed[2];
	bool has_guess = guess(guessed);
	CURLM *multi = curl->multi_init();
	descriptors[0] = descriptors[1] = -1;
	if (!multi || !has_guess || is_readable(guessed[0]))
		return multi;
	curl->multi_wakeup(multi);	/* costs the first wait, which returns at once */
	if (!is_readable(guessed[0]))
		return multi;
	descriptors[0] = keep_from_exec(guessed[0]);
	if (are_pair(guessed[0], guessed[1]))
		descriptors[1] = keep_from_exec(guessed[1]);
	return multi;
}
