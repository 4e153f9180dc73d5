/*
 * service_name.h - what to call a service that nobody gave a name.
 */
#ifndef SNECK_UPLOAD_SERVICE_NAME_H
#define SNECK_UPLOAD_SERVICE_NAME_H

#include "upload/command_line.h"
#include "upload/process_identity.h"

/*
 * From what was started: the application of a known server (launchers.def), else the module
 * of -m, else as ddtrace calls a script: its package, or the topmost directory above it that
 * holds Python files; else the program's own name.  "" for code and a shell.
 */
void service_name(char name[IDENTITY_TEXT_MAX], const struct command_line *line, char *(*look_up)(const char *name));

/*
 * The package a script or directory is in, dotted: false if it is in none, and then name is
 * the topmost directory above it with Python files, or "".
 */
bool service_name_of_path(char name[IDENTITY_TEXT_MAX], const char *path);

/* Is it run for an application that is another's? */
bool service_is_launched(const struct command_line *line);

#endif
