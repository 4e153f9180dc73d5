/*
 * sample.h - what a sample is made of: frames, labels, values.
 *
 * Plain data, no behaviour.  Its vocabulary comes from two tables, sample_types.def and
 * labels.def, one row per word.
 */
#ifndef SNECK_RUNTIME_SAMPLE_H
#define SNECK_RUNTIME_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sample_type {
#define SAMPLE_TYPE(identifier, name, unit, doc) SAMPLE_##identifier,
#include "runtime/sample_types.def"
#undef SAMPLE_TYPE
	SAMPLE_TYPES
};

enum label_key {
#define LABEL(identifier, key, type, doc) LABEL_##identifier,
#include "runtime/labels.def"
#undef LABEL
	LABEL_KEYS
};

struct sample_type_info {
	const char *name, *unit, *doc;
};

struct label_info {
	const char *key, *doc;
	bool is_number;
};

extern const struct sample_type_info sample_type_infos[SAMPLE_TYPES];
extern const struct label_info label_infos[LABEL_KEYS];

/* A Python function, as long-lived as whoever made it says.  Texts are valid UTF-8. */
struct function {
	const char *name;	/* co_qualname from 3.11 on, co_name before */
	const char *filename;	/* co_filename, verbatim */
	int32_t start_line;	/* 0: unknown */
};

/* One line of a stack.  Stacks are leaf first. */
struct frame {
	const struct function *function;
	int32_t line;		/* 0: unknown */
};

/* A label.  A string of NULL or "" is left out of the profile. */
struct label {
	enum label_key key;
	const char *string;	/* for STRING keys: valid UTF-8 */
	int64_t number;		/* for NUMBER keys */
};

/* Room for every label once: no sample carries a key twice. */
enum { SAMPLE_LABELS_MAX = LABEL_KEYS };

/* The deepest stack that may be asked for; what is deeper is cut, and the cut is shown. */
enum { STACK_DEPTH_MAX = 599 };

#endif
