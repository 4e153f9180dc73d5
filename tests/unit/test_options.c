/*
 * test_options.c - each row of options.def keeps its promises, and the order of sources holds.
 */
#include <config.h>

#include "runtime/options.h"
#include "unit.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/log.h"

/* ---- an environment and a log of our own ---------------------------------------------- */

static const char *names[4], *values[4];
static int n_variables;
static char last_line[LOG_LINE_MAX + 1];
static int n_lines;

static char *look_up(const char *name)
{
	for (int i = 0; i < n_variables; i++)
		if (!strcmp(names[i], name))
			return (char *)(uintptr_t)values[i];
	return NULL;
}

static void remember_line(const char *line, size_t size)
{
	memcpy(last_line, line, size);
	last_line[size] = '\0';
	n_lines++;
}

static void variable(const char *name, const char *value)
{
	names[n_variables] = name;
	values[n_variables++] = value;
}

static struct options from_environment(void)
{
	static struct options options;
	log_writer = remember_line;
	options_init(&options);
	options_from_environment(&options, look_up);
	n_variables = 0;
	return options;
}

static char problem[OPTION_PROBLEM_MAX];

static int set(struct options *options, enum option_id id, const char *text)
{
	problem[0] = '\0';
	return options_set(options, id, text, OPTION_BY_ARGUMENT, problem);
}

static double number_of(const struct options *options, enum option_id id)
{
	switch (option_infos[id].type) {
	case OPTION_BOOL:
		return options_bool(options, id);
	case OPTION_INT:
		return (double)options_int(options, id);
	default:
		return options_double(options, id);
	}
}

static bool is_number(enum option_id id)
{
	return !option_is_text(id) && option_infos[id].type != OPTION_BOOL;
}

/* ---- every row ------------------------------------------------------------------------ */

START_TEST(options_have_the_defaults_that_are_documented)
{
	struct options options;
	options_init(&options);
	ck_assert(!options.quiet);
	ck_assert(options.enabled);
	ck_assert_double_eq(options.capture_pct, 1);
	ck_assert_int_eq(options.max_frames, 64);
	ck_assert_int_eq(options.upload_interval_ns, INT64_C(60000000000));
	ck_assert_str_eq(options.output, "sneck-profiles/");
	ck_assert(options.lock_enabled);
	ck_assert(options.lock_name_inspect_dir);
	ck_assert_str_eq(options.lock_exclude_modules, "");
	ck_assert_double_eq(options.lock_budget_pct, 1);
	ck_assert_int_eq(options.profile_max_rows, 16384);
	ck_assert_int_eq(options.profile_max_bytes, 33554432);
	ck_assert(options.flush_on_sigterm);
}
END_TEST

START_TEST(options_default_is_valid_in_every_row)
{
	struct options options;
	options_init(&options);
	for (enum option_id id = 0; id < OPTIONS; id++) {
		ck_assert_int_eq(set(&options, id, option_infos[id].default_text), OK);
		ck_assert_str_eq(options_source_text(&options, id), "argument");
	}
}
END_TEST

START_TEST(options_take_both_limits_of_every_number)
{
	struct options options;
	options_init(&options);
	for (enum option_id id = 0; id < OPTIONS; id++) {
		if (!is_number(id))
			continue;
		ck_assert_int_eq(set(&options, id, option_infos[id].lowest_text), OK);
		ck_assert_double_eq(number_of(&options, id), option_infos[id].lowest);
		ck_assert_int_eq(set(&options, id, option_infos[id].highest_text), OK);
		ck_assert_double_eq(number_of(&options, id), option_infos[id].highest);
	}
}
END_TEST

START_TEST(options_refuse_or_clamp_what_is_beyond_a_limit)
{
	struct options options;
	options_init(&options);
	for (enum option_id id = 0; id < OPTIONS; id++) {
		if (!is_number(id))
			continue;
		const struct option_info *info = &option_infos[id];
		double before = number_of(&options, id);
		bool clamps = info->policy == OPTION_CLAMP;
		ck_assert_int_eq(set(&options, id, "-1"), clamps ? ERR_LIMIT : ERR_INVALID);
		ck_assert_double_eq(number_of(&options, id), clamps ? info->lowest : before);
		ck_assert_ptr_nonnull(strstr(problem, clamps ? "below" : "is not within"));
		before = number_of(&options, id);
		ck_assert_int_eq(set(&options, id, "999999999999999999"), clamps ? ERR_LIMIT : ERR_INVALID);
		ck_assert_double_eq(number_of(&options, id), clamps ? info->highest : before);
	}
}
END_TEST

START_TEST(options_refuse_what_is_not_of_their_type)
{
	static const char *const nonsense[] = {"abc", "", " ", "1x", "0x", "1 2", "nan", "inf", "--1", "tru", "truee"};
	struct options options;
	options_init(&options);
	for (enum option_id id = 0; id < OPTIONS; id++) {
		if (option_is_text(id))
			continue;
		double before = number_of(&options, id);
		for (size_t i = 0; i < sizeof(nonsense) / sizeof(*nonsense); i++) {
			ck_assert_int_eq(set(&options, id, nonsense[i]), ERR_INVALID);
			ck_assert_str_ne(problem, "");
			ck_assert_double_eq(number_of(&options, id), before);
			ck_assert(!options_is_given(&options, id));
		}
	}
}
END_TEST

START_TEST(options_take_every_row_from_each_of_its_variables)
{
	for (enum option_id id = 0; id < OPTIONS; id++) {
		const struct option_info *info = &option_infos[id];
		bool is_string = option_is_text(id);
		const char *text = is_string ? "some text" : info->lowest_text;
		for (const char *const *shared = info->shared_variables, *name = info->variable; name; name = *shared++) {
			variable(name, text);
			struct options options = from_environment();
			ck_assert_str_eq(options_source_text(&options, id), name);
			if (is_string)
				ck_assert_str_eq(options_string(&options, id), text);
			else
				ck_assert_double_eq(number_of(&options, id), info->lowest);
		}
	}
	ck_assert_int_eq(n_lines, 0);
}
END_TEST

START_TEST(options_names_are_unlike_each_other)
{
	for (enum option_id a = 0; a < OPTIONS; a++) {
		for (enum option_id b = a + 1; b < OPTIONS; b++) {
			ck_assert_str_ne(option_infos[a].name, option_infos[b].name);
			ck_assert_str_ne(option_infos[a].variable, option_infos[b].variable);
		}
		ck_assert_int_eq(strncmp(option_infos[a].variable, "SNECK_", 6), 0);
	}
}
END_TEST

/* ---- types ---------------------------------------------------------------------------- */

START_TEST(options_bool_takes_the_words_of_ddtrace)
{
	static const char *const truths[] = {"1", "true", "True", "YES", "on", " on ", "auto"};
	static const char *const falsehoods[] = {"0", "false", "FALSE", "no", "off\n"};
	struct options options;
	options_init(&options);
	for (size_t i = 0; i < sizeof(truths) / sizeof(*truths); i++) {
		options.lock_enabled = false;
		ck_assert_int_eq(set(&options, OPTION_lock_enabled, truths[i]), OK);
		ck_assert(options.lock_enabled);
	}
	for (size_t i = 0; i < sizeof(falsehoods) / sizeof(*falsehoods); i++) {
		options.lock_enabled = true;
		ck_assert_int_eq(set(&options, OPTION_lock_enabled, falsehoods[i]), OK);
		ck_assert(!options.lock_enabled);
	}
}
END_TEST

START_TEST(options_seconds_become_nanoseconds)
{
	struct options options;
	options_init(&options);
	ck_assert_int_eq(set(&options, OPTION_upload_interval, "0.1"), OK);
	ck_assert_int_eq(options.upload_interval_ns, 100000000);
	ck_assert_double_eq(options_double(&options, OPTION_upload_interval), 0.1);
	ck_assert_int_eq(set(&options, OPTION_upload_interval, "0"), ERR_INVALID);
	ck_assert_int_eq(options.upload_interval_ns, 100000000);
}
END_TEST

START_TEST(options_max_frames_is_clamped_as_by_ddtrace)
{
	struct options options;
	options_init(&options);
	ck_assert_int_eq(set(&options, OPTION_max_frames, "600"), ERR_LIMIT);
	ck_assert_int_eq(options.max_frames, 599);
	ck_assert_str_eq(problem, "is above 599");
	ck_assert_int_eq(set(&options, OPTION_max_frames, "0"), ERR_LIMIT);
	ck_assert_int_eq(options.max_frames, 1);
}
END_TEST

START_TEST(options_strings_have_a_longest_length)
{
	struct options options;
	options_init(&options);
	char text[OPTION_TEXT_MAX + 1];
	memset(text, 'x', sizeof(text));
	text[OPTION_TEXT_MAX] = '\0';
	ck_assert_int_eq(set(&options, OPTION_output, text), ERR_INVALID);
	ck_assert_str_eq(problem, "is longer than 4095 bytes");
	ck_assert_str_eq(options.output, "sneck-profiles/");
	text[OPTION_TEXT_MAX - 1] = '\0';
	ck_assert_int_eq(set(&options, OPTION_output, text), OK);
	ck_assert_uint_eq(strlen(options.output), OPTION_TEXT_MAX - 1);
}
END_TEST

START_TEST(options_numbers_keep_their_point_in_every_locale)
{
	/* nothing to see where the machine has no such locale, and nothing wrong either */
	setlocale(LC_ALL, "de_DE.UTF-8");
	struct options options;
	options_init(&options);
	ck_assert_int_eq(set(&options, OPTION_capture_pct, "2.5"), OK);
	ck_assert_double_eq(options.capture_pct, 2.5);
	ck_assert_int_eq(set(&options, OPTION_capture_pct, "2,5"), ERR_INVALID);
}
END_TEST

/* ---- sources -------------------------------------------------------------------------- */

START_TEST(options_own_variable_wins_over_datadogs)
{
	variable("DD_PROFILING_CAPTURE_PCT", "5");
	variable("SNECK_CAPTURE_PCT", "7");
	struct options options = from_environment();
	ck_assert_double_eq(options.capture_pct, 7);
	ck_assert_str_eq(options_source_text(&options, OPTION_capture_pct), "SNECK_CAPTURE_PCT");
	ck_assert_str_eq(options_source_text(&options, OPTION_max_frames), "default");
}
END_TEST

START_TEST(options_first_of_several_shared_variables_wins)
{
	variable("DD_AGENT_HOST", "second");
	variable("DD_TRACE_AGENT_HOSTNAME", "first");
	struct options options = from_environment();
	ck_assert_str_eq(options.agent_host, "first");
	ck_assert_str_eq(options_source_text(&options, OPTION_agent_host), "DD_TRACE_AGENT_HOSTNAME");
}
END_TEST

static void check_shown(enum option_id id, const char *text, const char *expected)
{
	char *shown = option_shown_text(id, text);
	ck_assert_str_eq(shown, expected);
	free(shown);
}

START_TEST(options_secrets_are_kept_and_never_shown)
{
	char long_key[OPTION_NAME_MAX + 1];
	variable("DD_API_KEY", "0123456789abcdef");
	struct options options = from_environment();
	ck_assert_str_eq(options.api_key, "0123456789abcdef");
	check_shown(OPTION_api_key, options.api_key, "***");
	check_shown(OPTION_pyroscope_token, options.pyroscope_token, "");
	check_shown(OPTION_site, options.site, "datadoghq.com");
	check_shown(OPTION_agent_url, "http://user:pw@host:8126", "http://host:8126");
	memset(long_key, 'k', sizeof(long_key));
	long_key[OPTION_NAME_MAX] = '\0';
	variable("DD_API_KEY", long_key);
	from_environment();
	ck_assert_str_eq(last_line, "sneck: DD_API_KEY=\"***\" is longer than 511 bytes: the default, \"\", is used\n");
	char long_url[OPTION_NAME_MAX + 1];
	size_t written = (size_t)snprintf(long_url, sizeof(long_url), "http://user:%.200s@host/", long_key);
	memset(long_url + written, 'x', sizeof(long_url) - written);
	long_url[OPTION_NAME_MAX] = '\0';
	variable("SNECK_INTAKE_URL", long_url);
	from_environment();
	ck_assert_ptr_nonnull(strstr(last_line, "sneck: SNECK_INTAKE_URL=\"http://host/xxx"));
	ck_assert_ptr_nonnull(strstr(last_line, "is longer than 511 bytes"));
	for (enum option_id id = 0; id < OPTIONS; id++)
		ck_assert(option_infos[id].type != OPTION_SECRET || !option_infos[id].keyword);
}
END_TEST

START_TEST(options_argument_wins_over_both_and_hides_their_mistakes)
{
	log_writer = remember_line;
	variable("DD_PROFILING_CAPTURE_PCT", "5");
	variable("SNECK_CAPTURE_PCT", "nonsense");
	struct options options;
	options_init(&options);
	ck_assert_int_eq(set(&options, OPTION_capture_pct, "9"), OK);
	options_from_environment(&options, look_up);
	ck_assert_double_eq(options.capture_pct, 9);
	ck_assert_str_eq(options_source_text(&options, OPTION_capture_pct), "argument");
	ck_assert_int_eq(n_lines, 0);
}
END_TEST

START_TEST(options_empty_variable_counts_as_none)
{
	variable("SNECK_OUTPUT", "");
	variable("DD_PROFILING_OUTPUT_PPROF", "/tmp/x");
	variable("SNECK_MAX_FRAMES", "");
	struct options options = from_environment();
	ck_assert_str_eq(options.output, "/tmp/x");
	ck_assert_int_eq(options.max_frames, 64);
	ck_assert_int_eq(n_lines, 0);
}
END_TEST

START_TEST(options_mistake_in_a_variable_is_one_line_and_the_default)
{
	variable("DD_PROFILING_CAPTURE_PCT", "a\nlot");
	struct options options = from_environment();
	ck_assert_double_eq(options.capture_pct, 1);
	ck_assert(!options_is_given(&options, OPTION_capture_pct));
	ck_assert_str_eq(last_line, "sneck: DD_PROFILING_CAPTURE_PCT=\"a\\x0alot\" is not a number: "
				    "the default, \"1\", is used\n");
	variable("DD_PROFILING_CAPTURE_PCT", "a\nlot");
	from_environment();
	ck_assert_int_eq(n_lines, 1);
}
END_TEST

START_TEST(options_clamped_variable_is_one_line_and_the_limit)
{
	variable("DD_PROFILING_MAX_FRAMES", "1000");
	struct options options = from_environment();
	ck_assert_int_eq(options.max_frames, 599);
	ck_assert_str_eq(last_line, "sneck: DD_PROFILING_MAX_FRAMES=\"1000\" is above 599: the limit is used\n");
}
END_TEST

START_TEST(options_quiet_silences_mistakes)
{
	variable("SNECK_QUIET", "1");
	variable("SNECK_MAX_FRAMES", "many");
	struct options options = from_environment();
	ck_assert_int_eq(options.max_frames, 64);
	ck_assert_int_eq(n_lines, 0);
}
END_TEST

UNIT_TESTS("options", options_have_the_defaults_that_are_documented, options_default_is_valid_in_every_row,
	   options_take_both_limits_of_every_number, options_refuse_or_clamp_what_is_beyond_a_limit,
	   options_refuse_what_is_not_of_their_type, options_take_every_row_from_each_of_its_variables,
	   options_names_are_unlike_each_other, options_bool_takes_the_words_of_ddtrace,
	   options_seconds_become_nanoseconds, options_max_frames_is_clamped_as_by_ddtrace,
	   options_strings_have_a_longest_length, options_numbers_keep_their_point_in_every_locale,
	   options_own_variable_wins_over_datadogs, options_first_of_several_shared_variables_wins,
	   options_secrets_are_kept_and_never_shown, options_argument_wins_over_both_and_hides_their_mistakes,
	   options_empty_variable_counts_as_none, options_mistake_in_a_variable_is_one_line_and_the_default,
	   options_clamped_variable_is_one_line_and_the_limit, options_quiet_silences_mistakes)
