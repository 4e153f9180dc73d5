/*
 * test_runtime_id.c - a name of its own for each process.
 */
#include <config.h>

#include "upload/runtime_id.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/error.h"
#include "runtime/fork.h"
#include "unit.h"

static const struct fork_module modules[] = {
	{"runtime_id", NULL, runtime_id_postfork_parent, runtime_id_postfork_child},
};

static void check_form(const char *id)
{
	ck_assert_uint_eq(strlen(id), RUNTIME_ID_LENGTH);
	ck_assert_uint_eq(strspn(id, "0123456789abcdef"), RUNTIME_ID_LENGTH);
	ck_assert_int_eq(id[12], '4');
	ck_assert_ptr_nonnull(strchr("89ab", id[16]));
}

START_TEST(runtime_id_is_a_uuid_and_stays)
{
	ck_assert_str_eq(runtime_id(), "");
	runtime_id_init();
	check_form(runtime_id());
	char before[RUNTIME_ID_LENGTH + 1];
	strcpy(before, runtime_id());
	runtime_id_init();
	ck_assert_str_eq(runtime_id(), before);
}
END_TEST

/* What a child says of itself, and of a child of its own. */
struct told {
	char id[RUNTIME_ID_LENGTH + 1];
	bool is_forked, has_forked_before, has_forked_after;
};

static struct told tell(int depth, int to)
{
	struct told told = {.is_forked = runtime_is_forked(), .has_forked_before = runtime_has_forked()};
	strcpy(told.id, runtime_id());
	pid_t pid = depth ? fork() : 0;
	if (depth && pid == 0) {
		tell(depth - 1, to);
		_exit(0);
	}
	if (depth)
		waitpid(pid, NULL, 0);
	told.has_forked_after = runtime_has_forked();
	ck_assert_int_eq(write(to, &told, sizeof(told)), sizeof(told));
	return told;
}

START_TEST(runtime_id_is_another_one_in_each_child)
{
	int ends[2];
	struct told told[3];
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(fork_init(modules, 1), OK);
	runtime_id_init();
	tell(2, ends[1]);
	ck_assert_int_eq(read(ends[0], told, sizeof(told)), sizeof(told));
	for (int i = 0; i < 3; i++) {		/* grandchild, child, this one */
		check_form(told[i].id);
		ck_assert_str_ne(told[i].id, told[(i + 1) % 3].id);
		ck_assert_int_eq(told[i].is_forked, i < 2);
		ck_assert_int_eq(told[i].has_forked_before, false);
		ck_assert_int_eq(told[i].has_forked_after, i > 0);
	}
	ck_assert_str_eq(told[2].id, runtime_id());
}
END_TEST

START_TEST(runtime_id_nobody_asked_for_is_not_made_in_a_child)
{
	runtime_id_postfork_child();
	ck_assert_str_eq(runtime_id(), "");
}
END_TEST

UNIT_TESTS("runtime_id", runtime_id_is_a_uuid_and_stays, runtime_id_is_another_one_in_each_child,
	   runtime_id_nobody_asked_for_is_not_made_in_a_child)
