/*
 * command_line.h - what a Python was started to run: a module, a script, or code.
 */
#ifndef SNECK_UPLOAD_COMMAND_LINE_H
#define SNECK_UPLOAD_COMMAND_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Borrows the words it was parsed from. */
struct command_line {
	const char *module;		/* of -m; or NULL */
	const char *script;		/* a path; or NULL */
	const char *code;		/* of -c; or NULL */
	const char *const *arguments;	/* what follows */
	size_t n_arguments;
};

/* words: as in sys.orig_argv.  Where the first is no python, it is itself the program (uWSGI). */
void command_line_parse(struct command_line *line, const char *const *words, size_t n);

/* Is it a child that multiprocessing started anew, which its parent's command line explains? */
bool command_line_is_spawned(const struct command_line *line);

/* What a process was started with, from the kernel, ended by NULL; one malloc, or NULL.  Gives. */
const char **command_line_of_process(pid_t pid, size_t *n);

#endif
