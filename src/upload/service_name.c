/*
 * service_name.c - a server is named after its application, everything else after itself.
 *
 *     gunicorn -w 4 shop.wsgi:app        shop.wsgi         python -m shop.jobs     shop.jobs
 *     celery -A shop.tasks worker        shop.tasks        /srv/shop/manage.py     shop
 *     flask --app hello run              hello             /usr/bin/collect        collect
 */
#include <config.h>

#include "upload/service_name.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/utf8.h"

struct launcher {
	const char *name, *name_options, *app_options;
	bool takes_positional;
	const char *variable;
};

static const struct launcher launchers[] = {
#define LAUNCHER(...) {__VA_ARGS__},
#include "upload/launchers.def"
#undef LAUNCHER
};

static void set(char name[IDENTITY_TEXT_MAX], const char *text)
{
	utf8_clean(name, IDENTITY_TEXT_MAX, text);
}

/* ---- paths ----------------------------------------------------------------------------- */

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* To the directory above; false at the top. */
static bool go_up(char *path)
{
	char *slash = strrchr(path, '/');
	if (!slash || !slash[1])
		return false;
	slash[slash == path] = '\0';
	return true;
}

static bool is_directory(const char *path)
{
	struct stat status;
	return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static bool is_package(const char *directory)
{
	char path[PATH_MAX];
	return snprintf(path, sizeof(path), "%s/__init__.py", directory) < PATH_MAX && access(path, F_OK) == 0;
}

static bool ends_in_py(const char *name)
{
	size_t length = strlen(name);
	return length > 3 && !strcmp(name + length - 3, ".py");
}

static bool holds_python_files(const char *directory)
{
	DIR *dir = opendir(directory);
	bool found = false;
	for (struct dirent *entry; dir && !found && (entry = readdir(dir));)
		found = ends_in_py(entry->d_name);
	if (dir)
		closedir(dir);
	return found;
}

/* The dotted package that a directory is; "" if it is none. */
static void package_of(char name[IDENTITY_TEXT_MAX], char *directory)
{
	char dotted[PATH_MAX] = "", longer[PATH_MAX];
	while (is_package(directory)) {
		int n = snprintf(longer, sizeof(longer), "%s%s%s", last_part(directory), *dotted ? "." : "", dotted);
		if (n >= PATH_MAX || !go_up(directory))
			break;
		memcpy(dotted, longer, (size_t)n + 1);
	}
	set(name, dotted);
}

static void top_directory(char name[IDENTITY_TEXT_MAX], char *directory)
{
	set(name, last_part(directory));
	while (holds_python_files(directory)) {
		set(name, last_part(directory));
		if (!go_up(directory))
			break;
	}
}

bool service_name_of_path(char name[IDENTITY_TEXT_MAX], const char *path)
{
	char directory[PATH_MAX];
	name[0] = '\0';
	if (!realpath(path, directory) || (!is_directory(directory) && !go_up(directory)))
		return false;
	package_of(name, directory);
	if (*name)
		return true;
	top_directory(name, directory);
	return false;
}

/* pip puts commands into a directory bin; such a path tells nothing of the service. */
static bool is_command(const char *path)
{
	char directory[PATH_MAX];
	snprintf(directory, sizeof(directory), "%s", path);
	if (!strchr(path, '/'))
		return access(path, F_OK) != 0;
	if (!go_up(directory))
		return false;
	size_t length = strlen(directory);
	return length >= 3 && !strcmp(directory + length - 3, "bin");
}

static void own_name(char name[IDENTITY_TEXT_MAX], const char *path)
{
	set(name, last_part(path));
	if (ends_in_py(name))
		name[strlen(name) - 3] = '\0';
}

/* ---- applications ------------------------------------------------------------------------ */

static const char *program_of(const struct command_line *line)
{
	return line->module ? line->module : line->script ? last_part(line->script) : "";
}

static const struct launcher *launcher_of(const struct command_line *line)
{
	const char *program = program_of(line);
	for (size_t i = 0; i < sizeof(launchers) / sizeof(*launchers); i++)
		if (!strcmp(program, launchers[i].name))
			return &launchers[i];
	return NULL;
}

bool service_is_launched(const struct command_line *line)
{
	return launcher_of(line) != NULL;
}

/* Is the word's option among them?  Its value: behind '=', glued to a short option, or the next word. */
static const char *value_of(const char *option, const char *word, const char *next)
{
	size_t length = strcspn(option, " ");
	if (strncmp(word, option, length) != 0)
		return NULL;
	if (!word[length])
		return next;
	if (word[length] == '=')
		return word + length + 1;
	return length == 2 ? word + length : NULL;
}

static const char *value_of_any(const char *options, const char *word, const char *next)
{
	const char *value = NULL;
	for (; *options && !value; options += strcspn(options, " "), options += strspn(options, " "))
		value = value_of(options, word, next);
	return value;
}

static const char *option_value(const struct command_line *line, const char *options)
{
	const char *value = NULL;
	for (size_t i = 0; i < line->n_arguments && !value; i++)
		value = value_of_any(options, line->arguments[i], i + 1 < line->n_arguments ? line->arguments[i + 1] : NULL);
	return value;
}

/* Bytes of a dotted module at the front; 0: there is none. */
static size_t module_length(const char *text)
{
	size_t at = 0;
	for (bool begins = true; text[at]; at++) {
		unsigned char c = (unsigned char)text[at];
		if (c == '.' && !begins)
			begins = true;
		else if (c == '_' || c >= 0x80 || (begins ? isalpha(c) : isalnum(c)))
			begins = false;
		else
			break;
	}
	return at && text[at - 1] == '.' ? 0 : at;
}

/* What servers' options say before a colon: unix:shop.sock, file:shop.toml, egg:gunicorn#sync, tcp:port=80. */
static bool is_scheme(const char *word, size_t length)
{
	static const char *const schemes[] = {"egg", "fd", "file", "python", "ssl", "tcp", "unix"};
	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
		if (strlen(schemes[i]) == length && !strncmp(word, schemes[i], length))
			return true;
	return false;
}

/* "module:attribute", which "host:8000" and "unix:/path" are not. */
static bool names_attribute(const char *word)
{
	size_t length = module_length(word);
	return length && word[length] == ':' && module_length(word + length + 1) && !is_scheme(word, length);
}

/* A bare module: the value of no option, as far as one can see. */
static bool names_module(const char *word, const char *before)
{
	bool may_be_a_value = before && before[0] == '-' && !strchr(before, '=');
	size_t length = module_length(word);
	return length && !word[length] && !ends_in_py(word) && !may_be_a_value;
}

static const char *positional(const struct command_line *line)
{
	for (size_t i = 0; i < line->n_arguments; i++)
		if (names_attribute(line->arguments[i]))
			return line->arguments[i];
	for (size_t i = 0; i < line->n_arguments; i++)
		if (names_module(line->arguments[i], i ? line->arguments[i - 1] : NULL))
			return line->arguments[i];
	return NULL;
}

/* "shop.wsgi:app" is shop.wsgi, "shop.settings.production" is shop; a file is called as a script is. */
static void set_application(char name[IDENTITY_TEXT_MAX], const char *application)
{
	char text[PATH_MAX];
	snprintf(text, sizeof(text), "%s", application);
	char *equals = strchr(text, '=');		/* uWSGI's --mount /path=module:app */
	char *start = *text == '/' && equals ? equals + 1 : text;
	start[strcspn(start, ":(")] = '\0';
	if (ends_in_py(start) && access(start, F_OK) == 0) {
		service_name_of_path(name, start);
		return;
	}
	own_name(name, start);
	char *settings = strstr(name, ".settings");
	if (settings && settings > name && strchr(".", settings[9]))
		*settings = '\0';
}

static bool is_set(const char *text)
{
	return text && *text;
}

static void name_by_launcher(char name[IDENTITY_TEXT_MAX], const struct launcher *launcher,
			     const struct command_line *line, char *(*look_up)(const char *name))
{
	const char *application = option_value(line, launcher->name_options);
	if (is_set(application)) {
		set(name, application);
		return;
	}
	application = option_value(line, launcher->app_options);
	if (!is_set(application) && launcher->takes_positional)
		application = positional(line);
	if (!is_set(application) && launcher->variable)
		application = look_up(launcher->variable);
	if (is_set(application))
		set_application(name, application);
}

/* ---- all of it --------------------------------------------------------------------------- */

/* A Python file among the arguments of some runner: streamlit run app.py. */
static const char *python_file(const struct command_line *line)
{
	for (size_t i = 0; i < line->n_arguments; i++)
		if (ends_in_py(line->arguments[i]) && access(line->arguments[i], F_OK) == 0)
			return line->arguments[i];
	return NULL;
}

static void name_by_script(char name[IDENTITY_TEXT_MAX], const struct command_line *line)
{
	const char *file = is_command(line->script) ? python_file(line) : line->script;
	if (file)
		service_name_of_path(name, file);
	if (!*name)
		own_name(name, line->script);
}

void service_name(char name[IDENTITY_TEXT_MAX], const struct command_line *line, char *(*look_up)(const char *name))
{
	const struct launcher *launcher = launcher_of(line);
	name[0] = '\0';
	if (launcher)
		name_by_launcher(name, launcher, line, look_up);
	if (!*name && line->module)
		set(name, line->module);
	else if (!*name && line->script)
		name_by_script(name, line);
}
