/*
 * test_event_json.c - the exact text of an event.
 */
#include <config.h>

#include "upload/event_json.h"

#include <string.h>
#include <time.h>

#include "runtime/stats.h"
#include "unit.h"

static const char *time_of(int64_t ns)
{
	static char text[EVENT_TIME_MAX];
	event_time(text, ns);
	return text;
}

START_TEST(event_times_have_nine_decimals_in_utc)
{
	setenv("TZ", "America/New_York", 1);
	ck_assert_str_eq(time_of(0), "1970-01-01T00:00:00.000000000Z");
	ck_assert_str_eq(time_of(INT64_C(1772874301000000123)), "2026-03-07T09:05:01.000000123Z");
	ck_assert_str_eq(time_of(INT64_C(1709251199999999999)), "2024-02-29T23:59:59.999999999Z");
	ck_assert_str_eq(time_of(-1), "1969-12-31T23:59:59.999999999Z");
}
END_TEST

/* Every day that 64 bits of nanoseconds reach, at some second of it. */
START_TEST(event_times_are_those_of_the_c_library)
{
	for (time_t day = -106751; day <= 106750; day++) {
		time_t time = day * 86400 + (day & 0xffff);
		struct tm utc;
		char expected[EVENT_TIME_MAX];
		gmtime_r(&time, &utc);
		strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.000000000Z", &utc);
		ck_assert_str_eq(time_of((int64_t)time * 1000000000), expected);
	}
	ck_assert_str_eq(time_of(INT64_MIN), "1677-09-21T00:12:43.145224192Z");
	ck_assert_str_eq(time_of(INT64_MAX), "2262-04-11T23:47:16.854775807Z");
}
END_TEST

START_TEST(event_is_exactly_version_four)
{
	const struct event event = {.attachment = "profile.pprof", .tags = "service:x,note:\"caf\xc3\xa9\"",
				    .start_ns = 1000000001, .end_ns = 61000000002};
	char *text = event_json(&event);
	ck_assert_str_eq(text,
			 "{\"attachments\":[\"profile.pprof\"],\"tags_profiler\":\"service:x,note:\\\"caf\xc3\xa9\\\"\","
			 "\"start\":\"1970-01-01T00:00:01.000000001Z\",\"end\":\"1970-01-01T00:01:01.000000002Z\","
			 "\"family\":\"python\",\"version\":\"4\",\"endpoint_counts\":null,\"process_tags\":null,"
			 "\"internal\":{},\"info\":{}}");
	free(text);
}
END_TEST

START_TEST(event_carries_counts_settings_and_process_tags)
{
	static struct options options;
	options_init(&options);
	json_t *internal = event_internal(&(struct uploader_status){0}), *info = event_info(&options);
	const struct event event = {.attachment = "p", .tags = "", .process_tags = "svc.user:true",
				    .internal = internal, .info = info};
	char *text = event_json(&event);
	ck_assert_ptr_nonnull(strstr(text, ",\"process_tags\":\"svc.user:true\",\"internal\":{\"samples\":0,"));
	ck_assert_ptr_nonnull(strstr(text, ",\"info\":{\"profiler\":{\"settings\":{"));
	ck_assert_ptr_nonnull(strstr(text, "\"capture_pct\":1.0,"));
	ck_assert_ptr_nonnull(strstr(text, "\"upload_interval\":60.0,"));
	ck_assert_ptr_nonnull(strstr(text, "\"max_frames\":64,"));
	ck_assert_ptr_nonnull(strstr(text, "\"lock_enabled\":true,"));
	free(text);
	json_decref(internal);
	json_decref(info);
}
END_TEST

START_TEST(event_counts_what_was_lost)
{
	stats_add(STAT_samples, 41);
	stats_count(STAT_overflow_rows);
	const struct uploader_status status = {.uploads = 5, .failures = 3, .drops = 2, .overflowed = 7};
	json_t *internal = event_internal(&status);
	static const struct {
		const char *key;
		json_int_t value;
	} expected[] = {{"samples", 41}, {"overflow_rows", 1}, {"uploads", 5}, {"upload_failures", 3}, {"profiles_lost", 2},
			{"samples_overflowed", 7}};
	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++)
		ck_assert_int_eq(json_integer_value(json_object_get(internal, expected[i].key)), expected[i].value);
	for (enum stat_id stat = 0; stat < STATS; stat++)
		ck_assert(json_is_integer(json_object_get(internal, stat_infos[stat].name)));
	json_decref(internal);
}
END_TEST

/* Every text option at a word that must not get out, but for those known to be harmless. */
START_TEST(event_tells_no_text_of_the_users)
{
	static struct options options;
	options_init(&options);
	for (enum option_id id = 0; id < OPTIONS; id++)
		if (option_is_text(id) && id != OPTION_lock_exclude_modules)
			strcpy((char *)&options + option_infos[id].offset, "sesame");
	strcpy(options.lock_exclude_modules, "logging");
	json_t *info = event_info(&options);
	char *text = json_dumps(info, JSON_COMPACT);
	ck_assert_ptr_null(strstr(text, "sesame"));
	ck_assert_ptr_null(strstr(text, "api_key"));
	ck_assert_ptr_nonnull(strstr(text, "\"lock_exclude_modules\":\"logging\""));
	free(text);
	json_decref(info);
}
END_TEST

UNIT_TESTS("event_json", event_times_have_nine_decimals_in_utc, event_times_are_those_of_the_c_library,
	   event_is_exactly_version_four, event_carries_counts_settings_and_process_tags,
	   event_counts_what_was_lost, event_tells_no_text_of_the_users)
