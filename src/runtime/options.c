/*
 * options.c - from a text to a field of struct options, by the table options.def.
 *
 * One parser a type, and one place, options_set, that knows ranges.  Arguments of start()
 * come as text too, so that there is one set of rules.
 */
#include <config.h>

#include "runtime/options.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/error.h"
#include "runtime/log.h"
#include "runtime/url.h"

#define OPTION_OFFSET_BOOL(id) offsetof(struct options, id)
#define OPTION_OFFSET_INT(id) offsetof(struct options, id)
#define OPTION_OFFSET_DOUBLE(id) offsetof(struct options, id)
#define OPTION_OFFSET_STRING(id) offsetof(struct options, id)
#define OPTION_OFFSET_NAME(id) offsetof(struct options, id)
#define OPTION_OFFSET_SECRET(id) offsetof(struct options, id)
#define OPTION_OFFSET_SECONDS(id) offsetof(struct options, id##_ns)
#define OPTION_ROOM_BOOL 0
#define OPTION_ROOM_INT 0
#define OPTION_ROOM_DOUBLE 0
#define OPTION_ROOM_SECONDS 0
#define OPTION_ROOM_STRING OPTION_TEXT_MAX
#define OPTION_ROOM_NAME OPTION_NAME_MAX
#define OPTION_ROOM_SECRET OPTION_NAME_MAX
#define NAMES(...) __VA_ARGS__

const struct option_info option_infos[OPTIONS] = {
#define OPTION(id, type_, keyword_, variable_, shared, default_, low, high, policy_, help_) \
	[OPTION_##id] = { \
		.name = #id, \
		.keyword = keyword_, \
		.variable = variable_, \
		.shared_variables = (const char *const[]){shared, NULL}, \
		.default_text = default_, \
		.lowest_text = #low, \
		.highest_text = #high, \
		.help = help_, \
		.lowest = low, \
		.highest = high, \
		.type = OPTION_##type_, \
		.policy = OPTION_##policy_, \
		.offset = OPTION_OFFSET_##type_(id), \
		.room = OPTION_ROOM_##type_, \
	},
#include "runtime/options.def"
#undef OPTION
};

static void *field(struct options *options, enum option_id id)
{
	return (char *)options + option_infos[id].offset;
}

static const void *const_field(const struct options *options, enum option_id id)
{
	return (const char *)options + option_infos[id].offset;
}

/* ---- texts ------------------------------------------------------------------------- */

static bool is_blank(const char *text)
{
	return text[strspn(text, " \t\r\n")] == '\0';
}

static bool is_word(const char *text, const char *word)
{
	size_t length = strlen(word);
	text += strspn(text, " \t\r\n");
	return !strncasecmp(text, word, length) && is_blank(text + length);
}

/* What ddtrace takes for true, and its opposites; "auto" is what its injection writes. */
static bool parse_bool(const char *text, double *value)
{
	static const char *const falsehoods[] = {"0", "false", "no", "off"};
	static const char *const truths[] = {"1", "true", "yes", "on", "auto"};
	for (size_t i = 0; i < sizeof(falsehoods) / sizeof(*falsehoods); i++)
		if (is_word(text, falsehoods[i]))
			return *value = 0, true;
	for (size_t i = 0; i < sizeof(truths) / sizeof(*truths); i++)
		if (is_word(text, truths[i]))
			return *value = 1, true;
	return false;
}

/* Every INT fits a double exactly: the table's limits are far below 2^53. */
static bool parse_int(const char *text, double *value)
{
	char *end;
	*value = (double)strtoll(text, &end, 10);	/* too large: the largest, which no range has */
	return end != text && is_blank(end);
}

/* With a point, wherever the program's locale would want a comma. */
static bool parse_double(const char *text, double *value)
{
	locale_t posix = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (!posix)
		return false;
	char *end;
	*value = strtod_l(text, &end, posix);
	freelocale(posix);
	return end != text && is_blank(end) && isfinite(*value);
}

static bool parse_number(enum option_type type, const char *text, double *value)
{
	switch (type) {
	case OPTION_BOOL:
		return parse_bool(text, value);
	case OPTION_INT:
		return parse_int(text, value);
	default:
		return parse_double(text, value);
	}
}

static const char *not_of_type(enum option_type type)
{
	switch (type) {
	case OPTION_BOOL:
		return "is neither true nor false";
	case OPTION_INT:
		return "is not a whole number";
	default:
		return "is not a number";
	}
}

/* ---- fields ------------------------------------------------------------------------ */

static void store_number(struct options *options, enum option_id id, double value)
{
	switch (option_infos[id].type) {
	case OPTION_BOOL:
		*(bool *)field(options, id) = value != 0;
		break;
	case OPTION_INT:
		*(int64_t *)field(options, id) = (int64_t)value;
		break;
	case OPTION_SECONDS:
		*(int64_t *)field(options, id) = (int64_t)llround(value * 1e9);
		break;
	default:
		*(double *)field(options, id) = value;
	}
}

static int set_string(struct options *options, enum option_id id, const char *text, char *problem)
{
	size_t size = strlen(text) + 1;
	if (size > option_infos[id].room) {
		snprintf(problem, OPTION_PROBLEM_MAX, "is longer than %zu bytes", option_infos[id].room - 1);
		return ERR_INVALID;
	}
	memcpy(field(options, id), text, size);
	return OK;
}

static int set_number(struct options *options, enum option_id id, const char *text, char *problem)
{
	const struct option_info *info = &option_infos[id];
	double value;
	if (!parse_number(info->type, text, &value)) {
		snprintf(problem, OPTION_PROBLEM_MAX, "%s", not_of_type(info->type));
		return ERR_INVALID;
	}
	bool is_low = value < info->lowest;
	if (!is_low && value <= info->highest) {
		store_number(options, id, value);
		return OK;
	}
	if (info->policy == OPTION_REFUSE) {
		snprintf(problem, OPTION_PROBLEM_MAX, "is not within %s to %s", info->lowest_text, info->highest_text);
		return ERR_INVALID;
	}
	const char *limit = is_low ? info->lowest_text : info->highest_text;
	snprintf(problem, OPTION_PROBLEM_MAX, "is %s %s", is_low ? "below" : "above", limit);
	store_number(options, id, is_low ? info->lowest : info->highest);
	return ERR_LIMIT;
}

int options_set(struct options *options, enum option_id id, const char *text, enum option_source source,
		char problem[OPTION_PROBLEM_MAX])
{
	int error = option_is_text(id) ? set_string(options, id, text, problem) : set_number(options, id, text, problem);
	if (error != ERR_INVALID)
		options->sources[id] = source;
	return error;
}

/* ---- where they come from ------------------------------------------------------------ */

void options_init(struct options *options)
{
	char problem[OPTION_PROBLEM_MAX];
	memset(options, 0, sizeof(*options));
	for (enum option_id id = 0; id < OPTIONS; id++)
		options_set(options, id, option_infos[id].default_text, OPTION_BY_DEFAULT, problem);
}

static const char *non_empty(char *(*look_up)(const char *), const char *name)
{
	const char *text = look_up(name);
	return text && *text ? text : NULL;
}

/* What was wrong with a variable, and what is done about it. */
static void complain(enum option_id id, const char *variable, const char *text, const char *problem, int error)
{
	char *shown = option_shown_text(id, text);
	if (error == ERR_INVALID)
		log_once(variable, "%s=\"%.100s\" %s: the default, \"%s\", is used", variable, shown ? shown : "", problem,
			 option_infos[id].default_text);
	else
		log_once(variable, "%s=\"%.100s\" %s: the limit is used", variable, shown ? shown : "", problem);
	free(shown);
}

static void set_from_variable(struct options *options, enum option_id id, const char *variable, const char *text,
			      enum option_source source)
{
	char problem[OPTION_PROBLEM_MAX];
	int error = options_set(options, id, text, source, problem);
	if (error && !options->quiet && !options->is_asked)
		complain(id, variable, text, problem, error);
}

static void set_from_shared(struct options *options, enum option_id id, char *(*look_up)(const char *name))
{
	const char *const *shared = option_infos[id].shared_variables;
	for (uint8_t i = 0; shared[i]; i++) {
		const char *text = non_empty(look_up, shared[i]);
		if (!text)
			continue;
		options->shared[id] = i;
		set_from_variable(options, id, shared[i], text, OPTION_BY_SHARED_VARIABLE);
		return;
	}
}

void options_from_environment(struct options *options, char *(*look_up)(const char *name))
{
	for (enum option_id id = 0; id < OPTIONS; id++) {
		const char *variable = option_infos[id].variable;
		const char *own = non_empty(look_up, variable);
		if (options->sources[id] == OPTION_BY_ARGUMENT)
			continue;
		if (own)
			set_from_variable(options, id, variable, own, OPTION_BY_VARIABLE);
		else
			set_from_shared(options, id, look_up);
	}
}

const char *options_source_text(const struct options *options, enum option_id id)
{
	switch (options->sources[id]) {
	case OPTION_BY_SHARED_VARIABLE:
		return option_infos[id].shared_variables[options->shared[id]];
	case OPTION_BY_VARIABLE:
		return option_infos[id].variable;
	case OPTION_BY_ARGUMENT:
		return "argument";
	default:
		return "default";
	}
}

bool options_is_given(const struct options *options, enum option_id id)
{
	return options->sources[id] != OPTION_BY_DEFAULT;
}

bool options_bool(const struct options *options, enum option_id id)
{
	return *(const bool *)const_field(options, id);
}

int64_t options_int(const struct options *options, enum option_id id)
{
	return *(const int64_t *)const_field(options, id);
}

double options_double(const struct options *options, enum option_id id)
{
	const void *value = const_field(options, id);
	if (option_infos[id].type == OPTION_SECONDS)
		return (double)*(const int64_t *)value / 1e9;
	return *(const double *)value;
}

const char *options_string(const struct options *options, enum option_id id)
{
	return const_field(options, id);
}

char *option_shown_text(enum option_id id, const char *text)
{
	char *shown = strdup(option_infos[id].type == OPTION_SECRET && *text ? "***" : text);
	if (shown)
		url_cut_userinfo(shown);
	return shown;
}

bool option_is_text(enum option_id id)
{
	return option_infos[id].room != 0;
}
