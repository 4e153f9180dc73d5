/*
 * uploader.h - the thread that takes the profile out, at its deadline or on demand.
 *
 * One in a process.  No function here touches Python, and none may be called while holding
 * the GIL if it waits: uploader_flush and uploader_stop (the caller releases it).
 */
#ifndef SNECK_UPLOAD_UPLOADER_H
#define SNECK_UPLOAD_UPLOADER_H

#include <limits.h>
#include <pthread.h>

#include "upload/sink.h"

struct uploader_config {
	int64_t period_ns;		/* between uploads; 0: on demand alone */
	struct sink *sink;		/* kept until uploader_stop gave OK */
	uint64_t types;			/* columns, as in pprof_meta; 0: all */

	/* Hooks, each may be NULL; called by the uploader, no lock held, without the GIL. */
	void (*drain)(void *context);	/* bring what threads have gathered into the profile */
	void (*notes)(void *context, struct builder *builder);	/* builder_add_note */
	void *context;
};

enum uploader_state {
	UPLOADER_STOPPED,
	UPLOADER_RUNNING,
	UPLOADER_NO_THREAD,		/* started, but its thread could not be; flush works all the same */
	UPLOADER_FORKED,		/* a child whose thread is not there yet */
	UPLOADER_STOPPING,		/* the last upload takes longer than uploader_stop waited */
};

struct uploader_status {
	enum uploader_state state;
	uint64_t uploads, failures;	/* profiles sent, and profiles that the sink refused */
	uint64_t drops;			/* profiles lost */
	uint64_t retries;		/* tries that failed and are to be repeated */
	uint64_t waiting;		/* profiles that wait for another try, at most OUTBOX_MAX */
	uint64_t bytes;			/* sent, compressed */
	uint64_t overflowed;		/* samples that met a full profile */
	char last_error[512], last_target[PATH_MAX];
};

/*
 * Begin, in a process that has red_black profiles; copies the config.  ERR_STATE if not
 * stopped.  ERR_LIMIT: it did start, but without its thread (status tells why).
 */
int uploader_start(const struct uploader_config *config);

/*
 * Upload now and wait until it is done, timeout_ns at most.  OK: sent, or nothing to send;
 * ERR_TIMEOUT: still under way; ERR_STATE: not started; or the sink's error.  Without a
 * thread the caller uploads by itself.  Any thread, holding none of our locks.
 */
int uploader_flush(int64_t timeout_ns);

/*
 * End the thread, after a last upload if so wished.  ERR_TIMEOUT: an upload did not end
 * within timeout_ns; sink and context must stay, and stop may be called again.
 */
int uploader_stop(bool flush, int64_t timeout_ns);

void uploader_status(struct uploader_status *status);

/*
 * In a forked child, bring the thread back.  Cheap when there is nothing to do, so call it
 * where a child is first seen at work; not inside a lock of ours, not in a fork handler.
 */
void uploader_restart_if_needed(void);

/* Around a fork.  prefork waits for nothing but the lock, which is held for moments. */
void uploader_prefork(void);
void uploader_postfork_parent(void);
void uploader_postfork_child(void);

/*
 * For exit_signal_install(): ask for a last upload, after which the uploader calls
 * exit_signal_reraise(signo).  False: no uploader thread in this process.  Async-signal-safe.
 */
bool uploader_terminate_signal(int signo);

/* pthread_create, for tests to replace. */
extern int (*uploader_create_thread)(pthread_t *thread, const pthread_attr_t *attributes,
				     void *(*main)(void *), void *argument);

/* How many threads of this process are the uploader's. */
int uploader_threads(void);

#endif
