/*
 * test_pushed.c - the transaction of a sample from other code: what comes out, and what is refused.
 */
#include <config.h>

#include "runtime/pushed.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/error.h"
#include "runtime/fork.h"
#include "runtime/stats.h"
#include "unit.h"

/* What the consumer saw last, and how much of all. */
static struct {
	int rows;
	double acquires;
	size_t depth, omitted;
	struct frame frames[STACK_DEPTH_MAX];
	char names[LABEL_KEYS][64];
} seen;

static void consume(const struct frame *frames, size_t depth, size_t omitted, const struct label *labels,
		    size_t n_labels, const double values[SAMPLE_TYPES])
{
	seen.rows++;
	seen.acquires += values[SAMPLE_LOCK_ACQUIRE];
	seen.depth = depth;
	seen.omitted = omitted;
	memcpy(seen.frames, frames, depth * sizeof(*frames));
	for (size_t i = 0; i < n_labels; i++)
		if (labels[i].string)
			snprintf(seen.names[labels[i].key], sizeof(seen.names[0]), "%s", labels[i].string);
}

static void init(size_t max_frames)
{
	ck_assert_int_eq(threads_init(), OK);
	threads_set_consumer(consume);
	memset(&seen, 0, sizeof(seen));
	pushed_enable(max_frames);
}

static void push_and_drain(struct pushed *sample)
{
	ck_assert_int_eq(pushed_value(sample, SAMPLE_LOCK_ACQUIRE, 1), OK);
	ck_assert_int_eq(pushed_flush(sample, thread_self()), OK);
	threads_drain();
}

START_TEST(pushed_sample_comes_out_as_it_went_in)
{
	init(64);
	char name[] = "wait", file[] = "pool.c", owner[] = "db.Pool";
	struct pushed *sample = pushed_new();
	ck_assert_int_eq(pushed_frame(sample, name, file, 12), OK);
	ck_assert_int_eq(pushed_frame(sample, "main", NULL, 0), OK);
	ck_assert_int_eq(pushed_label(sample, "lock name", "old"), OK);
	ck_assert_int_eq(pushed_label(sample, "lock name", "pool.c:3:pool"), OK);
	ck_assert_int_eq(pushed_label(sample, "lock owner", owner), OK);
	name[0] = file[0] = owner[0] = '?';	/* copied */
	push_and_drain(sample);
	ck_assert_int_eq(seen.rows, 1);
	ck_assert_uint_eq(seen.depth, 2);
	ck_assert_str_eq(seen.frames[0].function->name, "wait");
	ck_assert_str_eq(seen.frames[0].function->filename, "pool.c");
	ck_assert_int_eq(seen.frames[0].line, 12);
	ck_assert_str_eq(seen.frames[1].function->name, "main");
	ck_assert_str_eq(seen.frames[1].function->filename, "");
	ck_assert_str_eq(seen.names[LABEL_LOCK_NAME], "pool.c:3:pool");
	ck_assert_str_eq(seen.names[LABEL_LOCK_OWNER], "db.Pool");
}
END_TEST

START_TEST(pushed_samples_of_one_stack_and_labels_are_one_row)
{
	init(64);
	for (int i = 0; i < 100; i++) {
		struct pushed *sample = pushed_new();
		pushed_frame(sample, "f", "f.c", 1);
		pushed_label(sample, "lock name", "l");
		ck_assert_int_eq(pushed_value(sample, SAMPLE_LOCK_ACQUIRE, 0.5), OK);
		ck_assert_int_eq(pushed_value(sample, SAMPLE_LOCK_ACQUIRE, 0.5), OK);
		ck_assert_int_eq(pushed_flush(sample, thread_self()), OK);
	}
	threads_drain();
	ck_assert_int_eq(seen.rows, 1);
	ck_assert_double_eq(seen.acquires, 100);
}
END_TEST

START_TEST(pushed_refuses_what_makes_no_sense_and_goes_on)
{
	init(64);
	struct pushed *sample = pushed_new();
	ck_assert_int_eq(pushed_frame(sample, NULL, "f.c", 1), ERR_INVALID);
	ck_assert_int_eq(pushed_label(sample, "no such key", "x"), ERR_INVALID);
	ck_assert_int_eq(pushed_label(sample, "thread name", "x"), ERR_INVALID);
	ck_assert_int_eq(pushed_label(sample, "thread id", "x"), ERR_INVALID);
	ck_assert_int_eq(pushed_label(sample, "re-entry", "x"), ERR_INVALID);
	ck_assert_int_eq(pushed_label(sample, NULL, "x"), ERR_INVALID);
	ck_assert_int_eq(pushed_label(sample, "lock name", NULL), ERR_INVALID);
	ck_assert_int_eq(pushed_value(sample, SAMPLE_TYPES, 1), ERR_INVALID);
	ck_assert_int_eq(pushed_value(sample, -1, 1), ERR_INVALID);
	ck_assert_int_eq(pushed_value(sample, 0, -1), ERR_INVALID);
	ck_assert_int_eq(pushed_value(sample, 0, NAN), ERR_INVALID);
	ck_assert_int_eq(pushed_value(sample, 0, INFINITY), ERR_INVALID);
	ck_assert_int_eq(pushed_value(sample, 0, 0), OK);
	push_and_drain(sample);
	ck_assert_double_eq(seen.acquires, 1);
	ck_assert_str_eq(seen.frames[0].function->name, "<no frame>");
	ck_assert_int_eq(pushed_flush(pushed_new(), thread_self()), ERR_INVALID);
	ck_assert_int_eq(pushed_sample_type("lock-acquire"), SAMPLE_LOCK_ACQUIRE);
	ck_assert_int_eq(pushed_sample_type("lock"), ERR_INVALID);
	ck_assert_int_eq(pushed_sample_type(NULL), ERR_INVALID);
}
END_TEST

START_TEST(pushed_frames_beyond_the_limit_are_counted)
{
	init(3);
	struct pushed *sample = pushed_new();
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(pushed_frame(sample, "f", "f.c", i), OK);
	push_and_drain(sample);
	ck_assert_uint_eq(seen.depth, 3);
	ck_assert_uint_eq(seen.omitted, 997);
	ck_assert_int_eq(seen.frames[2].line, 2);
	init(100000);
	sample = pushed_new();
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(pushed_frame(sample, "f", "f.c", i), OK);
	push_and_drain(sample);
	ck_assert_uint_eq(seen.depth + seen.omitted, 1000);
}
END_TEST

START_TEST(pushed_does_nothing_while_disabled)
{
	init(64);
	struct pushed *sample = pushed_new();
	pushed_disable();
	ck_assert(!pushed_is_enabled());
	ck_assert_ptr_null(pushed_new());
	ck_assert_int_eq(pushed_frame(sample, "f", "f.c", 1), ERR_STATE);
	ck_assert_int_eq(pushed_label(sample, "lock name", "l"), ERR_STATE);
	ck_assert_int_eq(pushed_value(sample, 0, 1), ERR_STATE);
	ck_assert_int_eq(pushed_flush(sample, thread_self()), ERR_STATE);
	ck_assert_int_eq(pushed_check(NULL), ERR_STATE);
	pushed_free(NULL);
	threads_drain();
	ck_assert_int_eq(seen.rows, 0);
}
END_TEST

START_TEST(pushed_inside_a_sample_is_lost_and_counted)
{
	init(64);
	struct pushed *sample = pushed_new();
	pushed_value(sample, 0, 1);
	uint64_t counts[STATS], before;
	stats_read(counts);
	before = counts[STAT_samples_dropped];
	thread_hot.is_sampling = true;
	ck_assert_int_eq(pushed_flush(sample, thread_self()), ERR_AGAIN);
	ck_assert(thread_hot.is_sampling);
	thread_hot.is_sampling = false;
	stats_read(counts);
	ck_assert_uint_eq(counts[STAT_samples_dropped], before + 1);
}
END_TEST

START_TEST(pushed_tables_are_bounded)
{
	init(64);
	char text[32];
	int refused = 0;
	for (int i = 0; i < PUSHED_LABEL_SETS_MAX + 100; i++) {
		struct pushed *sample = pushed_new();
		snprintf(text, sizeof(text), "lock %d", i);
		pushed_label(sample, "lock name", text);
		pushed_value(sample, 0, 1);
		refused += pushed_flush(sample, thread_self()) == ERR_LIMIT;
	}
	ck_assert_int_eq(refused, 100);
	struct pushed *sample = pushed_new();
	for (int i = 0; i < PUSHED_FUNCTIONS_MAX + 100; i++) {
		snprintf(text, sizeof(text), "f%d", i);
		pushed_free(sample);
		sample = pushed_new();
		ck_assert_int_eq(pushed_frame(sample, text, "f.c", 1), OK);
	}
	pushed_label(sample, "lock name", "lock 7");	/* a set that is known */
	push_and_drain(sample);
	ck_assert_str_eq(seen.frames[0].function->name, "<too many functions>");
}
END_TEST

START_TEST(pushed_sample_of_the_parent_is_nothing_in_a_forked_child)
{
	static const struct fork_module modules[] = {
		{"threads", threads_prefork, threads_postfork_parent, threads_postfork_child},
		{"pushed", pushed_prefork, pushed_postfork_parent, pushed_postfork_child},
	};
	init(64);
	ck_assert_int_eq(fork_init(modules, 2), OK);
	struct pushed *sample = pushed_new();
	pushed_frame(sample, "f", "f.c", 1);
	pid_t child = fork();
	if (child == 0) {
		bool is_stale = pushed_value(sample, SAMPLE_LOCK_ACQUIRE, 1) == ERR_STATE &&
				pushed_flush(sample, thread_self()) == ERR_STATE;
		struct pushed *own = pushed_new();
		bool goes_on = !pushed_frame(own, "f", "f.c", 1) && !pushed_value(own, SAMPLE_LOCK_ACQUIRE, 2) &&
			       !pushed_flush(own, thread_self());
		threads_drain();
		_exit(is_stale && goes_on && seen.rows == 1 && seen.acquires == 2 ? 0 : 1);
	}
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	push_and_drain(sample);
	ck_assert_double_eq(seen.acquires, 1);
}
END_TEST

UNIT_TESTS("pushed", pushed_sample_comes_out_as_it_went_in, pushed_samples_of_one_stack_and_labels_are_one_row,
	   pushed_refuses_what_makes_no_sense_and_goes_on, pushed_frames_beyond_the_limit_are_counted,
	   pushed_does_nothing_while_disabled, pushed_inside_a_sample_is_lost_and_counted, pushed_tables_are_bounded,
	   pushed_sample_of_the_parent_is_nothing_in_a_forked_child)
