/*
 * sample.c - the tables of sample types and labels as arrays.
 */
#include <config.h>

#include "runtime/sample.h"

const struct sample_type_info sample_type_infos[SAMPLE_TYPES] = {
#define SAMPLE_TYPE(identifier, name, unit, doc) [SAMPLE_##identifier] = {name, unit, doc},
#include "runtime/sample_types.def"
#undef SAMPLE_TYPE
};

enum { STRING, NUMBER };

const struct label_info label_infos[LABEL_KEYS] = {
#define LABEL(identifier, key, type, doc) [LABEL_##identifier] = {key, doc, (type) == NUMBER},
#include "runtime/labels.def"
#undef LABEL
};
