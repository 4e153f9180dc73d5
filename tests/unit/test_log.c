/*
 * test_log.c - lines are whole, escaped, and rare.
 */
#include <config.h>

#include "runtime/log.h"
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/clocks.h"

static const int64_t second_ns = 1000000000;

static char last_line[LOG_LINE_MAX + 1];
static int n_lines;
static int64_t now_ns = 5000;

static void remember_line(const char *line, size_t size)
{
	ck_assert_uint_le(size, LOG_LINE_MAX);
	memcpy(last_line, line, size);
	last_line[size] = '\0';
	n_lines++;
}

static int64_t test_clock(void)
{
	return now_ns;
}

static void replace_world(void)
{
	log_writer = remember_line;
	clock_monotonic_ns = test_clock;
}

START_TEST(log_line_has_prefix_and_end)
{
	replace_world();
	log_once("a", "file %s: %d", "x", 3);
	ck_assert_str_eq(last_line, "sneck: file x: 3\n");
}
END_TEST

START_TEST(log_speaks_once_a_minute_per_kind_and_counts_the_rest)
{
	replace_world();
	for (int i = 0; i < 10; i++)
		log_once("a", "a %d", i);
	ck_assert_str_eq(last_line, "sneck: a 0\n");
	log_once("b", "b");
	ck_assert_int_eq(n_lines, 2);
	now_ns += 60 * second_ns - 1;
	log_once("a", "too soon");
	ck_assert_int_eq(n_lines, 2);
	now_ns += 1;
	log_once("a", "later");
	ck_assert_str_eq(last_line, "sneck: (10 more like this since the last one) later\n");
	now_ns += 60 * second_ns;
	log_once("a", "again");
	ck_assert_str_eq(last_line, "sneck: again\n");
	ck_assert_uint_eq(log_suppressed(), 10);
}
END_TEST

START_TEST(log_kinds_are_told_apart_by_their_text)
{
	replace_world();
	char first[] = "same", second[] = "same";
	log_once(first, "1");
	log_once(second, "2");
	ck_assert_int_eq(n_lines, 1);
}
END_TEST

START_TEST(log_more_kinds_than_room_share_one_and_stay_rare)
{
	replace_world();
	static char names[500][8];
	for (int i = 0; i < 500; i++) {
		snprintf(names[i], sizeof(names[i]), "k%d", i);
		log_once(names[i], "x");
	}
	ck_assert_int_le(n_lines, 192);
	ck_assert_int_ge(n_lines, 188);
	ck_assert_uint_eq(log_suppressed(), 500u - (unsigned)n_lines);
}
END_TEST

START_TEST(log_escapes_control_characters_alone)
{
	replace_world();
	log_once("a", "%s", "\x1b[2J\r\n\t\x7f \xc2\x9b H\xc3\xa4mmer \xe2\x82\xac");
	ck_assert_str_eq(last_line, "sneck: \\x1b[2J\\x0d\\x0a\\x09\\x7f \\xc2\\x9b H\xc3\xa4mmer \xe2\x82\xac\n");
}
END_TEST

START_TEST(log_cuts_long_lines_and_shows_it)
{
	replace_world();
	char text[2 * LOG_LINE_MAX];
	memset(text, '\n', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	log_once("a", "%s", text);
	size_t size = strlen(last_line);
	ck_assert_uint_le(size, LOG_LINE_MAX);
	ck_assert_uint_ge(size, LOG_LINE_MAX - 8);
	ck_assert_str_eq(last_line + size - 8, "\\x0a...\n");
}
END_TEST

START_TEST(log_quiet_says_nothing_and_counts)
{
	replace_world();
	log_set_quiet(true);
	log_once("a", "x");
	ck_assert_int_eq(n_lines, 0);
	ck_assert_uint_eq(log_suppressed(), 1);
	log_set_quiet(false);
	log_once("b", "y");
	ck_assert_str_eq(last_line, "sneck: y\n");
	log_once("a", "z");
	ck_assert_str_eq(last_line, "sneck: (1 more like this since the last one) z\n");
}
END_TEST

START_TEST(log_leaves_errno)
{
	errno = EXDEV;
	close(STDERR_FILENO);
	log_once("a", "to a closed descriptor");
	ck_assert_int_eq(errno, EXDEV);
}
END_TEST

START_TEST(log_writes_to_stderr_in_one_piece)
{
	int ends[2];
	ck_assert_int_eq(pipe(ends), 0);
	int saved = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	log_once("a", "hello %d", 1);
	dup2(saved, STDERR_FILENO);
	char text[64] = "";
	ck_assert_int_eq(read(ends[0], text, sizeof(text) - 1), 15);
	ck_assert_str_eq(text, "sneck: hello 1\n");
}
END_TEST

START_TEST(log_child_of_a_fork_speaks_and_keeps_its_parents_turns)
{
	replace_world();
	log_once("a", "parent");
	log_prefork();
	pid_t child = fork();
	if (child == 0) {
		log_postfork_child();
		log_once("a", "repeated");
		log_once("b", "new");
		_exit(n_lines == 2 && !strcmp(last_line, "sneck: new\n") ? 0 : 1);
	}
	log_postfork_parent();
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	log_once("c", "parent still speaks");
	ck_assert_int_eq(n_lines, 2);
}
END_TEST

static void *log_often(void *kind)
{
	for (int i = 0; i < 1000; i++)
		log_once(kind, "x");
	return NULL;
}

START_TEST(log_threads_lose_no_count)
{
	replace_world();
	pthread_t threads[4];
	char kind[] = "a";
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, log_often, kind);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(n_lines, 1);
	ck_assert_uint_eq(log_suppressed(), 3999);
}
END_TEST

UNIT_TESTS("log", log_line_has_prefix_and_end, log_speaks_once_a_minute_per_kind_and_counts_the_rest,
	   log_kinds_are_told_apart_by_their_text, log_more_kinds_than_room_share_one_and_stay_rare,
	   log_escapes_control_characters_alone, log_cuts_long_lines_and_shows_it, log_quiet_says_nothing_and_counts,
	   log_leaves_errno, log_writes_to_stderr_in_one_piece, log_child_of_a_fork_speaks_and_keeps_its_parents_turns,
	   log_threads_lose_no_count)
