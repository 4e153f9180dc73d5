/*
 * test_lock_class.c - classes by text, their labels, their counts.
 */
#include <config.h>

#include "collector/lock_class.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static struct lock_class *intern_of(const char *module, const char *kind, const char *name, const char *owner)
{
	return lock_class_intern(&(struct lock_class_key){kind, name, owner, module});
}

static struct lock_class *intern(const char *kind, const char *name, const char *owner)
{
	return intern_of("a", kind, name, owner);
}

START_TEST(equal_texts_are_one_class)
{
	struct lock_class *a = intern("threading.Lock", "a.py:1:x", "A");
	ck_assert_ptr_eq(a, intern("threading.Lock", "a.py:1:x", "A"));
	ck_assert_ptr_ne(a, intern("threading.RLock", "a.py:1:x", "A"));
	ck_assert_ptr_ne(a, intern("threading.Lock", "a.py:1:x", ""));
	ck_assert_ptr_ne(a, intern("threading.Lock", "a.py:1:y", "A"));
	ck_assert_ptr_eq(a, lock_class_of(a->id));
	ck_assert_ptr_null(lock_class_of(0));
}
END_TEST

static bool is_b(const char *module)
{
	return !strcmp(module, "b");
}

static bool is_none(const char *module)
{
	(void)module;
	return false;
}

START_TEST(one_of_two_modules_with_equal_names_is_excluded)
{
	struct lock_class *a = intern_of("a", "threading.Lock", "locks.py:3:x", "");
	struct lock_class *b = intern_of("b", "threading.Lock", "locks.py:3:x", "");
	ck_assert(!a->is_excluded && !b->is_excluded);
	lock_class_exclude(is_b);
	struct lock_class *late = intern_of("b", "threading.Lock", "locks.py:4:y", "");
	ck_assert(!a->is_excluded && b->is_excluded && late->is_excluded);
	lock_class_exclude(is_none);
	ck_assert(!a->is_excluded && !b->is_excluded && !late->is_excluded);
	ck_assert_str_eq(a->labels[LOCK_EVENT_PLAIN].labels[0].string, b->labels[LOCK_EVENT_PLAIN].labels[0].string);
}
END_TEST

static const char *label(const struct lock_class *c, enum lock_event event, enum label_key key)
{
	for (size_t i = 0; i < c->labels[event].n; i++)
		if (c->labels[event].labels[i].key == key)
			return c->labels[event].labels[i].string;
	return NULL;
}

START_TEST(labels_say_kind_name_owner_and_event)
{
	struct lock_class *c = intern("threading.RLock", "a.py:1:x", "A");
	ck_assert_str_eq(label(c, LOCK_EVENT_PLAIN, LABEL_LOCK_NAME), "a.py:1:x");
	ck_assert_str_eq(label(c, LOCK_EVENT_PLAIN, LABEL_LOCK_KIND), "threading.RLock");
	ck_assert_str_eq(label(c, LOCK_EVENT_PLAIN, LABEL_LOCK_OWNER), "A");
	ck_assert_ptr_null(label(c, LOCK_EVENT_PLAIN, LABEL_OUTCOME));
	ck_assert_ptr_null(label(c, LOCK_EVENT_PLAIN, LABEL_REENTRY));
	ck_assert_str_eq(label(c, LOCK_EVENT_REENTRY, LABEL_REENTRY), "true");
	ck_assert_str_eq(label(c, LOCK_EVENT_TIMEOUT, LABEL_OUTCOME), "timeout");
	ck_assert_str_eq(label(c, LOCK_EVENT_WOULD_BLOCK, LABEL_OUTCOME), "would-block");
	ck_assert_str_eq(label(c, LOCK_EVENT_INTERRUPTED, LABEL_OUTCOME), "interrupted");
}
END_TEST

START_TEST(counts_are_exact_and_taken_once)
{
	struct lock_class *c = intern("threading.Lock", "b.py:1:x", "");
	struct lock_sums sums;
	ck_assert(!lock_class_take(c, &sums));
	lock_counts_add_wait(lock_class_counts(c), 1000, true);
	lock_counts_add_wait(lock_class_counts(c), 5000, false);
	lock_class_count_acquires(c, 100);
	lock_class_count_hold(c, 7.5);
	ck_assert(lock_class_take(c, &sums));
	ck_assert_uint_eq(sums.contended, 2);
	ck_assert_uint_eq(sums.wait_ns, 6000);
	ck_assert_uint_eq(sums.wait_max_ns, 5000);
	ck_assert_double_eq(sums.acquires, 101);
	ck_assert(!lock_class_take(c, &sums));
	lock_counts_add_wait(lock_class_counts(c), 9000, true);
	lock_class_read(c, &sums);
	ck_assert_uint_eq(sums.contended, 3);
	ck_assert_double_eq(sums.acquires, 102);
	ck_assert_uint_eq(sums.wait_max_ns, 9000);
	lock_class_reset_counts();
	lock_class_read(c, &sums);
	ck_assert_uint_eq(sums.contended, 0);
}
END_TEST

START_TEST(more_waits_than_32_bits_hold_are_counted)
{
	struct lock_class *c = intern("threading.Lock", "b.py:2:often", "");
	struct lock_sums sums;
	lock_class_counts(c)->wait_histogram[histogram_bucket(1000)] = UINT32_MAX;
	ck_assert(lock_class_take(c, &sums));
	lock_counts_add_wait(lock_class_counts(c), 1000, true);
	ck_assert(lock_class_take(c, &sums));
	ck_assert_uint_eq(sums.contended, 1);
	lock_class_read(c, &sums);
	ck_assert_uint_eq(sums.contended, UINT64_C(1) << 32);
	ck_assert_uint_eq(sums.wait_histogram[histogram_bucket(1000)], UINT64_C(1) << 32);
	ck_assert_int_ge(histogram_quantile(sums.wait_histogram, 0.5, 1000), 900);
}
END_TEST

enum { WAITERS = 4, WAITS = 50000 };

static void *wait_often(void *of_class)
{
	for (int64_t i = 1; i <= WAITS; i++) {
		lock_counts_add_wait(lock_class_counts(of_class), i, i % 2);
		lock_class_count_acquires(of_class, 2);
		lock_class_count_hold(of_class, 0.5);
	}
	return NULL;
}

START_TEST(no_wait_is_lost_between_those_that_count_and_one_that_takes)
{
	struct lock_class *c = intern("threading.Lock", "a.py:3:z", "");
	struct lock_sums taken = {0}, now, all;
	pthread_t threads[WAITERS];
	for (int i = 0; i < WAITERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, wait_often, c), 0);
	uint64_t max_ns = 0;
	for (int i = 0; i <= 1000; i++) {
		if (i == 1000)
			for (int j = 0; j < WAITERS; j++)
				pthread_join(threads[j], NULL);
		lock_class_take(c, &now);
		taken.contended += now.contended;
		taken.wait_ns += now.wait_ns;
		taken.acquires += now.acquires;
		taken.hold_ns += now.hold_ns;
		max_ns = now.wait_max_ns > max_ns ? now.wait_max_ns : max_ns;
	}
	lock_class_read(c, &all);
	ck_assert_uint_eq(taken.contended, (uint64_t)WAITERS * WAITS);
	ck_assert_uint_eq(taken.wait_ns, (uint64_t)WAITERS * WAITS * (WAITS + 1) / 2);
	ck_assert_uint_eq(max_ns, WAITS);
	ck_assert_double_eq(taken.acquires, WAITERS * WAITS / 2 + 2 * WAITERS * WAITS);
	ck_assert_double_eq(taken.hold_ns, WAITERS * WAITS / 2);
	ck_assert_uint_eq(all.contended, taken.contended);
	ck_assert_uint_eq(all.wait_ns, taken.wait_ns);
	ck_assert_uint_eq(all.wait_max_ns, WAITS);
}
END_TEST

/* Told is what it counted itself, whether it counts first or is asked first. */
static int status_of_child(struct lock_class *c, bool counts_first)
{
	struct lock_sums sums;
	int status = -1;
	lock_class_prefork();
	pid_t pid = fork();
	if (pid == 0) {
		lock_class_postfork_child();
		if (!counts_first && lock_class_contended())
			_exit(1);
		lock_counts_add_wait(lock_class_counts(c), 7, true);
		lock_class_read(c, &sums);
		if (sums.contended != 1 || sums.wait_ns != 7 || sums.acquires != 1)
			_exit(2);
		_exit(lock_class_take(c, &sums) && sums.contended == 1 && lock_class_contended() == 1 ? 0 : 3);
	}
	lock_class_postfork_parent();
	waitpid(pid, &status, 0);
	return status;
}

START_TEST(a_child_counts_from_zero)
{
	struct lock_class *c = intern("threading.Lock", "a.py:9:forked", "");
	struct lock_sums sums;
	lock_class_reset_counts();
	lock_counts_add_wait(lock_class_counts(c), 1000, true);
	ck_assert(lock_class_take(c, &sums));
	lock_counts_add_wait(lock_class_counts(c), 10, true);
	ck_assert_int_eq(status_of_child(c, true), 0);
	ck_assert_int_eq(status_of_child(c, false), 0);
	lock_class_read(c, &sums);
	ck_assert_uint_eq(sums.contended, 2);
	ck_assert_uint_eq(sums.wait_ns, 1010);
}
END_TEST

START_TEST(too_many_names_become_one_that_says_so)
{
	char name[32];
	struct lock_class *c = NULL;
	for (int i = 0; i < 70000; i++) {
		snprintf(name, sizeof(name), "c.py:%d", i);
		c = intern("threading.Lock", name, "");
		ck_assert_ptr_nonnull(c);
	}
	ck_assert_str_eq(c->key.name, "<too many lock names>");
	ck_assert_uint_lt(lock_class_last(), 65536);
}
END_TEST

UNIT_TESTS("lock_class", equal_texts_are_one_class, one_of_two_modules_with_equal_names_is_excluded,
	   labels_say_kind_name_owner_and_event, counts_are_exact_and_taken_once,
	   more_waits_than_32_bits_hold_are_counted, no_wait_is_lost_between_those_that_count_and_one_that_takes,
	   a_child_counts_from_zero, too_many_names_become_one_that_says_so)
