/*
 * log.c - lines with a rate limit, one table entry a kind.
 *
 * A line is put together on the stack and leaves in one write, so that lines of several
 * threads and processes do not mix, and nothing is allocated.
 *
 * Locking: log_lock (LOCK_RANK_LOG) guards the table; the write itself happens outside, as
 *          a terminal may be slow.
 * Fork:    the child keeps the table, so a fork does not repeat its parent's lines.
 */
#include <config.h>

#include "runtime/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/clocks.h"
#include "runtime/fork.h"
#include "runtime/mutex.h"

/* The most often that a kind speaks: what a person tolerates in a log of days. */
static const int64_t period_ns = 60 * INT64_C(1000000000);

/* More kinds than the code has, each option's variables included; beyond, they share the last. */
enum { KINDS_MAX = 192 };

struct kind {
	const char *name;	/* NULL: free */
	bool has_spoken;
	int64_t last_ns;
	uint64_t repeats;	/* since last_ns, not written */
};

static struct mutex log_lock SNECK_AT_FORK = MUTEX_INITIALIZER(LOCK_RANK_LOG);
static struct kind kinds[KINDS_MAX];
static uint64_t suppressed;
static bool is_quiet;

static void write_to_stderr(const char *line, size_t size)
{
	/* A line lost is a line lost: there is nobody to tell. */
	ssize_t written = write(STDERR_FILENO, line, size);
	(void)written;
}

void (*log_writer)(const char *line, size_t size) = write_to_stderr;

/* ---- the rate ------------------------------------------------------------------------ */

/* Its entry, made if it has none yet. */
static struct kind *find_kind(const char *name)
{
	size_t i = 0;
	while (i < KINDS_MAX - 1 && kinds[i].name && strcmp(kinds[i].name, name))
		i++;
	kinds[i].name = name;
	return &kinds[i];
}

static bool may_speak(const struct kind *kind, int64_t now)
{
	return !is_quiet && (!kind->has_spoken || now - kind->last_ns >= period_ns);
}

/* Whether to write; *repeats: how many were not written since the last one. */
static bool take_turn(const char *name, uint64_t *repeats)
{
	int64_t now = clock_monotonic_ns();
	mutex_lock(&log_lock);
	struct kind *kind = find_kind(name);
	bool speaks = may_speak(kind, now);
	if (speaks) {
		*repeats = kind->repeats;
		*kind = (struct kind){.name = name, .has_spoken = true, .last_ns = now};
	} else {
		kind->repeats++;
		suppressed++;
	}
	mutex_unlock(&log_lock);
	return speaks;
}

/* ---- the line ------------------------------------------------------------------------ */

/* How many bytes at text are one control character: 0, 1, or 2 (U+0080 to U+009F). */
static size_t control_size(const unsigned char *text)
{
	if (*text < 0x20 || *text == 0x7f)
		return 1;
	return *text == 0xc2 && text[1] >= 0x80 && text[1] <= 0x9f ? 2 : 0;
}

/* Append text to line, escaped, leaving room for the end of the line; false: it was cut. */
static bool append_escaped(char *line, size_t *size, const char *text)
{
	const size_t room = LOG_LINE_MAX - sizeof("...\n");
	const unsigned char *byte = (const unsigned char *)text;
	while (*byte) {
		size_t controls = control_size(byte);
		if (*size + (controls ? 4 * controls : 1) > room)
			return false;
		if (!controls)
			line[(*size)++] = (char)*byte++;
		for (; controls > 0; controls--)
			*size += (size_t)snprintf(line + *size, LOG_LINE_MAX - *size, "\\x%02x", *byte++);
	}
	return true;
}

static void write_line(const char *text)
{
	char line[LOG_LINE_MAX] = "sneck: ";
	size_t size = strlen(line);
	const char *end = append_escaped(line, &size, text) ? "\n" : "...\n";
	memcpy(line + size, end, strlen(end));
	log_writer(line, size + strlen(end));
}

void log_once(const char *kind, const char *format, ...)
{
	int saved_errno = errno;
	uint64_t repeats;
	if (take_turn(kind, &repeats)) {
		char text[LOG_LINE_MAX];
		size_t prefix = 0;
		if (repeats)
			prefix = (size_t)snprintf(text, sizeof(text), "(%llu more like this since the last one) ",
						  (unsigned long long)repeats);
		va_list arguments;
		va_start(arguments, format);
		vsnprintf(text + prefix, sizeof(text) - prefix, format, arguments);
		va_end(arguments);
		write_line(text);
	}
	errno = saved_errno;
}

void log_set_quiet(bool quiet)
{
	mutex_lock(&log_lock);
	is_quiet = quiet;
	mutex_unlock(&log_lock);
}

uint64_t log_suppressed(void)
{
	mutex_lock(&log_lock);
	uint64_t lines = suppressed;
	mutex_unlock(&log_lock);
	return lines;
}

void log_prefork(void)
{
	mutex_lock(&log_lock);
}

void log_postfork_parent(void)
{
	mutex_unlock(&log_lock);
}

SNECK_FORK_CODE void log_postfork_child(void)
{
	mutex_postfork_child(&log_lock);
}
