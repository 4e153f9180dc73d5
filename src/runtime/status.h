/*
 * status.h - how a module tells status() about itself: pairs of a key and a value.
 *
 * Call with none of our locks held and with the GIL: the receiver makes Python objects of
 * the pairs.  Keys and texts are borrowed.
 */
#ifndef SNECK_RUNTIME_STATUS_H
#define SNECK_RUNTIME_STATUS_H

#include <stdbool.h>
#include <stdint.h>

struct status {
	void (*text)(struct status *status, const char *key, const char *text);	/* NULL: nothing to tell */
	void (*number)(struct status *status, const char *key, int64_t number);
	void (*truth)(struct status *status, const char *key, bool truth);
};

static inline void status_text(struct status *status, const char *key, const char *text)
{
	status->text(status, key, text);
}

static inline void status_number(struct status *status, const char *key, int64_t number)
{
	status->number(status, key, number);
}

static inline void status_truth(struct status *status, const char *key, bool truth)
{
	status->truth(status, key, truth);
}

#endif
