/*
 * code_table.c - from (code object, instruction) to (function, line).
 *
 *	raw frame --> site  (cache: code and instruction --> entry and line)
 *	    |           |
 *	    +-----> entry   (hash table: code --> names; holds a reference to the code)
 *
 * A stack seen before is answered by the sites alone: one probe a frame under one lock.
 *
 * Locking: codes_lock (LOCK_RANK_CODES) guards everything here.  Of Python's only Py_IncRef() and
 *          Py_AddPendingCall() are called under it, which wait for no GIL: names and lines are read before,
 *          references dropped after.
 * Fork:    prepare takes the lock; the child keeps the table, whose code objects it has too.  A call that was
 *          taken from the queue and not yet made is lost there, so it schedules anew.
 *
 * Hot path: recall().
 */
#include <config.h>

#include "collector/code_table.h"

#include <Python.h>

#include <stdlib.h>
#include <string.h>

#include "collector/interpreter_end.h"
#include "collector/py_symbols.h"
#include "collector/py_text.h"
#include "runtime/error.h"
#include "runtime/fork.h"
#include "runtime/mutex.h"

enum {
	BUCKET_BITS = 15,	/* two codes a bucket when full */
	SITE_BITS = 12,		/* by trial: 96 KiB hold the stacks of a large program's locks */
	PERIODS_UNUSED = 2,
	QUALNAME_FROM = 0x030b0000,
};

struct entry {
	struct function function;
	struct entry *next;	/* in its bucket, or of those that departed */
	PyObject *code;		/* new */
	int64_t interpreter;	/* whose GIL guards the reference */
	uint32_t used;		/* the last period that resolved it */
};

struct site {
	uintptr_t code;
	struct entry *entry;
	int32_t instruction, line;
};

static struct mutex codes_lock SNECK_AT_FORK = MUTEX_INITIALIZER(LOCK_RANK_CODES);
static bool is_scheduled SNECK_AT_FORK;	/* trim_pending() is in Python's queue, which has room for 32 calls of all */
static struct {
	uint32_t period;
	size_t n_codes, size_bytes;
	uint64_t refused;
	struct entry *departed;	/* their code is given back, their function may still be in use */
	struct entry *buckets[1 << BUCKET_BITS];
	struct site sites[1 << SITE_BITS];
} table;

static const struct function too_many_functions = {"<too many functions>", "", 0};

/* ---- hashing --------------------------------------------------------------------------- */

/* Multiplying by 2^64 / phi spreads neighbours; the high bits are the good ones. */
static size_t hash(uintptr_t key, int bits)
{
	return (size_t)((uint64_t)key * 0x9e3779b97f4a7c15u >> (64 - bits));
}

static struct entry **bucket_of(uintptr_t code)
{
	return &table.buckets[hash(code >> 4, BUCKET_BITS)];
}

static struct site *site_of(const struct raw_frame *raw)
{
	return &table.sites[hash((raw->code >> 4) + (raw->instruction << 20), SITE_BITS)];
}

/* ---- entries --------------------------------------------------------------------------- */

static char *read_text(PyObject *code, const char *attribute)
{
	PyObject *value = PyObject_GetAttrString(code, attribute);
	char *text = py_text(value);
	Py_DecRef(value);
	return text;
}

static int32_t read_int(PyObject *code, const char *attribute)
{
	PyObject *value = PyObject_GetAttrString(code, attribute);
	long number = value ? PyLong_AsLong(value) : 0;
	Py_DecRef(value);
	return number > 0 && number <= INT32_MAX ? (int32_t)number : 0;
}

static size_t entry_bytes(const struct entry *entry)
{
	return sizeof(*entry) + strlen(entry->function.name) + strlen(entry->function.filename) + 2;
}

/* The reference to the code is the caller's to drop: it needs a GIL. */
static void entry_free(struct entry *entry)
{
	if (!entry)
		return;
	free((char *)entry->function.name);
	free((char *)entry->function.filename);
	free(entry);
}

static struct entry *entry_new(PyObject *code)
{
	struct entry *entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	entry->code = code;
	entry->interpreter = interpreter_id();
	entry->function.name = read_text(code, py_symbols_version() >= QUALNAME_FROM ? "co_qualname" : "co_name");
	entry->function.filename = read_text(code, "co_filename");
	entry->function.start_line = read_int(code, "co_firstlineno");
	if (entry->function.name && entry->function.filename)
		return entry;
	entry_free(entry);
	return NULL;
}

static struct entry *entry_new_quietly(PyObject *code)
{
	PyObject *type, *value, *traceback;
	PyErr_Fetch(&type, &value, &traceback);
	struct entry *entry = entry_new(code);
	PyErr_Restore(type, value, traceback);
	return entry;
}

/* ---- looking up, the lock held ----------------------------------------------------------- */

static struct entry *find(uintptr_t code)
{
	for (struct entry *entry = *bucket_of(code); entry; entry = entry->next) {
		if ((uintptr_t)entry->code == code) {
			entry->used = table.period;
			return entry;
		}
	}
	return NULL;
}

static bool recall(const struct raw_frame *raw, struct frame *out)
{
	const struct site *site = site_of(raw);
	if (site->code != raw->code || site->instruction != (int32_t)raw->instruction)
		return false;
	site->entry->used = table.period;
	*out = (struct frame){&site->entry->function, site->line};
	return true;
}

/* Takes the entry.  Another interpreter may have been faster with a code that both share. */
static struct entry *insert(struct entry *entry)
{
	struct entry *other = find((uintptr_t)entry->code);
	if (other || table.n_codes == CODE_TABLE_MAX) {
		entry_free(entry);
		return other;
	}
	Py_IncRef(entry->code);
	struct entry **bucket = bucket_of((uintptr_t)entry->code);
	entry->used = table.period;
	entry->next = *bucket;
	*bucket = entry;
	table.n_codes++;
	table.size_bytes += entry_bytes(entry);
	return entry;
}

static void remember(const struct raw_frame *raw, struct entry *entry, int32_t line, struct frame *out)
{
	if (!entry) {
		table.refused++;
		*out = (struct frame){&too_many_functions, 0};
		return;
	}
	*site_of(raw) = (struct site){raw->code, entry, (int32_t)raw->instruction, line};
	*out = (struct frame){&entry->function, line};
}

/* ---- resolving --------------------------------------------------------------------------- */

static int32_t line_of(const struct raw_frame *raw)
{
	if (!py_symbols.PyCode_Addr2Line)
		return 0;
	int line = py_symbols.PyCode_Addr2Line((PyObject *)raw->code, (int)raw->instruction);
	return line > 0 ? line : 0;
}

static void resolve_cold(const struct raw_frame *raw, struct frame *out)
{
	int32_t line = line_of(raw);
	mutex_lock(&codes_lock);
	struct entry *entry = find(raw->code);
	if (!entry && table.n_codes < CODE_TABLE_MAX) {
		mutex_unlock(&codes_lock);
		interpreter_end_watch();
		struct entry *made = entry_new_quietly((PyObject *)raw->code);
		mutex_lock(&codes_lock);
		entry = made ? insert(made) : NULL;
	}
	remember(raw, entry, line, out);
	mutex_unlock(&codes_lock);
}

void code_table_resolve(const struct raw_frame *raw, size_t depth, struct frame *out)
{
	mutex_lock(&codes_lock);
	for (size_t i = 0; i < depth; i++) {
		if (recall(&raw[i], &out[i]))
			continue;
		mutex_unlock(&codes_lock);
		resolve_cold(&raw[i], &out[i]);
		mutex_lock(&codes_lock);
	}
	mutex_unlock(&codes_lock);
}

/* ---- giving back ------------------------------------------------------------------------- */

static void free_departed(void)
{
	struct entry **link = &table.departed;
	while (*link) {
		struct entry *entry = *link;
		if (table.period - entry->used <= PERIODS_UNUSED) {
			link = &entry->next;
			continue;
		}
		*link = entry->next;
		table.size_bytes -= entry_bytes(entry);
		entry_free(entry);
	}
}

void code_table_new_period(void)
{
	mutex_lock(&codes_lock);
	table.period++;
	free_departed();
	mutex_unlock(&codes_lock);
}

/* Take the interpreter's entries out that were not used for so many periods. */
static struct entry *unlink_unused(int64_t interpreter, uint32_t periods)
{
	struct entry *unused = NULL;
	for (size_t i = 0; i < 1 << BUCKET_BITS && table.n_codes; i++) {
		struct entry **link = &table.buckets[i];
		while (*link) {
			struct entry *entry = *link;
			if (entry->interpreter != interpreter || table.period - entry->used < periods) {
				link = &entry->next;
				continue;
			}
			*link = entry->next;
			entry->next = unused;
			unused = entry;
			table.n_codes--;
		}
	}
	if (unused)
		memset(table.sites, 0, sizeof(table.sites));
	return unused;
}

/* The last reference to a code may be ours, and its death run Python code: not under the lock. */
static struct entry *drop_codes(struct entry *entries, size_t *n)
{
	struct entry *last = NULL;
	for (*n = 0; entries; entries = entries->next, ++*n) {
		Py_DecRef(entries->code);
		last = entries;
	}
	return last;
}

static size_t give_back(int64_t interpreter, uint32_t periods)
{
	size_t n;
	mutex_lock(&codes_lock);
	struct entry *unused = unlink_unused(interpreter, periods);
	mutex_unlock(&codes_lock);
	struct entry *last = drop_codes(unused, &n);
	mutex_lock(&codes_lock);
	if (last) {
		last->next = table.departed;
		table.departed = unused;
	}
	free_departed();
	mutex_unlock(&codes_lock);
	return n;
}

/* Used in period n: n + 1 and n + 2 must have passed, so n + 3 is the first to give back. */
size_t code_table_trim(void)
{
	return give_back(interpreter_id(), PERIODS_UNUSED + 1);
}

size_t code_table_forget_interpreter(int64_t interpreter)
{
	mutex_lock(&codes_lock);
	is_scheduled = false;	/* before 3.12 the call may be in this one's queue, and never come */
	mutex_unlock(&codes_lock);
	return give_back(interpreter, 0);
}

static int trim_pending(void *unused)
{
	(void)unused;
	mutex_lock(&codes_lock);
	is_scheduled = false;
	mutex_unlock(&codes_lock);
	code_table_trim();
	return 0;
}

int code_table_schedule_trim(void)
{
	/* its queue has a lock of Python's own: a fork in C must not catch us holding that one */
	mutex_lock(&codes_lock);
	if (!is_scheduled)
		is_scheduled = !Py_AddPendingCall(trim_pending, NULL);
	int error = is_scheduled ? OK : ERR_LIMIT;
	mutex_unlock(&codes_lock);
	return error;
}

struct code_table_stats code_table_stats(void)
{
	mutex_lock(&codes_lock);
	struct code_table_stats stats = {
		.codes = table.n_codes,
		.size_bytes = table.size_bytes,
		.refused = table.refused,
	};
	mutex_unlock(&codes_lock);
	return stats;
}

/* ---- fork -------------------------------------------------------------------------------- */

void code_table_prefork(void)
{
	mutex_lock(&codes_lock);
}

void code_table_postfork_parent(void)
{
	mutex_unlock(&codes_lock);
}

SNECK_FORK_CODE void code_table_postfork_child(void)
{
	is_scheduled = false;
	mutex_postfork_child(&codes_lock);
}
