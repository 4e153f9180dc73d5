/*
 * test_uploader.c - each sample sent once, on time, whoever asks, forks or stops.
 */
#include <config.h>

#include "upload/uploader.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/clocks.h"
#include "runtime/log.h"
#include "runtime/red_black.h"
#include "samples.h"
#include "unit.h"
#include "upload/exit_signal.h"
#include "upload/pprof_read.h"

#define MS INT64_C(1000000)

/*
 * The thread sanitizer knows no threads and no signal handlers in a child of a process with
 * threads: there, such tests only say that they were skipped.
 */
#ifdef __SANITIZE_THREAD__
static bool is_skipped(const char *what)
{
	fprintf(stderr, "SKIP %s: not with the thread sanitizer\n", what);
	return true;
}
#else
static bool is_skipped(const char *what)
{
	(void)what;
	return false;
}
#endif

/* A sink that reads back what it gets and adds up the waits. */
struct counting_sink {
	struct sink sink;
	_Atomic int64_t waits, sends, sleep_ms, wish_ns;
	_Atomic bool refuse, in_flight;
	char comment[64];
};

static int count(struct sink *base, struct builder *builder)
{
	struct counting_sink *sink = (struct counting_sink *)base;
	struct memory_file bytes = {0};
	struct pprof_file *file;
	char message[PPROF_MESSAGE_BYTES];
	sink->in_flight = true;
	usleep((useconds_t)sink->sleep_ms * 1000);
	sink->in_flight = false;
	if (sink->refuse)
		return builder_failed(builder, ERR_IO, "refused for the test");
	if (builder_encode(builder, write_memory, &bytes) ||
	    pprof_read(bytes.data, bytes.size, 64 << 20, &file, message))
		return builder_failed(builder, ERR_INVALID, "unreadable");
	for (size_t i = 0; i < file->n_samples; i++)
		sink->waits += file->samples[i].values[SAMPLE_LOCK_ACQUIRE_WAIT];
	snprintf(sink->comment, sizeof(sink->comment), "%s", file->n_comments ? file->comments[0] : "");
	sink->sends++;
	builder_sent(builder, "memory", bytes.size);
	pprof_file_free(file);
	free(bytes.data);
	return OK;
}

static struct counting_sink sink = {.sink = {.send = count}};
static _Atomic int drains;

static int add(double wait_ns)
{
	const double values[SAMPLE_TYPES] = {[SAMPLE_LOCK_ACQUIRE_WAIT] = wait_ns};
	return red_black_add(&(struct frame){&leaf_function, 1}, 1, 0, NULL, 0, values);
}

static void drain(void *context)
{
	ck_assert_ptr_eq(context, &drains);
	drains++;
}

static void notes(void *context, struct builder *builder)
{
	(void)context;
	builder_add_note(builder, "from the hook");
}

static void no_notes(void *context, struct builder *builder)
{
	(void)context, (void)builder;
}

static struct uploader_config config_of(int64_t period_ns)
{
	return (struct uploader_config){.period_ns = period_ns, .sink = &sink.sink, .drain = drain,
					.notes = notes, .context = &drains};
}

static void start_as(struct uploader_config config)
{
	ck_assert_int_eq(red_black_init(&roomy), OK);
	ck_assert_int_eq(uploader_start(&config), OK);
}

static void start(int64_t period_ns)
{
	start_as(config_of(period_ns));
}

static struct uploader_status status_now(void)
{
	static struct uploader_status status;
	uploader_status(&status);
	return status;
}

/* Our threads, by their name; the sanitizers have some of their own. */
static int upload_threads(void)
{
	int n = 0;
	DIR *tasks = opendir("/proc/self/task");
	for (struct dirent *task; (task = readdir(tasks));) {
		char path[300], name[32] = "";
		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", task->d_name);
		FILE *file = fopen(path, "r");
		if (file && fgets(name, sizeof(name), file))
			n += strcmp(name, "sneck-upload\n") == 0;
		if (file)
			fclose(file);
	}
	closedir(tasks);
	return n;
}

/* A thread that was joined may stay listed for a moment. */
static bool has_upload_threads(int wanted)
{
	for (int i = 0; i < 200 && upload_threads() != wanted; i++)
		usleep(5000);
	return upload_threads() == wanted;
}

static int wait_for(pid_t pid)
{
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static pid_t fork_with_hooks(void)
{
	uploader_prefork();
	red_black_prefork();
	pid_t pid = fork();
	if (pid) {
		red_black_postfork_parent();
		uploader_postfork_parent();
	} else {
		red_black_postfork_child();
		uploader_postfork_child();
	}
	return pid;
}

START_TEST(uploader_flush_sends_what_was_added)
{
	start(3600000 * MS);
	ck_assert_int_eq(status_now().state, UPLOADER_RUNNING);
	add(5);
	add(7);
	ck_assert_int_eq(uploader_flush(10000 * MS), OK);
	ck_assert_int_eq(sink.waits, 12);
	ck_assert_str_eq(sink.comment, "from the hook");
	ck_assert_int_eq(drains, 1);
	struct uploader_status status = status_now();
	ck_assert_uint_eq(status.uploads, 1);
	ck_assert_uint_gt(status.bytes, 50);
	ck_assert_str_eq(status.last_target, "memory");
	ck_assert_str_eq(status.last_error, "");
	ck_assert_int_eq(uploader_stop(false, 10000 * MS), OK);
	red_black_fini();
}
END_TEST

START_TEST(uploader_sends_nothing_when_there_is_nothing)
{
	struct uploader_config config = config_of(5 * MS);
	config.notes = no_notes;
	start_as(config);
	ck_assert_int_eq(uploader_flush(10000 * MS), OK);
	usleep(50000);
	ck_assert_int_eq(uploader_stop(true, 10000 * MS), OK);
	ck_assert_int_gt(drains, 3);
	ck_assert_int_eq(sink.sends, 0);
	ck_assert_uint_eq(status_now().uploads, 0);
	ck_assert_uint_eq(status_now().failures, 0);
	red_black_fini();
}
END_TEST

START_TEST(uploader_sends_notes_alone_at_the_end_and_no_sooner)
{
	start(5 * MS);
	ck_assert_int_eq(uploader_flush(10000 * MS), OK);
	usleep(50000);
	ck_assert_int_eq(sink.sends, 0);
	ck_assert_int_eq(uploader_stop(true, 10000 * MS), OK);
	ck_assert_int_eq(sink.sends, 1);
	ck_assert_str_eq(sink.comment, "from the hook");
	ck_assert_uint_eq(status_now().uploads, 1);
	red_black_fini();
}
END_TEST

START_TEST(uploader_stop_sends_the_last_one_if_wished)
{
	start(3600000 * MS);
	ck_assert(has_upload_threads(1));
	add(3);
	ck_assert_int_eq(uploader_stop(true, 10000 * MS), OK);
	ck_assert(has_upload_threads(0));
	ck_assert_int_eq(sink.waits, 3);
	ck_assert_int_eq(status_now().state, UPLOADER_STOPPED);
	ck_assert_int_eq(uploader_flush(MS), ERR_STATE);
	ck_assert_int_eq(uploader_stop(true, MS), OK);
	struct uploader_config config = config_of(3600000 * MS);
	for (int i = 0; i < 50; i++) {
		ck_assert_int_eq(uploader_start(&config), OK);
		ck_assert_int_eq(uploader_start(&config), ERR_STATE);
		add(1);
		ck_assert_int_eq(uploader_stop(i % 2, 10000 * MS), OK);
	}
	ck_assert_int_eq(sink.waits, 3 + 50);	/* what one stop did not send, the next one did */
	red_black_fini();
}
END_TEST

START_TEST(uploader_keeps_its_period)
{
	start(50 * MS);
	int64_t before = clock_now_ns();
	for (int i = 0; i < 110; i++) {
		add(1);
		usleep(5000);
	}
	int64_t periods = (clock_now_ns() - before) / (50 * MS);
	int64_t sends = sink.sends;
	ck_assert_int_ge(sends, periods / 4);	/* a loaded machine sleeps over some */
	ck_assert_int_le(sends, periods + 1);
	uploader_stop(true, 10000 * MS);
	ck_assert_int_eq(sink.waits, 110);
	red_black_fini();
}
END_TEST

START_TEST(uploader_counts_failures_and_goes_on)
{
	start(3600000 * MS);
	sink.refuse = true;
	add(5);
	ck_assert_int_eq(uploader_flush(10000 * MS), ERR_IO);
	struct uploader_status status = status_now();
	ck_assert_uint_eq(status.failures, 1);
	ck_assert_uint_eq(status.drops, 1);
	ck_assert_uint_eq(status.uploads, 0);
	ck_assert_str_eq(status.last_error, "refused for the test");
	sink.refuse = false;
	add(7);
	ck_assert_int_eq(uploader_flush(10000 * MS), OK);
	ck_assert_int_eq(sink.waits, 7);
	ck_assert_uint_eq(status_now().failures, 1);
	uploader_stop(false, 10000 * MS);
	red_black_fini();
}
END_TEST

START_TEST(uploader_counts_overflowed_samples)
{
	struct uploader_config config = config_of(3600000 * MS);
	const double values[SAMPLE_TYPES] = {1};
	red_black_init(&(struct profile_limits){.rows = 3, .bytes = 1 << 20});
	uploader_start(&config);
	for (int32_t i = 0; i < 10; i++)
		red_black_add(&(struct frame){&leaf_function, i}, 1, 0, NULL, 0, values);
	uploader_flush(10000 * MS);
	ck_assert_uint_eq(status_now().overflowed, 7);
	ck_assert_int_eq(sink.waits, 10);
	uploader_stop(false, 10000 * MS);
	red_black_fini();
}
END_TEST

START_TEST(uploader_waits_are_bounded)
{
	start(3600000 * MS);
	sink.sleep_ms = 700;
	add(5);
	int64_t before = clock_now_ns();
	ck_assert_int_eq(uploader_flush(50 * MS), ERR_TIMEOUT);
	ck_assert_int_eq(uploader_stop(true, 50 * MS), ERR_TIMEOUT);
	ck_assert_int_lt(clock_now_ns() - before, 600 * MS);
	ck_assert_int_eq(status_now().state, UPLOADER_STOPPING);
	ck_assert_int_eq(uploader_flush(MS), ERR_STATE);
	struct uploader_config config = config_of(0);
	ck_assert_int_eq(uploader_start(&config), ERR_STATE);
	ck_assert_int_eq(uploader_stop(true, 10000 * MS), OK);
	ck_assert_int_eq(sink.waits, 5);
	red_black_fini();
}
END_TEST

enum { FLUSHERS = 8 };

static void *flusher(void *unused)
{
	(void)unused;
	for (int i = 0; i < 200; i++) {
		add(1);
		ck_assert_int_eq(uploader_flush(30000 * MS), OK);
	}
	return NULL;
}

START_TEST(uploader_flushes_of_many_threads_lose_nothing)
{
	start(1 * MS);
	pthread_t threads[FLUSHERS];
	for (int i = 0; i < FLUSHERS; i++)
		pthread_create(&threads[i], NULL, flusher, NULL);
	for (int i = 0; i < FLUSHERS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(sink.waits, FLUSHERS * 200);	/* flush returns after one's own sample is out */
	uploader_stop(false, 10000 * MS);
	red_black_fini();
}
END_TEST

/* ---- the thread ------------------------------------------------------------------------ */

static int refused_creations;

static int refuse_thread(pthread_t *thread, const pthread_attr_t *attributes, void *(*entry)(void *), void *argument)
{
	(void)thread, (void)attributes, (void)entry, (void)argument;
	refused_creations++;
	return EAGAIN;
}

static void *(*late_entry)(void *);

static void *enter_late(void *argument)
{
	usleep(1500000);
	return late_entry(argument);
}

static int create_late(pthread_t *thread, const pthread_attr_t *attributes, void *(*entry)(void *), void *argument)
{
	late_entry = entry;
	return pthread_create(thread, attributes, enter_late, argument);
}

START_TEST(uploader_whose_thread_does_not_get_to_run_uploads_all_the_same_and_takes_it_back)
{
	struct uploader_config config = config_of(3600000 * MS);
	uploader_create_thread = create_late;
	start(3600000 * MS);
	add(5);
	int64_t before_ns = clock_now_ns();
	ck_assert_int_eq(uploader_stop(true, 10000 * MS), OK);
	ck_assert_int_lt(clock_now_ns() - before_ns, 1400 * MS);
	ck_assert_int_eq(sink.waits, 5);
	uploader_create_thread = refuse_thread;		/* none is made: the late one serves */
	ck_assert_int_eq(uploader_start(&config), OK);
	add(6);
	ck_assert_int_eq(uploader_flush(10000 * MS), OK);
	ck_assert_int_eq(sink.waits, 11);
	ck_assert(has_upload_threads(1));
	ck_assert_int_eq(uploader_stop(false, 10000 * MS), OK);
	ck_assert(has_upload_threads(0));
	red_black_fini();
}
END_TEST

/* Awake while whoever stops uploads in its place: 0.5 s to 2 s after the stop. */
START_TEST(uploader_whose_thread_wakes_during_its_stops_upload_does_not_upload_too)
{
	uploader_create_thread = create_late;
	start(3600000 * MS);
	sink.sleep_ms = 1500;
	add(5);
	ck_assert_int_eq(uploader_stop(true, 10000 * MS), OK);
	sink.sink.send = NULL;		/* freed */
	ck_assert_int_eq(drains, 1);
	ck_assert_int_eq(sink.waits, 5);
	ck_assert(has_upload_threads(0));
	red_black_fini();
}
END_TEST

START_TEST(uploader_without_a_thread_says_so_and_flushes_all_the_same)
{
	struct uploader_config config = config_of(3600000 * MS);
	uploader_create_thread = refuse_thread;
	red_black_init(&roomy);
	ck_assert_int_eq(uploader_start(&config), ERR_LIMIT);
	ck_assert_int_eq(refused_creations, 1);
	struct uploader_status status = status_now();
	ck_assert_int_eq(status.state, UPLOADER_NO_THREAD);
	ck_assert_ptr_nonnull(strstr(status.last_error, "cannot start the upload thread: Resource temporarily"));
	ck_assert(!uploader_terminate_signal(SIGTERM));
	add(5);
	ck_assert_int_eq(uploader_flush(10000 * MS), OK);
	ck_assert_int_eq(sink.waits, 5);
	add(6);
	ck_assert_int_eq(uploader_stop(true, 10000 * MS), OK);
	ck_assert_int_eq(sink.waits, 11);
	red_black_fini();
}
END_TEST

static size_t stack_sizes[8];

static int refuse_small_stacks(pthread_t *thread, const pthread_attr_t *attributes, void *(*entry)(void *),
			       void *argument)
{
	size_t size;
	pthread_attr_getstacksize(attributes, &size);
	stack_sizes[refused_creations++] = size;
	return size < 1 << 20 ? EINVAL : pthread_create(thread, attributes, entry, argument);
}

START_TEST(uploader_tries_a_larger_stack_when_thread_locals_fill_the_small_one)
{
	uploader_create_thread = refuse_small_stacks;
	start(3600000 * MS);
	ck_assert_int_eq(refused_creations, 2);
	ck_assert_uint_eq(stack_sizes[0], 256 << 10);
	ck_assert_uint_eq(stack_sizes[1], 2 << 20);
	add(1);
	ck_assert_int_eq(uploader_flush(10000 * MS), OK);
	uploader_stop(false, 10000 * MS);
	red_black_fini();
}
END_TEST

static _Atomic int term_is_blocked = -1, segv_is_blocked = -1;
static char thread_name[32];

static void look_at_the_thread(void *context)
{
	(void)context;
	sigset_t blocked;
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	pthread_getname_np(pthread_self(), thread_name, sizeof(thread_name));
	segv_is_blocked = sigismember(&blocked, SIGSEGV);
	term_is_blocked = sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGALRM) &&
			  sigismember(&blocked, SIGINT) && sigismember(&blocked, SIGXFSZ);
}

START_TEST(uploader_thread_takes_no_signals_of_the_program)
{
	struct uploader_config config = config_of(3600000 * MS);
	config.drain = look_at_the_thread;
	sigset_t before, after;
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	red_black_init(&roomy);
	uploader_start(&config);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	ck_assert_int_eq(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
	uploader_flush(10000 * MS);
	ck_assert_int_eq(term_is_blocked, 1);
	ck_assert_int_eq(segv_is_blocked, 0);
	ck_assert_str_eq(thread_name, "sneck-upload");
	uploader_stop(false, 10000 * MS);
	red_black_fini();
}
END_TEST

/* ---- fork ------------------------------------------------------------------------------ */

START_TEST(uploader_child_has_no_thread_until_it_needs_one)
{
	if (is_skipped("uploader_child_has_no_thread_until_it_needs_one"))
		return;
	start(3600000 * MS);
	add(100);
	pid_t pid = fork_with_hooks();
	if (pid == 0) {
		if (upload_threads() != 0 || status_now().state != UPLOADER_FORKED)
			_exit(1);
		if (uploader_terminate_signal(SIGTERM))
			_exit(2);
		uploader_restart_if_needed();
		if (!has_upload_threads(1) || status_now().state != UPLOADER_RUNNING)
			_exit(3);
		uploader_restart_if_needed();
		add(5);
		if (uploader_flush(10000 * MS) != OK || sink.waits != 5)
			_exit(4);
		_exit(uploader_stop(true, 10000 * MS) == OK && has_upload_threads(0) ? 0 : 5);
	}
	ck_assert_int_eq(wait_for(pid), 0);
	ck_assert_int_eq(uploader_stop(true, 10000 * MS), OK);
	ck_assert_int_eq(sink.waits, 100);
	red_black_fini();
}
END_TEST

START_TEST(uploader_child_stopped_at_once_still_sends_its_own)
{
	start(3600000 * MS);
	add(100);
	pid_t pid = fork_with_hooks();
	if (pid == 0) {
		add(7);
		_exit(uploader_stop(true, 10000 * MS) == OK && sink.waits == 7 && has_upload_threads(0) ? 0 : 1);
	}
	ck_assert_int_eq(wait_for(pid), 0);
	uploader_stop(true, 10000 * MS);
	ck_assert_int_eq(sink.waits, 100);
	red_black_fini();
}
END_TEST

START_TEST(uploader_forks_during_an_upload_without_waiting_for_it)
{
	if (is_skipped("uploader_forks_during_an_upload_without_waiting_for_it"))
		return;
	start(3600000 * MS);
	sink.sleep_ms = 1500;
	add(50);
	ck_assert_int_eq(uploader_flush(10 * MS), ERR_TIMEOUT);
	while (!sink.in_flight)
		usleep(1000);
	int64_t before = clock_now_ns();
	pid_t pid = fork_with_hooks();
	if (pid == 0) {
		sink.sleep_ms = 0;
		add(3);
		_exit(uploader_flush(10000 * MS) == OK && sink.waits == 3 ? 0 : 1);
	}
	ck_assert_int_lt(clock_now_ns() - before, 1000 * MS);
	ck_assert_int_eq(wait_for(pid), 0);
	ck_assert_int_eq(uploader_stop(true, 10000 * MS), OK);
	ck_assert_int_eq(sink.waits, 50);
	red_black_fini();
}
END_TEST

START_TEST(uploader_of_a_process_that_forks_often_still_uploads_on_time)
{
	start(100 * MS);
	int64_t before = clock_now_ns();
	for (int i = 0; i < 50; i++) {
		add(1);
		pid_t pid = fork_with_hooks();
		if (pid == 0)
			_exit(0);
		wait_for(pid);
		usleep(10000);
	}
	int64_t periods = (clock_now_ns() - before) / (100 * MS);
	ck_assert_int_ge(sink.sends, periods / 4);
	ck_assert_int_le(sink.sends, periods + 1);
	uploader_stop(true, 10000 * MS);
	ck_assert_int_eq(sink.waits, 50);
	red_black_fini();
}
END_TEST

START_TEST(uploader_forks_amid_flushes_of_many_threads)
{
	start(1 * MS);
	pthread_t threads[FLUSHERS];
	for (int i = 0; i < FLUSHERS; i++)
		pthread_create(&threads[i], NULL, flusher, NULL);
	for (int i = 0; i < 50; i++) {
		pid_t pid = fork_with_hooks();
		if (pid == 0) {
			struct uploader_config config = {.period_ns = 0};
			int ok = uploader_start(&config) == ERR_STATE && add(2) == OK;
			_exit(ok && status_now().state == UPLOADER_FORKED ? 0 : 1);
		}
		ck_assert_int_eq(wait_for(pid), 0);
	}
	for (int i = 0; i < FLUSHERS; i++)
		pthread_join(threads[i], NULL);
	uploader_stop(true, 10000 * MS);
	ck_assert_int_eq(sink.waits, FLUSHERS * 200);
	red_black_fini();
}
END_TEST

/* A sink of the network: what it encoded is its own, and `refuse` asks for another try. */
static int encode_payload(struct sink *base, struct builder *builder)
{
	struct memory_file bytes = {0};
	(void)base;
	int error = builder_encode(builder, write_memory, &bytes);
	return error ? error : builder_keep(builder, "profile", bytes.data, bytes.size);
}

static int send_payload(struct sink *base, struct builder *builder)
{
	struct counting_sink *to = (struct counting_sink *)base;
	size_t n;
	struct payload *payload = builder_payloads(builder, &n);
	struct pprof_file *file;
	char message[PPROF_MESSAGE_BYTES];
	to->sends++;
	usleep((useconds_t)to->sleep_ms * 1000);
	builder_retry_after(builder, to->wish_ns);
	if (to->refuse)
		return builder_failed(builder, ERR_AGAIN, "not now");
	if (n != 1 || pprof_read(payload->data, payload->size, 64 << 20, &file, message))
		return builder_failed(builder, ERR_INVALID, "unreadable");
	for (size_t i = 0; i < file->n_samples; i++)
		to->waits += file->samples[i].values[SAMPLE_LOCK_ACQUIRE_WAIT];
	builder_sent(builder, "network", payload->size);
	pprof_file_free(file);
	return OK;
}

static void start_network(int64_t period_ns)
{
	sink.sink = (struct sink){.encode = encode_payload, .send = send_payload};
	start(period_ns);
}

START_TEST(uploader_sends_later_what_it_could_not_send_in_order_and_once)
{
	start_network(3600000 * MS);
	sink.refuse = true;
	add(1);
	ck_assert_int_eq(uploader_flush(10000 * MS), ERR_AGAIN);
	add(10);
	ck_assert_int_eq(uploader_flush(10000 * MS), ERR_AGAIN);
	ck_assert_uint_eq(status_now().waiting, 2);
	ck_assert_uint_eq(status_now().drops, 0);
	ck_assert_str_eq(status_now().last_error, "not now");
	sink.refuse = false;
	for (int i = 0; i < 1000 && sink.waits != 11; i++)	/* by itself: within two seconds or so */
		usleep(10000);
	ck_assert_int_eq(uploader_flush(10000 * MS), OK);
	ck_assert_int_eq(sink.waits, 11);
	ck_assert_uint_eq(status_now().uploads, 2);
	ck_assert_uint_eq(status_now().waiting, 0);
	ck_assert_int_eq(uploader_stop(true, 10000 * MS), OK);
	ck_assert_int_eq(sink.waits, 11);
	red_black_fini();
}
END_TEST

START_TEST(uploader_keeps_two_profiles_and_counts_the_others)
{
	start_network(3600000 * MS);
	sink.refuse = true;
	for (int wait_ns = 1; wait_ns <= 1000; wait_ns *= 10) {
		add(wait_ns);
		ck_assert_int_eq(uploader_flush(10000 * MS), ERR_AGAIN);
	}
	ck_assert_uint_eq(status_now().waiting, 2);
	ck_assert_uint_eq(status_now().drops, 2);
	sink.refuse = false;
	ck_assert_int_eq(uploader_stop(true, 10000 * MS), OK);	/* the end is a last try */
	ck_assert_int_eq(sink.waits, 1100);
	red_black_fini();
}
END_TEST

static void wait_until_waiting(uint64_t profiles)
{
	for (int i = 0; i < 1000 && status_now().waiting != profiles; i++)
		usleep(10000);
	ck_assert_uint_eq(status_now().waiting, profiles);
}

START_TEST(uploader_does_not_send_what_began_too_long_ago)
{
	start_network(3600000 * MS);
	sink.sink.begun_max_ns = 1;
	add(1);
	ck_assert_int_eq(uploader_flush(10000 * MS), ERR_IO);
	ck_assert_int_eq(sink.sends, 0);
	ck_assert_uint_eq(status_now().drops, 1);
	ck_assert_str_eq(status_now().last_error, "it began longer ago than the server takes");
	sink.sink.begun_max_ns = 0;
	add(10);
	ck_assert_int_eq(uploader_flush(10000 * MS), OK);
	ck_assert_int_eq(sink.waits, 10);
	ck_assert_int_eq(uploader_stop(false, 10000 * MS), OK);
	red_black_fini();
}
END_TEST

START_TEST(uploader_counts_what_joins_those_that_wait)
{
	start_network(50 * MS);
	sink.refuse = true;
	sink.wish_ns = 3600000 * MS;	/* or a retry would count them */
	add(1);
	wait_until_waiting(1);
	add(10);
	wait_until_waiting(2);
	ck_assert_int_eq(sink.sends, 1);
	ck_assert_int_eq(uploader_stop(false, 10000 * MS), OK);
	red_black_fini();
}
END_TEST

static char last_line[LOG_LINE_MAX];

static void note_line(const char *line, size_t size)
{
	snprintf(last_line, sizeof(last_line), "%.*s", (int)size, line);
}

START_TEST(uploader_counts_what_waits_at_the_end_as_lost)
{
	start_network(3600000 * MS);
	sink.refuse = true;
	add(1);
	log_writer = note_line;
	ck_assert_int_eq(uploader_stop(true, 10000 * MS), ERR_AGAIN);
	ck_assert_str_eq(last_line, "sneck: a profile was lost: not now\n");
	ck_assert_uint_eq(status_now().drops, 1);
	ck_assert_uint_eq(status_now().retries, 0);
	ck_assert_uint_eq(status_now().waiting, 0);
	red_black_fini();
}
END_TEST

static int send_but_the_first(struct sink *base, struct builder *builder)
{
	return sink.sends++ ? send_payload(base, builder) : builder_failed(builder, ERR_AGAIN, "not this one");
}

START_TEST(uploader_tries_the_newest_at_the_end_whatever_becomes_of_an_older_one)
{
	start_network(3600000 * MS);
	sink.refuse = true;
	sink.wish_ns = 3600000 * MS;	/* no retry in between */
	add(1);
	ck_assert_int_eq(uploader_flush(10000 * MS), ERR_AGAIN);
	sink.refuse = false;
	sink.sends = 0;
	sink.sink.send = send_but_the_first;
	add(10);
	log_writer = note_line;
	ck_assert_int_eq(uploader_stop(true, 10000 * MS), OK);
	ck_assert_int_eq(sink.waits, 10);
	ck_assert_uint_eq(status_now().uploads, 1);
	ck_assert_uint_eq(status_now().drops, 1);
	ck_assert_uint_eq(status_now().waiting, 0);
	ck_assert_str_eq(status_now().last_error, "not this one");
	red_black_fini();
}
END_TEST

START_TEST(uploader_sends_nothing_of_its_last_run_to_the_next_sink)
{
	struct uploader_config config;
	uploader_create_thread = create_late;
	start_network(3600000 * MS);
	sink.refuse = true;
	add(1);
	ck_assert_int_eq(uploader_stop(true, 10000 * MS), ERR_AGAIN);
	ck_assert_uint_eq(status_now().drops, 1);
	ck_assert_uint_eq(status_now().waiting, 0);
	sink.refuse = false;
	config = config_of(3600000 * MS);
	ck_assert_int_eq(uploader_start(&config), OK);
	ck_assert_int_eq(uploader_flush(10000 * MS), OK);
	ck_assert_int_eq(sink.waits, 0);
	ck_assert_int_eq(uploader_stop(false, 10000 * MS), OK);
	red_black_fini();
}
END_TEST

START_TEST(uploader_start_after_a_stop_that_gave_up_drops_what_waits)
{
	struct uploader_config config;
	start_network(3600000 * MS);
	sink.refuse = true;
	sink.sleep_ms = 200;
	add(1);
	ck_assert_int_eq(uploader_flush(50 * MS), ERR_TIMEOUT);
	ck_assert_int_eq(uploader_stop(false, 10 * MS), ERR_TIMEOUT);
	ck_assert(has_upload_threads(0));
	sink.refuse = false;
	config = config_of(3600000 * MS);
	ck_assert_int_eq(uploader_start(&config), OK);
	ck_assert_uint_eq(status_now().drops, 1);
	ck_assert_int_eq(uploader_flush(10000 * MS), OK);
	ck_assert_int_eq(sink.waits, 0);
	ck_assert_int_eq(uploader_stop(false, 10000 * MS), OK);
	red_black_fini();
}
END_TEST

START_TEST(uploader_without_a_thread_tries_at_each_flush_and_at_the_end)
{
	struct uploader_config config;
	sink.sink = (struct sink){.encode = encode_payload, .send = send_payload};
	config = config_of(3600000 * MS);
	uploader_create_thread = refuse_thread;
	red_black_init(&roomy);
	ck_assert_int_eq(uploader_start(&config), ERR_LIMIT);
	sink.refuse = true;
	for (int i = 1; i <= 2; i++) {
		add(1);
		ck_assert_int_eq(uploader_flush(10000 * MS), ERR_AGAIN);
		ck_assert_int_eq(sink.sends, i);
	}
	sink.refuse = false;
	ck_assert_int_eq(uploader_stop(true, 10000 * MS), OK);
	ck_assert_int_eq(sink.waits, 2);
	red_black_fini();
}
END_TEST

START_TEST(uploader_child_does_not_send_what_waits_in_its_parent)
{
	start_network(3600000 * MS);
	sink.refuse = true;
	add(100);
	ck_assert_int_eq(uploader_flush(10000 * MS), ERR_AGAIN);
	pid_t pid = fork_with_hooks();
	if (pid == 0) {
		sink.refuse = false;
		add(7);
		_exit(uploader_stop(true, 10000 * MS) == OK && sink.waits == 7 ? 0 : 1);
	}
	ck_assert_int_eq(wait_for(pid), 0);
	sink.refuse = false;
	ck_assert_int_eq(uploader_stop(true, 10000 * MS), OK);
	ck_assert_int_eq(sink.waits, 100);
	red_black_fini();
}
END_TEST

START_TEST(uploader_stopped_stays_stopped_over_a_fork)
{
	start(0);
	uploader_stop(false, 10000 * MS);
	pid_t pid = fork_with_hooks();
	if (pid == 0) {
		uploader_restart_if_needed();
		_exit(status_now().state == UPLOADER_STOPPED && has_upload_threads(0) ? 0 : 1);
	}
	ck_assert_int_eq(wait_for(pid), 0);
	red_black_fini();
}
END_TEST

/* ---- the last upload of a program that SIGTERM ends -------------------------------------- */

static int told[2];	/* a pipe: the dying process tells what it sent */

static int tell(struct sink *base, struct builder *builder)
{
	int error = count(base, builder);
	int64_t waits = sink.waits;
	return write(told[1], &waits, sizeof(waits)) == sizeof(waits) ? error : ERR_IO;
}

static int64_t what_was_told(void)
{
	int64_t waits = -1;
	close(told[1]);
	ssize_t n = read(told[0], &waits, sizeof(waits));
	return n == sizeof(waits) ? waits : -1;
}

/* A program with an uploader, a sample and our handler; its end as waitpid tells it. */
static pid_t program(void (*then)(void))
{
	ck_assert_int_eq(pipe(told), 0);
	pid_t pid = fork();
	if (pid)
		return pid;
	sink.sink.send = tell;
	start(3600000 * MS);
	signal(SIGTERM, SIG_DFL);	/* libcheck has a handler of its own */
	if (exit_signal_install(SIGTERM, uploader_terminate_signal) != OK)
		_exit(99);
	add(42);
	then();
	for (;;)
		pause();
}

static void kill_oneself(void)
{
	kill(getpid(), SIGTERM);
}

static void kill_oneself_thrice(void)
{
	sink.sleep_ms = 200;
	for (int i = 0; i < 3; i++) {
		kill(getpid(), SIGTERM);
		usleep(20000);
	}
}

static void kill_oneself_when_stuck(void)
{
	exit_signal_bound_ms = 300;
	sink.sleep_ms = 60000;
	kill(getpid(), SIGTERM);
}

static void kill_a_child(void)
{
	if (is_skipped("kill_a_child"))
		_exit(0);
	pid_t pid = fork_with_hooks();
	if (pid == 0) {
		add(1);
		for (;;)
			pause();
	}
	usleep(50000);
	kill(pid, SIGTERM);
	int status = wait_for(pid);
	_exit(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM ? 0 : 1);
}

static void kill_oneself_without_uploader(void)
{
	uploader_stop(false, 10000 * MS);
	kill(getpid(), SIGTERM);
}

static void kill_oneself_holding_a_lock_the_upload_needs(void)
{
	red_black_prefork();		/* takes the profile's lock, as a sampler might have when interrupted */
	kill(getpid(), SIGTERM);
	usleep(100000);
	red_black_postfork_parent();
}

static void kill_oneself_while_stopping(void)
{
	kill(getpid(), SIGTERM);
	uploader_stop(true, 10000 * MS);
}

START_TEST(uploader_sends_the_last_profile_at_sigterm_and_the_status_stays)
{
	static const struct {
		void (*then)(void);
		bool exits;		/* with 0; else dies of SIGTERM */
		int64_t told;
	} cases[] = {
		{kill_oneself, false, 42},
		{kill_oneself_thrice, false, 42},
		{kill_oneself_when_stuck, false, -1},
		{kill_a_child, true, -1},
		{kill_oneself_without_uploader, false, -1},
		{kill_oneself_holding_a_lock_the_upload_needs, false, 42},
		{kill_oneself_while_stopping, false, 42},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int64_t before = clock_now_ns();
		pid_t pid = program(cases[i].then);
		int64_t waits = what_was_told();
		int status = wait_for(pid);
		ck_assert_msg(waits == cases[i].told, "case %zu told %lld", i, (long long)waits);
		ck_assert_msg(cases[i].exits ? status == 0 : WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM,
			      "case %zu: status %#x", i, (unsigned)status);
		ck_assert_int_lt(clock_now_ns() - before, 10000 * MS);
		close(told[0]);
	}
}
END_TEST

static int send_freed(struct sink *base, struct builder *builder)
{
	(void)base, (void)builder;
	_exit(98);
}

static void kill_oneself_and_stop_before_the_thread_runs(void)
{
	kill(getpid(), SIGTERM);
	uploader_stop(true, 10000 * MS);
	sink.sink.send = send_freed;
	add(1);
}

START_TEST(uploader_stopped_before_its_thread_runs_ends_by_the_signal_without_the_sink)
{
	uploader_create_thread = create_late;
	pid_t pid = program(kill_oneself_and_stop_before_the_thread_runs);
	ck_assert_int_eq(what_was_told(), 42);
	int status = wait_for(pid);
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM, "status %#x", (unsigned)status);
	close(told[0]);
}
END_TEST

START_TEST(uploader_asked_by_a_signal_answers_for_its_own_process_alone)
{
	ck_assert(!uploader_terminate_signal(SIGTERM));
	start(3600000 * MS);
	uploader_stop(false, 10000 * MS);
	ck_assert(!uploader_terminate_signal(SIGTERM));
	red_black_fini();
}
END_TEST

UNIT_TESTS("uploader", uploader_flush_sends_what_was_added, uploader_sends_nothing_when_there_is_nothing,
	   uploader_sends_notes_alone_at_the_end_and_no_sooner,
	   uploader_stop_sends_the_last_one_if_wished, uploader_keeps_its_period,
	   uploader_counts_failures_and_goes_on, uploader_counts_overflowed_samples, uploader_waits_are_bounded,
	   uploader_flushes_of_many_threads_lose_nothing,
	   uploader_whose_thread_does_not_get_to_run_uploads_all_the_same_and_takes_it_back,
	   uploader_whose_thread_wakes_during_its_stops_upload_does_not_upload_too,
	   uploader_without_a_thread_says_so_and_flushes_all_the_same,
	   uploader_tries_a_larger_stack_when_thread_locals_fill_the_small_one,
	   uploader_thread_takes_no_signals_of_the_program, uploader_child_has_no_thread_until_it_needs_one,
	   uploader_child_stopped_at_once_still_sends_its_own,
	   uploader_forks_during_an_upload_without_waiting_for_it,
	   uploader_of_a_process_that_forks_often_still_uploads_on_time,
	   uploader_forks_amid_flushes_of_many_threads, uploader_stopped_stays_stopped_over_a_fork,
	   uploader_sends_the_last_profile_at_sigterm_and_the_status_stays,
	   uploader_sends_later_what_it_could_not_send_in_order_and_once,
	   uploader_keeps_two_profiles_and_counts_the_others, uploader_counts_what_joins_those_that_wait,
	   uploader_does_not_send_what_began_too_long_ago,
	   uploader_counts_what_waits_at_the_end_as_lost,
	   uploader_tries_the_newest_at_the_end_whatever_becomes_of_an_older_one,
	   uploader_without_a_thread_tries_at_each_flush_and_at_the_end,
	   uploader_child_does_not_send_what_waits_in_its_parent, uploader_sends_nothing_of_its_last_run_to_the_next_sink,
	   uploader_start_after_a_stop_that_gave_up_drops_what_waits,
	   uploader_stopped_before_its_thread_runs_ends_by_the_signal_without_the_sink,
	   uploader_asked_by_a_signal_answers_for_its_own_process_alone)
