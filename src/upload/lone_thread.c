/*
 * lone_thread.c - the kernel's own count of a process's threads, as CPython takes it too.
 */
#include <config.h>

#include "upload/lone_thread.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int kernel_thread_count(void)
{
	/* pid (name) state, then numbers; num_threads is the 18th field behind the name */
	char text[512];
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	const char *at = strrchr(text, ')');
	for (int field = 0; at && field < 18; field++)
		at = strchr(at + 1, ' ');
	int count = 0;
	return at && sscanf(at, " %d", &count) == 1 ? count : 0;
}
