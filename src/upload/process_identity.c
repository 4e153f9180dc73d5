/*
 * process_identity.c - the command line, read once at the start.
 *
 * A child that multiprocessing spawned has a command line of multiprocessing's; it belongs to
 * the service its parent is, so its parent's is read.
 */
#include <config.h>

#include "upload/process_identity.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/utf8.h"
#include "upload/command_line.h"
#include "upload/service_name.h"

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static void set(char *to, const char *text)
{
	utf8_clean(to, IDENTITY_TEXT_MAX, text);
}

static void read_workdir(struct process_identity *identity)
{
	char directory[PATH_MAX];
	if (getcwd(directory, sizeof(directory)))
		set(identity->entrypoint_workdir, last_part(directory));
}

static void read_module(struct process_identity *identity, const char *module)
{
	strcpy(identity->entrypoint_type, "module");
	set(identity->entrypoint_name, module);
	set(identity->entrypoint_basedir, identity->entrypoint_workdir);	/* from where Python finds it */
}

static void read_script(struct process_identity *identity, const char *script)
{
	char path[PATH_MAX];
	strcpy(identity->entrypoint_type, "script");
	set(identity->entrypoint_name, last_part(script));
	char *dot = strrchr(identity->entrypoint_name, '.');
	if (dot && dot > identity->entrypoint_name)
		*dot = '\0';
	if (!realpath(script, path))
		return;
	*strrchr(path, '/') = '\0';
	set(identity->entrypoint_basedir, last_part(path));
}

/* What is __main__'s, and not a server's. */
static void read_main_package(struct process_identity *identity, const struct command_line *line)
{
	if (service_is_launched(line))
		return;
	if (line->module)
		set(identity->main_package, line->module);
	else if (!line->script || !service_name_of_path(identity->main_package, line->script))
		identity->main_package[0] = '\0';
	identity->main_package[strcspn(identity->main_package, ".")] = '\0';
}

static void read_line(struct process_identity *identity, const struct command_line *line,
		      char *(*look_up)(const char *name))
{
	service_name(identity->service, line, look_up);
	if (line->module)
		read_module(identity, line->module);
	else if (line->script)
		read_script(identity, line->script);
	read_main_package(identity, line);
}

/* False: the kernel does not tell. */
static bool read_process(struct process_identity *identity, pid_t pid, char *(*look_up)(const char *name))
{
	struct command_line line;
	size_t n;
	const char **words = command_line_of_process(pid, &n);
	if (!words)
		return false;
	command_line_parse(&line, words, n);
	read_line(identity, &line, look_up);
	free(words);
	return true;
}

/* sys.argv[0] of a program that has been at work on its arguments, or of an embedded interpreter. */
static bool is_path(const char *argv0)
{
	return *argv0 && *argv0 != '-';
}

void process_identity_read(struct process_identity *identity, const char *const *original, size_t n_original,
			   const char *argv0, char *(*look_up)(const char *name))
{
	struct command_line line;
	*identity = (struct process_identity){.service = ""};
	read_workdir(identity);
	command_line_parse(&line, original, n_original);
	if (command_line_is_spawned(&line) && read_process(identity, getppid(), look_up))
		return;
	if (!n_original && read_process(identity, getpid(), look_up))
		return;
	if (!line.module && !line.script && !line.code && is_path(argv0))
		line.script = argv0;
	read_line(identity, &line, look_up);
}
