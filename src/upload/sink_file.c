/*
 * sink_file.c - a file appears under its name when it is whole, or not at all.
 *
 *     <prefix>.<pid>.<seq>.pprof.<random>.part --rename, never over another--> <prefix>.<pid>.<seq>.pprof
 *
 * The name written aside does not match *.pprof, and is random because two containers may
 * share a directory and a pid.
 *
 * Locking: none, the uploader sends from one thread at a time.
 * Fork:    a child has another pid, so its sequence starts at 1.  It also has a copy of the
 *          descriptor of a file that the parent was writing: closing it by number might hit
 *          a file that is the program's by now, so it stays open until the child's exec or end.
 */
#include <config.h>

#include "upload/sink_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/clocks.h"
#include "runtime/error.h"
#include "runtime/rng.h"

struct sink_file {
	struct sink sink;	/* first */
	char *prefix;		/* absolute */
	pid_t pid;		/* of the sequence */
	unsigned sequence;	/* the number to try next */
	struct rng rng;
};

/* A file being written. */
struct part {
	int fd, write_errno;
	uint64_t bytes;
	char path[PATH_MAX];
};

/* ---- the prefix ------------------------------------------------------------------------ */

static bool is_directory(const char *path)
{
	struct stat status;
	return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* The last part of a program's path; what a file can be called. */
static const char *program_name(const char *program)
{
	const char *slash = program ? strrchr(program, '/') : NULL;
	const char *name = slash ? slash + 1 : program;
	return name && *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 ? name : "python";
}

/* <working directory>/<output>[/<program>].  NULL with errno. */
static char *resolve(const char *output, const char *program)
{
	char directory[PATH_MAX] = "", *prefix = NULL;
	if (*output != '/' && !getcwd(directory, sizeof(directory)))
		return NULL;
	bool slashed = output[strlen(output) - 1] == '/';
	const char *slash = !slashed && is_directory(output) ? "/" : "";
	const char *name = slashed || *slash ? program_name(program) : "";
	if (asprintf(&prefix, "%s%s%s%s%s", directory, *output == '/' ? "" : "/", output, slash, name) < 0)
		return NULL;
	return prefix;
}

/* Only a path that fits: a cut one is another file's. */
static int check_length(int length)
{
	if (length > 0 && length < PATH_MAX)
		return OK;
	errno = ENAMETOOLONG;
	return ERR_IO;
}

/* One directory, if it is not there.  A parent may refuse mkdir and be there all the same. */
static int make_one(const char *path)
{
	if (mkdir(path, 0777) == 0 || errno == EEXIST)
		return OK;
	int refused = errno;
	if (is_directory(path))
		return OK;
	errno = refused;
	return ERR_IO;
}

/* mkdir -p of the prefix's directory; path: what could not be made. */
static int make_directory(const char *prefix, char path[PATH_MAX])
{
	for (const char *slash = strchr(prefix + 1, '/'); slash; slash = strchr(slash + 1, '/'))
		if (check_length(snprintf(path, PATH_MAX, "%.*s", (int)(slash - prefix), prefix)) || make_one(path))
			return ERR_IO;
	return OK;
}

/* ---- writing aside --------------------------------------------------------------------- */

static int open_part(struct sink_file *file, struct part *part)
{
	for (int tries = 0; tries < 100; tries++) {
		unsigned random = (unsigned)rng_next(&file->rng);
		if (check_length(snprintf(part->path, sizeof(part->path), "%s.%d.%u.pprof.%08x.part", file->prefix,
				  (int)file->pid, file->sequence, random)))
			return ERR_IO;
		part->fd = open(part->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
		if (part->fd >= 0)
			return OK;
		if (errno != EEXIST && errno != EINTR)
			break;
	}
	return ERR_IO;
}

/* A pprof_sink. */
static int write_part(void *context, const void *data, size_t size)
{
	struct part *part = context;
	for (const char *at = data; size;) {
		ssize_t n = write(part->fd, at, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			part->write_errno = n < 0 ? errno : ENOSPC;
			return ERR_IO;
		}
		at += n;
		size -= (size_t)n;
		part->bytes += (uint64_t)n;
	}
	return OK;
}

static int close_part(struct part *part, int error)
{
	if (close(part->fd) != 0 && errno != EINTR && !error) {		/* network file systems tell it here */
		part->write_errno = errno;
		return ERR_IO;
	}
	return error;
}

/* ---- publishing ------------------------------------------------------------------------ */

/* EEXIST rather than over a file.  Without the kernel's help a file that appears in between is lost. */
static int rename_new(const char *from, const char *to)
{
#ifdef RENAME_NOREPLACE
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return OK;
	if (errno != EINVAL && errno != ENOSYS)
		return ERR_IO;
#endif
	struct stat status;
	if (lstat(to, &status) == 0) {
		errno = EEXIST;
		return ERR_IO;
	}
	return rename(from, to) == 0 ? OK : ERR_IO;
}

/* Give the file its name: the first number that is free. */
static int publish(struct sink_file *file, const struct part *part, char path[PATH_MAX])
{
	do {
		if (check_length(snprintf(path, PATH_MAX, "%s.%d.%u.pprof", file->prefix, (int)file->pid, file->sequence)))
			return ERR_IO;
		file->sequence++;
		if (rename_new(part->path, path) == OK)
			return OK;
	} while (errno == EEXIST);
	return ERR_IO;
}

/* ---- the sink -------------------------------------------------------------------------- */

static void follow_fork(struct sink_file *file)
{
	if (file->pid == getpid())
		return;
	file->pid = getpid();
	file->sequence = 1;
	rng_seed(&file->rng, (uint64_t)clock_now_ns() ^ (uint64_t)file->pid << 32);
}

static int fill_part(struct builder *builder, struct part *part)
{
	int error = close_part(part, builder_encode(builder, write_part, part));
	if (!error)
		return OK;
	unlink(part->path);
	errno = part->write_errno;
	return part->write_errno ? builder_failed(builder, ERR_IO, "cannot write %s: %m", part->path)
				 : builder_failed(builder, error, "cannot write %s: %s", part->path, error_text(error));
}

static int send_with(struct sink_file *file, struct builder *builder, struct part *part, char path[PATH_MAX])
{
	if (make_directory(file->prefix, path))
		return builder_failed(builder, ERR_IO, "cannot make the directory %s: %m", path);
	if (open_part(file, part))
		return builder_failed(builder, ERR_IO, "cannot create %s: %m", part->path);
	int error = fill_part(builder, part);
	if (error)
		return error;
	if (publish(file, part, path)) {
		error = builder_failed(builder, ERR_IO, "cannot rename %s to %s: %m", part->path, path);
		unlink(part->path);
		return error;
	}
	builder_sent(builder, path, part->bytes);
	return OK;
}

static int file_send(struct sink *sink, struct builder *builder)
{
	struct sink_file *file = (struct sink_file *)sink;
	struct part *part = calloc(1, sizeof(*part));		/* two paths are much for a thread's small stack */
	char *path = malloc(PATH_MAX);
	int error = ERR_NOMEM;
	follow_fork(file);
	if (part && path)
		error = send_with(file, builder, part, path);
	else
		builder_failed(builder, error, "cannot write %s: %s", file->prefix, error_text(error));
	free(part);
	free(path);
	return error;
}

static void file_free(struct sink *sink)
{
	struct sink_file *file = (struct sink_file *)sink;
	free(file->prefix);
	free(file);
}

int sink_file_new(const char *output, const char *program, struct sink **sink)
{
	*sink = NULL;
	if (!output || !*output)
		return ERR_INVALID;
	struct sink_file *file = calloc(1, sizeof(*file));
	if (!file)
		return ERR_NOMEM;
	errno = 0;
	file->prefix = resolve(output, program);
	if (!file->prefix) {
		int error = errno == 0 || errno == ENOMEM ? ERR_NOMEM : ERR_IO;
		free(file);
		return error;
	}
	file->sink = (struct sink){.send = file_send, .free = file_free};
	*sink = &file->sink;
	return OK;
}
