/*
 * api_lock_stats.c - lock_stats(): a list of dictionaries, the most waited for first.
 *
 * In two steps: what the collector shows is borrowed, so it is copied; sorted, it becomes Python objects.
 */
#include <config.h>

#include "module/api.h"

#include <stdlib.h>

#include "collector/collector.h"
#include "module/convert.h"

struct copies {
	struct lock_stats *locks;
	size_t n, room;
	bool is_out_of_memory;
};

static bool make_room(struct copies *copies)
{
	if (copies->n < copies->room)
		return true;
	size_t room = copies->room ? 2 * copies->room : 64;
	struct lock_stats *locks = realloc(copies->locks, room * sizeof(*locks));
	if (!locks)
		return false;
	copies->locks = locks;
	copies->room = room;
	return true;
}

static void copy(void *context, const struct lock_stats *lock)
{
	struct copies *copies = context;
	if (make_room(copies))
		copies->locks[copies->n++] = *lock;
	else
		copies->is_out_of_memory = true;
}

static int by_wait(const void *a, const void *b)
{
	const struct lock_stats *one = a, *other = b;
	if (one->wait_ns != other->wait_ns)
		return one->wait_ns < other->wait_ns ? 1 : -1;
	return one->acquires < other->acquires ? 1 : one->acquires > other->acquires ? -1 : 0;
}

/* ---- one record ----------------------------------------------------------------------------- */

static PyObject *wait_quantile(const struct lock_stats *lock, double q)
{
	return PyLong_FromLongLong(histogram_quantile(lock->wait_histogram, q, (int64_t)lock->wait_max_ns));
}

static PyObject *wait_histogram(const struct lock_stats *lock)
{
	PyObject *list = PyList_New(0);
	for (unsigned i = 0; list && i < HISTOGRAM_BUCKETS; i++) {
		uint64_t n = lock->wait_histogram[i];
		if (!n)
			continue;
		PyObject *row = Py_BuildValue("(LK)", (long long)histogram_lower_ns(i), (unsigned long long)n);
		if (!row || PyList_Append(list, row) < 0)
			Py_CLEAR(list);
		Py_XDECREF(row);
	}
	return list;
}

static int fill_lock(PyObject *record, const struct lock_stats *lock)
{
#define FIELD_LockStats(key, value) \
	if (record_set(record, #key, value) < 0) \
		return -1;
#include "module/records.def"
	return 0;
}

static int append_lock(PyObject *list, const struct lock_stats *lock)
{
	PyObject *record = PyDict_New();
	int error = record ? fill_lock(record, lock) : -1;
	if (!error)
		error = PyList_Append(list, record);
	Py_XDECREF(record);
	return error;
}

static PyObject *lock_list(const struct copies *copies)
{
	if (copies->is_out_of_memory)
		return PyErr_NoMemory();
	PyObject *list = PyList_New(0);
	for (size_t i = 0; list && i < copies->n; i++)
		if (append_lock(list, &copies->locks[i]) < 0)
			Py_CLEAR(list);
	return list;
}

PyObject *api_lock_stats(PyObject *module, PyObject *unused)
{
	(void)module, (void)unused;
	struct copies copies = {0};
	collector_lock_stats(copy, &copies);
	if (copies.n)
		qsort(copies.locks, copies.n, sizeof(*copies.locks), by_wait);
	PyObject *list = lock_list(&copies);
	free(copies.locks);
	return list;
}
