/*
 * options.h - what the user chose, and where each choice came from.
 *
 * Plain data without pointers: copy it by assignment.  No lock: whoever shares one guards it.
 */
#ifndef SNECK_RUNTIME_OPTIONS_H
#define SNECK_RUNTIME_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_id {
#define OPTION(id, ...) OPTION_##id,
#include "runtime/options.def"
#undef OPTION
	OPTIONS
};

enum option_type {
	OPTION_BOOL, OPTION_INT, OPTION_DOUBLE, OPTION_SECONDS,
	OPTION_STRING, OPTION_NAME, OPTION_SECRET,	/* texts: option_is_text() */
};
enum option_policy { OPTION_REFUSE, OPTION_CLAMP };

/* Later ones win over earlier ones. */
enum option_source { OPTION_BY_DEFAULT, OPTION_BY_SHARED_VARIABLE, OPTION_BY_VARIABLE, OPTION_BY_ARGUMENT };

/* Room for a STRING with its NUL: a path of any length that the kernel takes; for a NAME or a SECRET. */
enum { OPTION_TEXT_MAX = 4096, OPTION_NAME_MAX = 512 };

/* Room for the words of options_set: the longest is a range of two numbers. */
enum { OPTION_PROBLEM_MAX = 128 };

/* One field an option, by its identifier; SECONDS become nanoseconds. */
struct options {
#define OPTION_FIELD_BOOL(id) bool id;
#define OPTION_FIELD_INT(id) int64_t id;
#define OPTION_FIELD_DOUBLE(id) double id;
#define OPTION_FIELD_STRING(id) char id[OPTION_TEXT_MAX];
#define OPTION_FIELD_NAME(id) char id[OPTION_NAME_MAX];
#define OPTION_FIELD_SECRET(id) char id[OPTION_NAME_MAX];
#define OPTION_FIELD_SECONDS(id) int64_t id##_ns;
#define OPTION(id, type, ...) OPTION_FIELD_##type(id)
#include "runtime/options.def"
#undef OPTION
	enum option_source sources[OPTIONS];
	uint8_t shared[OPTIONS];	/* by a shared variable: by which one */
	bool is_asked;			/* nobody acts on them: whoever does says what is wrong with the environment */
};

struct option_info {
	const char *name;
	const char *keyword;		/* NULL: the environment alone sets it */
	const char *variable;
	const char *const *shared_variables;	/* up to NULL; the first one that is set wins */
	const char *default_text;
	const char *lowest_text, *highest_text, *help;
	double lowest, highest;
	enum option_type type;
	enum option_policy policy;
	size_t offset;			/* of its field */
	size_t room;			/* of a text, its NUL included; 0 for others */
};

extern const struct option_info option_infos[OPTIONS];

/* Every option at its default. */
void options_init(struct options *options);

/*
 * Set one from its text; the source is remembered.  OK; ERR_LIMIT: out of range and set to
 * the nearest limit; ERR_INVALID: nothing changed.  On both errors problem says what is
 * wrong with the text, to go after it: "is not a number".
 */
int options_set(struct options *options, enum option_id id, const char *text, enum option_source source,
		char problem[OPTION_PROBLEM_MAX]);

/*
 * Set what the environment has and no argument has set before.  An empty variable counts as
 * none.  A value that makes no sense is one line in the log and leaves the default.  look_up
 * is getenv, or a test's.
 */
void options_from_environment(struct options *options, char *(*look_up)(const char *name));

/* "default", "argument", or the name of the variable.  Static. */
const char *options_source_text(const struct options *options, enum option_id id);

/* Whether the user chose it, by whatever way. */
bool options_is_given(const struct options *options, enum option_id id);

/* A field by its id, for those who walk the table; the type says which one to call. */
bool options_bool(const struct options *options, enum option_id id);
int64_t options_int(const struct options *options, enum option_id id);
double options_double(const struct options *options, enum option_id id);	/* DOUBLE and SECONDS */
const char *options_string(const struct options *options, enum option_id id);	/* borrowed; a SECRET's too */

/*
 * An option's text for people: a SECRET that is set is "***", a URL has no user and password.
 * Gives; NULL: no memory.
 */
char *option_shown_text(enum option_id id, const char *text);

bool option_is_text(enum option_id id);

#endif
