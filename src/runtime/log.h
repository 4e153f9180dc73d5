/*
 * log.h - one line on the standard error output, rarely.
 *
 * For what went wrong and the user can act on; never from the sampling path.  Any thread,
 * with or without the GIL; takes LOCK_RANK_LOG alone.  errno stays what it was.
 */
#ifndef SNECK_RUNTIME_LOG_H
#define SNECK_RUNTIME_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest line, its end included; a longer one is cut and ends in "...". */
enum { LOG_LINE_MAX = 512 };

/*
 * Write "sneck: <text>", unless a line of this kind was written within the last minute: then
 * count it, and tell the count with the next.  kind is a word, kept (a literal).  Control
 * characters in the text are escaped.  Use no %f: a locale may change its point.
 */
void log_once(const char *kind, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Say nothing at all, or speak again.  What is not said is counted. */
void log_set_quiet(bool quiet);

/* Lines not written since the start of the process: too soon, or quiet. */
uint64_t log_suppressed(void);

/* Where lines go: one write(2) to file descriptor 2, or a test's. */
extern void (*log_writer)(const char *line, size_t size);

void log_prefork(void);
void log_postfork_parent(void);
void log_postfork_child(void);

#endif
