/*
 * event_json.c - by jansson, which escapes texts and refuses what is not UTF-8.
 */
#include <config.h>

#include "upload/event_json.h"

#include <stdio.h>

#include "runtime/stats.h"

enum { DAYS_OF_400_YEARS = 146097, DAYS_TO_1970 = 719468 };	/* from 1 March of the year 0 */

/*
 * Not by gmtime_r(): it takes a lock of the C library that no fork resets, and a child forked
 * meanwhile would hang in its first localtime().  Years begin in March here, so that a leap day is
 * their last; after it months have 31 and 30 days in turn, save that August is long as well: 153 in five.
 */
static int64_t date_of(int64_t day, int *month, int *day_of_month)
{
	int64_t since = day + DAYS_TO_1970, era = since / DAYS_OF_400_YEARS;	/* no int64_t of nanoseconds is before the year 0 */
	int of_era = (int)(since % DAYS_OF_400_YEARS);
	int year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int of_year = of_era - (365 * year + year / 4 - year / 100);
	int from_march = (5 * of_year + 2) / 153;
	*day_of_month = of_year - (153 * from_march + 2) / 5 + 1;
	*month = from_march < 10 ? from_march + 3 : from_march - 9;
	return era * 400 + year + (*month <= 2);
}

void event_time(char text[EVENT_TIME_MAX], int64_t ns)
{
	const int64_t day_ns = 86400 * INT64_C(1000000000);
	int64_t day = ns / day_ns, rest_ns = ns % day_ns;
	if (rest_ns < 0) {
		day--;
		rest_ns += day_ns;
	}
	int second = (int)(rest_ns / 1000000000);
	int month, day_of_month;
	int64_t year = date_of(day, &month, &day_of_month);
	snprintf(text, EVENT_TIME_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%09dZ", (int)year, month, day_of_month,
		 second / 3600, second / 60 % 60, second % 60, (int)(rest_ns % 1000000000));
}

/* Takes value; NULL, for want of memory, is left out. */
static void set(json_t *object, const char *key, json_t *value)
{
	(void)json_object_set_new(object, key, value);
}

/* ---- counts ---------------------------------------------------------------------------- */

json_t *event_internal(const struct uploader_status *uploader)
{
	uint64_t values[STATS];
	json_t *object = json_object();
	if (!object)
		return NULL;
	stats_read(values);
	for (enum stat_id stat = 0; stat < STATS; stat++)
		set(object, stat_infos[stat].name, json_integer((json_int_t)values[stat]));
	set(object, "uploads", json_integer((json_int_t)uploader->uploads));
	set(object, "upload_failures", json_integer((json_int_t)uploader->failures));
	set(object, "profiles_lost", json_integer((json_int_t)uploader->drops));
	set(object, "samples_overflowed", json_integer((json_int_t)uploader->overflowed));
	return object;
}

/* ---- settings -------------------------------------------------------------------------- */

/* Texts without a place, an address or a name of the user's in them. */
static const enum option_id open_texts[] = {OPTION_lock_exclude_modules};

static bool is_open(enum option_id id)
{
	size_t i = 0, n = sizeof(open_texts) / sizeof(*open_texts);
	while (i < n && open_texts[i] != id)
		i++;
	return i < n;
}

/* New; NULL: not to be told.  Whatever is not known to be harmless is a text of the user's. */
static json_t *setting(const struct options *options, enum option_id id)
{
	switch (option_infos[id].type) {
	case OPTION_BOOL:
		return json_boolean(options_bool(options, id));
	case OPTION_INT:
		return json_integer(options_int(options, id));
	case OPTION_DOUBLE:
	case OPTION_SECONDS:
		return json_real(options_double(options, id));
	default:
		return is_open(id) ? json_string(options_string(options, id)) : NULL;
	}
}

json_t *event_info(const struct options *options)
{
	json_t *settings = json_object();
	for (enum option_id id = 0; settings && id < OPTIONS; id++) {
		json_t *value = setting(options, id);
		if (value)
			set(settings, option_infos[id].name, value);
	}
	return json_pack("{s:{s:o}}", "profiler", "settings", settings);
}

/* ---- the event ------------------------------------------------------------------------- */

char *event_json(const struct event *event)
{
	char start[EVENT_TIME_MAX], end[EVENT_TIME_MAX];
	event_time(start, event->start_ns);
	event_time(end, event->end_ns);
	json_t *root = json_pack("{s:[s], s:s, s:s, s:s, s:s, s:s, s:n, s:s?, s:o, s:o}",
				 "attachments", event->attachment, "tags_profiler", event->tags,
				 "start", start, "end", end, "family", "python", "version", "4",
				 "endpoint_counts", "process_tags", event->process_tags,
				 "internal", event->internal ? json_incref(event->internal) : json_object(),
				 "info", event->info ? json_incref(event->info) : json_object());
	char *text = root ? json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
	json_decref(root);
	return text;
}
