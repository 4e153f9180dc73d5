/*
 * test_safe_read.c - memory that is there is copied, memory that is not is an answer.
 */
#include <config.h>

#include "runtime/safe_read.h"
#include "unit.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

START_TEST(safe_read_copies_what_is_there)
{
	char from[SAFE_READ_MAX], to[SAFE_READ_MAX] = {0};
	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (char)i;
	ck_assert(safe_read((uintptr_t)from, to, sizeof(to)));
	ck_assert_mem_eq(from, to, sizeof(to));
}
END_TEST

START_TEST(safe_read_refuses_what_is_not_there)
{
	char out[8];
	errno = ENOENT;
	ck_assert(!safe_read(0, out, sizeof(out)));
	ck_assert(!safe_read(8, out, sizeof(out)));
	ck_assert(!safe_read((uintptr_t)1 << 63, out, sizeof(out)));
	ck_assert(!safe_read(UINTPTR_MAX - 3, out, sizeof(out)));
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

START_TEST(safe_read_refuses_a_range_that_ends_in_nothing)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), out[16];
	ck_assert(two != MAP_FAILED);
	ck_assert_int_eq(munmap(two + page, page), 0);
	memset(two, 'x', page);
	ck_assert(safe_read((uintptr_t)two + page - 16, out, 16));
	ck_assert(!safe_read((uintptr_t)two + page - 8, out, 16));
	ck_assert(!safe_read((uintptr_t)two, out, SAFE_READ_MAX + 1));
	munmap(two, page);
}
END_TEST

UNIT_TESTS("safe_read", safe_read_copies_what_is_there, safe_read_refuses_what_is_not_there,
	   safe_read_refuses_a_range_that_ends_in_nothing)
