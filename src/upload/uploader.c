/*
 * uploader.c - a native thread with a deadline of its own.
 *
 *     sleep until: deadline | flush | stop | signal
 *     upload:      drain caches -> swap red and black -> builder -> sink -> clear
 *
 * A sink of the network encodes first, so that the profile is free again while it sends; what
 * it could not send waits in the outbox, and its retry is one more deadline.
 *
 * Requests are tickets: `asked` counts them, `done` says up to which one an upload that
 * began later has ended.  So any number of flushes share one upload.
 *
 * The thread sleeps on a wakeup (a signal handler can end it); those who wait for an upload
 * wait on a condition variable.  Both go by CLOCK_MONOTONIC.
 *
 * Locking: the lock (LOCK_RANK_UPLOAD) guards the state and the counters, never an upload;
 *          `busy` keeps uploads one at a time.
 * Fork:    prefork takes the lock, which is short; an upload in flight goes on in the
 *          parent, and so do its deadlines.  The child has no thread and starts none until
 *          uploader_restart_if_needed(); what an upload in flight owned (a builder, the
 *          compressor, a descriptor) and what waited in the outbox is left as it is: no one
 *          knows how far it had come.
 */
#include <config.h>

#include "upload/uploader.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/clocks.h"
#include "runtime/error.h"
#include "runtime/fork.h"
#include "runtime/mutex.h"
#include "runtime/red_black.h"
#include "runtime/wakeup.h"
#include "upload/complaint.h"
#include "upload/exit_signal.h"
#include "upload/outbox.h"

int (*uploader_create_thread)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) = pthread_create;

static struct mutex lock SNECK_AT_FORK = MUTEX_INITIALIZER(LOCK_RANK_UPLOAD);
static pthread_cond_t changed SNECK_AT_FORK;		/* an upload ended, or the thread did */
static bool condition_is_made SNECK_AT_FORK;
static struct wakeup wakeup SNECK_AT_FORK;		/* the thread has something to do */
static _Atomic int state SNECK_AT_FORK;		/* enum uploader_state; atomic, so that a look needs no lock */
static struct uploader_config config;
static struct uploader_status counters;	/* its state is not used; ask counts() */
static bool counters_are_inherited SNECK_AT_FORK;	/* still the parent's */
static pthread_t thread;
static bool thread_ended SNECK_AT_FORK, busy SNECK_AT_FORK;
static bool is_last;			/* no other try follows; of whoever is busy */
static struct outbox outbox SNECK_AT_FORK;		/* of whoever is busy */
static uint64_t asked SNECK_AT_FORK, done SNECK_AT_FORK;
static int last_result SNECK_AT_FORK;			/* of the last upload */
static int64_t deadline_ns;

static _Atomic pid_t alive_in SNECK_AT_FORK;		/* the process whose thread answers to signals, or 0 */
static _Atomic int signal_asked SNECK_AT_FORK;	/* the signal to end by, or 0 */

/* This process's.  Lock held. */
static struct uploader_status *counts(void)
{
	if (counters_are_inherited)
		counters = (struct uploader_status){0};
	counters_are_inherited = false;
	return &counters;
}

/* ---- one upload ------------------------------------------------------------------------ */

static const char *reason(int result, const struct builder *builder)
{
	const char *text = builder ? builder_error(builder) : "";
	return *text ? text : error_text(result);
}

/* What came of it: sent, or lost. */
static void record(int result, const struct builder *builder)
{
	mutex_lock(&lock);
	if (result != OK) {
		counts()->failures++;
		counts()->drops++;
		snprintf(counts()->last_error, sizeof(counters.last_error), "%s", reason(result, builder));
	} else if (builder && *builder_target(builder)) {
		counts()->uploads++;
		counts()->bytes += builder_bytes(builder);
		snprintf(counts()->last_target, sizeof(counters.last_target), "%s", builder_target(builder));
	}
	mutex_unlock(&lock);
	if (result)
		complaint_say("a profile was lost", reason(result, builder));
	else if (builder)
		complaint_settled();
}

static void drop(struct builder *builder)
{
	if (!builder)
		return;
	record(ERR_AGAIN, builder);
	builder_free(builder);
}

static int drop_stale(struct builder *builder)
{
	if (!*builder_error(builder))
		(void)builder_failed(builder, ERR_IO, "it began longer ago than the server takes");
	drop(builder);
	return ERR_IO;
}

/* It stays in the outbox, for another try. */
static void keep(struct builder *builder)
{
	outbox_put_back(&outbox, builder);
	outbox_failed(&outbox, clock_now_ns(), builder_retry_wish_ns(builder));
	mutex_lock(&lock);
	counts()->retries++;
	snprintf(counts()->last_error, sizeof(counters.last_error), "%s", builder_error(builder));
	mutex_unlock(&lock);
	complaint_say("a profile could not be sent, and will be tried again", builder_error(builder));
}

static int send_one(struct builder *builder)
{
	int result = config.sink->send(config.sink, builder);
	if (result == ERR_AGAIN && !is_last) {
		keep(builder);
		return result;
	}
	outbox_succeeded(&outbox);	/* the server decided: nothing is to be waited for */
	record(result, builder);
	builder_free(builder);
	return result;
}

static void count_waiting(void)
{
	mutex_lock(&lock);
	counts()->waiting = outbox.n;
	mutex_unlock(&lock);
}

/* The outbox, the oldest first, until one has to stay; at the end all, as nothing stays. */
static int send_waiting(void)
{
	int result = OK;
	for (struct builder *stale; (stale = outbox_take_stale(&outbox, clock_wall_ns(), config.sink->begun_max_ns));)
		result = drop_stale(stale);
	for (struct builder *builder; (is_last || result != ERR_AGAIN) && (builder = outbox_take(&outbox));)
		result = send_one(builder);
	count_waiting();
	return result;
}

/* Straight from the profile, or by way of the outbox.  The profile is free again after it; takes the builder. */
static int send_profile(struct builder *builder, bool at_once)
{
	int (*send)(struct sink *, struct builder *) = config.sink->encode ? config.sink->encode : config.sink->send;
	int result = send(config.sink, builder);
	builder_release_profile(builder);
	red_black_done();
	if (result || !config.sink->encode) {
		record(result, builder);
		builder_free(builder);
		return result;
	}
	drop(outbox_put(&outbox, builder));
	if (at_once || clock_now_ns() >= outbox.try_ns)
		return send_waiting();
	count_waiting();
	return ERR_AGAIN;
}

/*
 * Its notes; true: there is something to send.  They wait for a profile that has a sample; the last one has
 * them without, in a file, as no later one comes.  A server shows nothing but samples.
 */
static bool add_notes(const struct profile *profile, struct builder *builder)
{
	bool has_samples = !profile_is_empty(profile) && builder_has_samples(builder);
	if (config.notes && (has_samples || (is_last && !config.sink->encode)))
		config.notes(config.context, builder);
	return has_samples || builder_has_notes(builder);
}

/* Nothing to send, or no memory to send it by. */
static int skip_profile(const struct profile *profile, struct builder *builder)
{
	int result = builder || profile_is_empty(profile) ? OK : ERR_NOMEM;
	builder_free(builder);
	red_black_done();
	record(result, NULL);
	return result;
}

/* at_once: someone waits for it, so what has to wait is tried now as well. */
static int upload(bool at_once)
{
	if (config.drain)
		config.drain(config.context);
	struct profile *profile = red_black_swap();
	if (!profile)
		return at_once ? send_waiting() : OK;
	mutex_lock(&lock);
	counts()->overflowed += profile_overflowed(profile);
	mutex_unlock(&lock);
	struct builder *builder = builder_new(profile, config.types);
	if (builder && add_notes(profile, builder))
		return send_profile(builder, at_once);
	int result = skip_profile(profile, builder);
	int sent = at_once ? send_waiting() : OK;
	return result ? result : sent;
}

static void move_deadline(void)
{
	int64_t now_ns = clock_now_ns();
	if (now_ns < deadline_ns)
		return;
	deadline_ns += config.period_ns;
	if (deadline_ns <= now_ns)	/* the machine slept, or the sink is slower than the period */
		deadline_ns = now_ns + config.period_ns;
}

static void start_period(void)
{
	deadline_ns = config.period_ns > 0 ? clock_now_ns() + config.period_ns : INT64_MAX;
}

/*
 * Lock held, and given up meanwhile; busy is false before and after.  last: the end is near.
 * Nothing, once a stop has let go of the sink.
 */
static void upload_unlocked(bool last)
{
	if (!config.sink) {
		done = asked;
		return;
	}
	uint64_t ticket = asked;
	bool at_once = asked != done || last;
	busy = true;
	is_last = last;
	move_deadline();
	mutex_unlock(&lock);
	int result = upload(at_once);
	mutex_lock(&lock);
	last_result = result;
	busy = false;
	done = ticket;
	pthread_cond_broadcast(&changed);
}

static struct timespec timespec_of(int64_t ns)
{
	return (struct timespec){ns / 1000000000, ns % 1000000000};
}

/* Lock held, given up meanwhile.  False at the limit. */
static bool wait_for_change(int64_t limit_ns)
{
	struct timespec limit = timespec_of(limit_ns);
	return pthread_cond_timedwait(&changed, &lock.pthread, &limit) != ETIMEDOUT;
}

/* ---- the thread ------------------------------------------------------------------------ */

static void sleep_unlocked(uint32_t ticket)
{
	int64_t due_ns = outbox_due_ns(&outbox), until_ns = due_ns < deadline_ns ? due_ns : deadline_ns;
	mutex_unlock(&lock);
	wakeup_sleep(&wakeup, ticket, until_ns);
	mutex_lock(&lock);
}

/* Try again what waits.  Lock held, and given up meanwhile. */
static void retry_unlocked(void)
{
	busy = true;
	is_last = false;
	mutex_unlock(&lock);
	int result = send_waiting();
	mutex_lock(&lock);
	last_result = result;
	busy = false;
	pthread_cond_broadcast(&changed);
}

static void end_by_signal(int signo)
{
	upload_unlocked(true);
	mutex_unlock(&lock);
	exit_signal_reraise(signo);
	mutex_lock(&lock);
}

/* Until stopped.  Lock held, and given up meanwhile. */
static void serve(void)
{
	for (;;) {
		while (busy)		/* a stop does what this thread had no time for */
			wait_for_change(INT64_MAX);
		uint32_t ticket = wakeup_ticket(&wakeup);
		int signo = atomic_exchange(&signal_asked, 0);
		if (signo)
			end_by_signal(signo);
		else if (asked != done || (state != UPLOADER_STOPPING && clock_now_ns() >= deadline_ns))
			upload_unlocked(state == UPLOADER_STOPPING);
		else if (state == UPLOADER_STOPPING)
			return;
		else if (clock_now_ns() >= outbox_due_ns(&outbox))
			retry_unlocked();
		else
			sleep_unlocked(ticket);
	}
}

/*
 * It names itself: another thread would have to open /proc/self/task/TID/comm, and with that
 * entry in the kernel's cache Linux 6.18 takes up to a second to reap the process.
 */
static void *thread_main(void *unused)
{
	(void)unused;
	pthread_setname_np(pthread_self(), "sneck-upload");
	mutex_lock(&lock);
	serve();
	/* in this order: uploader_terminate_signal() asks in the opposite one */
	alive_in = 0;
	int signo = atomic_exchange(&signal_asked, 0);
	if (signo)
		end_by_signal(signo);
	thread_ended = true;
	pthread_cond_broadcast(&changed);
	mutex_unlock(&lock);
	return NULL;
}

/*
 * No handler of the program's runs in our thread.  Faults stay deliverable: a blocked one
 * kills without the program's report of it, and sandboxes answer system calls by SIGSYS.
 */
static void block_signals(sigset_t *before)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
	sigset_t blocked;
	sigfillset(&blocked);
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		sigdelset(&blocked, faults[i]);
	pthread_sigmask(SIG_SETMASK, &blocked, before);
}

static int create_with_stack(size_t stack_bytes)
{
	pthread_attr_t attributes;
	int failed = pthread_attr_init(&attributes);
	if (failed)
		return failed;
	failed = pthread_attr_setstacksize(&attributes, stack_bytes);
	if (!failed)
		failed = uploader_create_thread(&thread, &attributes, thread_main, NULL);
	pthread_attr_destroy(&attributes);
	return failed;
}

/*
 * Lock held.  256 KiB is three times what zlib and a name server's answer take; the
 * libraries' thread-locals come out of it too, so a refused size is tried larger.
 */
static int start_thread(void)
{
	sigset_t before;
	int failed = EINVAL;
	block_signals(&before);
	for (size_t stack_bytes = 256 << 10; failed == EINVAL && stack_bytes <= 16 << 20; stack_bytes *= 8)
		failed = create_with_stack(stack_bytes);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	thread_ended = failed != 0;
	alive_in = failed ? 0 : getpid();
	rng_seed(&outbox.rng, (uint64_t)clock_now_ns() ^ (uint64_t)getpid() << 32);
	state = failed ? UPLOADER_NO_THREAD : UPLOADER_RUNNING;
	if (!failed)
		return OK;
	errno = failed;
	snprintf(counts()->last_error, sizeof(counters.last_error), "cannot start the upload thread: %m");
	return ERR_LIMIT;
}

/* ---- start, flush, stop ---------------------------------------------------------------- */

/* What waits is lost.  Lock held, nobody busy. */
static void abandon_waiting(void)
{
	for (struct builder *builder; (builder = outbox_take(&outbox)); builder_free(builder)) {
		counts()->failures++;
		counts()->drops++;
	}
	counts()->waiting = 0;
}

/* The end: from now on the sink may be freed.  Lock held, nobody busy. */
static void let_go(void)
{
	abandon_waiting();
	config.sink = NULL;
}

static void init_condition(void)
{
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&changed, &attributes);
	pthread_condattr_destroy(&attributes);
	condition_is_made = true;
}

/* A thread that was told to end and has not run since may as well go on.  Lock held. */
static int take_thread_back(void)
{
	state = UPLOADER_RUNNING;
	alive_in = getpid();
	wakeup_call(&wakeup);
	return OK;
}

/* Lock held. */
static bool is_startable(void)
{
	if (state == UPLOADER_STOPPING && thread_ended && !busy) {
		pthread_join(thread, NULL);
		state = UPLOADER_STOPPED;
	}
	return state == UPLOADER_STOPPED || (state == UPLOADER_STOPPING && !busy);
}

int uploader_start(const struct uploader_config *given)
{
	int error = ERR_STATE;
	mutex_lock(&lock);
	if (is_startable()) {
		if (!condition_is_made)
			init_condition();
		config = *given;
		*counts() = (struct uploader_status){0};
		abandon_waiting();	/* a stop that gave up left it */
		last_result = OK;
		done = asked;
		start_period();
		error = state == UPLOADER_STOPPED ? start_thread() : take_thread_back();
	}
	mutex_unlock(&lock);
	return error;
}

static int64_t time_limit(int64_t timeout_ns)
{
	int64_t now_ns = clock_now_ns();
	return timeout_ns < INT64_MAX - now_ns ? now_ns + timeout_ns : INT64_MAX;
}

/* The caller does what the thread would; lock held, given up meanwhile. */
static int flush_by_oneself(bool last, int64_t limit_ns)
{
	while (busy)
		if (!wait_for_change(limit_ns))
			return ERR_TIMEOUT;
	asked++;
	upload_unlocked(last);
	return last_result;
}

static int flush_by_thread(int64_t limit_ns)
{
	uint64_t ticket = ++asked;
	wakeup_call(&wakeup);
	while (done < ticket && !thread_ended)
		if (!wait_for_change(limit_ns))
			return done < ticket ? ERR_TIMEOUT : last_result;
	return done < ticket ? ERR_STATE : last_result;
}

int uploader_flush(int64_t timeout_ns)
{
	int result = ERR_STATE;
	int64_t limit_ns = time_limit(timeout_ns);
	uploader_restart_if_needed();
	mutex_lock(&lock);
	if (state == UPLOADER_RUNNING)
		result = flush_by_thread(limit_ns);
	else if (state == UPLOADER_NO_THREAD)
		result = flush_by_oneself(false, limit_ns);
	mutex_unlock(&lock);
	return result;
}

/* An idle thread ends within this, unless the system does not let it run at all. */
static const int64_t grace_ns = 500000000;

/* False: the thread is still uploading at the limit, or has not run for its grace. */
static bool wait_for_end(int64_t limit_ns)
{
	while (!thread_ended && state == UPLOADER_STOPPING) {
		int64_t grace_limit_ns = clock_now_ns() + grace_ns;
		int64_t until_ns = busy || limit_ns < grace_limit_ns ? limit_ns : grace_limit_ns;
		if (!wait_for_change(until_ns) && !thread_ended && (!busy || clock_now_ns() >= limit_ns))
			return false;
	}
	return true;
}

/*
 * The thread did not get to run (seen on machines with many more threads than processors):
 * what it was to do is done here, and it ends, or is taken back, when it wakes.
 */
static int stop_without_waiting(void)
{
	if (busy)
		return ERR_TIMEOUT;
	int result = OK;
	alive_in = 0;
	if (asked != done) {
		upload_unlocked(true);
		result = last_result;
	}
	let_go();
	return result;
}

/* Lock held, given up meanwhile. */
static int stop_thread(bool flush, int64_t limit_ns)
{
	if (flush && state == UPLOADER_RUNNING)
		asked++;
	state = UPLOADER_STOPPING;
	wakeup_call(&wakeup);
	if (!wait_for_end(limit_ns))
		return stop_without_waiting();
	if (state == UPLOADER_STOPPING) {	/* or another stop was faster */
		pthread_join(thread, NULL);	/* which takes our lock no more, and ends now */
		state = UPLOADER_STOPPED;
		let_go();
	}
	return flush ? last_result : OK;
}

static int stop_without_thread(bool flush, int64_t limit_ns)
{
	int result = flush ? flush_by_oneself(true, limit_ns) : OK;
	while (busy)
		if (!wait_for_change(limit_ns))
			return ERR_TIMEOUT;
	state = UPLOADER_STOPPED;
	let_go();
	return result;
}

int uploader_stop(bool flush, int64_t timeout_ns)
{
	int result = OK;
	int64_t limit_ns = time_limit(timeout_ns);
	mutex_lock(&lock);
	if (state == UPLOADER_RUNNING || state == UPLOADER_STOPPING)
		result = stop_thread(flush, limit_ns);
	else if (state != UPLOADER_STOPPED)
		result = stop_without_thread(flush, limit_ns);
	mutex_unlock(&lock);
	return result;
}

void uploader_status(struct uploader_status *status)
{
	mutex_lock(&lock);
	*status = *counts();
	status->state = state;
	mutex_unlock(&lock);
}

/* ---- fork ------------------------------------------------------------------------------ */

void uploader_restart_if_needed(void)
{
	if (state != UPLOADER_FORKED)
		return;
	mutex_lock(&lock);
	if (state == UPLOADER_FORKED) {
		start_period();
		start_thread();		/* refused: status tells, and flush works without */
	}
	mutex_unlock(&lock);
}

void uploader_prefork(void)
{
	mutex_lock(&lock);
}

void uploader_postfork_parent(void)
{
	mutex_unlock(&lock);
}

SNECK_FORK_CODE void uploader_postfork_child(void)
{
	mutex_postfork_child(&lock);
	alive_in = 0;
	signal_asked = 0;
	if (state == UPLOADER_STOPPED)
		return;
	init_condition();		/* its waiters are the parent's */
	wakeup = (struct wakeup){0};
	busy = false;
	done = asked;
	last_result = OK;
	counters_are_inherited = true;	/* and stay so until somebody asks: it is another page */
	outbox = (struct outbox){0};	/* its profiles are the parent's to send */
	state = state == UPLOADER_STOPPING ? UPLOADER_STOPPED : UPLOADER_FORKED;
}

/* ---- signals --------------------------------------------------------------------------- */

bool uploader_terminate_signal(int signo)
{
	if (alive_in != getpid())
		return false;
	signal_asked = signo;
	wakeup_call(&wakeup);
	/* the thread may have ended since the first look: then the signal is its last deed, or ours */
	return alive_in == getpid() || atomic_exchange(&signal_asked, 0) == 0;
}

int uploader_threads(void)
{
	return alive_in == getpid();
}
