/*
 * api_status.c - status(): each part tells pairs, counters are read as they are.
 */
#include <config.h>

#include "module/api.h"

#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#include "collector/collector.h"
#include "module/control.h"
#include "module/convert.h"
#include "runtime/log.h"
#include "runtime/stats.h"
#include "runtime/status.h"

/* ---- what the parts tell ------------------------------------------------------------------ */

/* The first error ends the telling; the exception stays set. */
struct telling {
	struct status status;
	PyObject *record;	/* NULL after an error */
};

static void tell(struct status *status, const char *key, PyObject *value)
{
	struct telling *telling = (struct telling *)((char *)status - offsetof(struct telling, status));
	if (record_set(telling->record, key, value) < 0)
		Py_CLEAR(telling->record);
}

static bool is_over(struct status *status)
{
	return !((struct telling *)((char *)status - offsetof(struct telling, status)))->record;
}

static void tell_text(struct status *status, const char *key, const char *text)
{
	if (!is_over(status))
		tell(status, key, text_object(text));
}

static void tell_number(struct status *status, const char *key, int64_t number)
{
	if (!is_over(status))
		tell(status, key, PyLong_FromLongLong(number));
}

static void tell_truth(struct status *status, const char *key, bool truth)
{
	if (!is_over(status))
		tell(status, key, PyBool_FromLong(truth));
}

static PyObject *described_by(void (*describe)(struct status *status))
{
	struct telling telling = {.status = {tell_text, tell_number, tell_truth}, .record = PyDict_New()};
	if (telling.record)
		describe(&telling.status);
	return telling.record;
}

/* ---- tables -------------------------------------------------------------------------------- */

static PyObject *counters(void)
{
	uint64_t values[STATS];
	stats_read(values);
	PyObject *record = PyDict_New();
	for (enum stat_id stat = 0; record && stat < STATS; stat++)
		if (record_set(record, stat_infos[stat].name, PyLong_FromUnsignedLongLong(values[stat])) < 0)
			Py_CLEAR(record);
	if (record && record_set(record, "log_lines_suppressed", PyLong_FromUnsignedLongLong(log_suppressed())) < 0)
		Py_CLEAR(record);
	return record;
}

static int fill_option_value(PyObject *record, const struct options *options, enum option_id id)
{
#define FIELD_OptionValue(key, value) \
	if (record_set(record, #key, value) < 0) \
		return -1;
#include "module/records.def"
	return 0;
}

static PyObject *option_value_record(const struct options *options, enum option_id id)
{
	PyObject *record = PyDict_New();
	if (record && fill_option_value(record, options, id) < 0)
		Py_CLEAR(record);
	return record;
}

static PyObject *option_values(const struct options *options)
{
	PyObject *record = PyDict_New();
	for (enum option_id id = 0; record && id < OPTIONS; id++)
		if (record_set(record, option_infos[id].name, option_value_record(options, id)) < 0)
			Py_CLEAR(record);
	return record;
}

static PyObject *refusal_object(void)
{
	char reason[REASON_MAX];
	control_refusal(reason);
	return text_object(reason[0] ? reason : NULL);
}

static int fill_status(PyObject *record)
{
	struct options in_force, *options = &in_force;
	bool is_running = control_options_in_force(options);
#define FIELD_Status(key, value) \
	if (record_set(record, #key, value) < 0) \
		return -1;
#include "module/records.def"
	return 0;
}

PyObject *api_status(PyObject *module, PyObject *unused)
{
	(void)module, (void)unused;
	PyObject *record = PyDict_New();
	if (record && fill_status(record) < 0)
		Py_CLEAR(record);
	return record;
}
