/*
 * pushed.h - samples that other C code brings: a transaction of frames, labels and values.
 *
 * Any thread, with or without the GIL.  Texts are copied and interned for the life of the
 * process, within bounds.  Errors leave a sample as it was.
 */
#ifndef SNECK_RUNTIME_PUSHED_H
#define SNECK_RUNTIME_PUSHED_H

#include <stdbool.h>

#include "runtime/sample.h"
#include "runtime/threads.h"

enum {
	PUSHED_FUNCTIONS_MAX = 65536,	/* as many as code_table keeps; those beyond become one */
	PUSHED_LABEL_SETS_MAX = 8192,	/* a set is 300 bytes: 3 MiB at most */
	PUSHED_BYTES_MAX = 16 << 20,	/* of all texts and tables together */
};

struct pushed;

/* From now on samples are taken, of so many frames at most; or no more. */
void pushed_enable(size_t max_frames);
void pushed_disable(void);
bool pushed_is_enabled(void);

/* A sample type by its name, or ERR_INVALID. */
int pushed_sample_type(const char *name);

/* Gives; NULL while disabled or without memory. */
struct pushed *pushed_new(void);
void pushed_free(struct pushed *sample);

/* ERR_STATE: disabled since, or the sample is the forking parent's.  What the others below begin with. */
int pushed_check(const struct pushed *sample);

/* The next frame towards the root.  Texts may be bad UTF-8 and long: as in a profile. */
int pushed_frame(struct pushed *sample, const char *name, const char *file, int line);

/* Likewise n frames whose functions need not outlive the call; omitted: how many more there were. */
int pushed_frames(struct pushed *sample, const struct frame *frames, size_t n, size_t omitted);

/* ERR_INVALID: no such key, or one that is not for others to set. */
int pushed_label(struct pushed *sample, const char *key, const char *text);

/* ERR_INVALID: no such type; negative, or not finite. */
int pushed_value(struct pushed *sample, int type, double value);

/*
 * Into the cache of the thread, which is the calling one.  Takes the sample, whatever comes back:
 * ERR_INVALID: there was no value; ERR_AGAIN: the thread is in the middle of a sample.
 */
int pushed_flush(struct pushed *sample, struct thread *thread);

void pushed_prefork(void);
void pushed_postfork_parent(void);
void pushed_postfork_child(void);

#endif
