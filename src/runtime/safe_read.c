/*
 * safe_read.c - let the kernel touch the doubtful memory: it answers EFAULT, not SIGSEGV.
 *
 * process_vm_readv() on ourselves; where a sandbox forbids it, a write to a pipe of our own
 * and a read from it.
 */
#include <config.h>

#include "runtime/safe_read.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

static ssize_t retry_write(int fd, const void *data, size_t size)
{
	ssize_t n;
	do {
		n = write(fd, data, size);
	} while (n < 0 && errno == EINTR);
	return n;
}

static ssize_t retry_read(int fd, void *data, size_t size)
{
	ssize_t n;
	do {
		n = read(fd, data, size);
	} while (n < 0 && errno == EINTR);
	return n;
}

static bool read_by_pipe(uintptr_t address, void *out, size_t size)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
		return false;
	bool good = retry_write(ends[1], (const void *)address, size) == (ssize_t)size &&
		    retry_read(ends[0], out, size) == (ssize_t)size;
	close(ends[0]);
	close(ends[1]);
	return good;
}

bool safe_read(uintptr_t address, void *out, size_t size)
{
	if (!address || size > SAFE_READ_MAX)
		return false;
	int saved_errno = errno;
	struct iovec to = {out, size}, from = {(void *)address, size};
	ssize_t n = process_vm_readv(getpid(), &to, 1, &from, 1, 0);
	bool good = n == (ssize_t)size;
	if (n < 0 && errno != EFAULT)
		good = read_by_pipe(address, out, size);
	errno = saved_errno;
	return good;
}
