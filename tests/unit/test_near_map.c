/*
 * test_near_map.c - pages of our own code stand near another's, and can be read but not written there.
 */
#include <config.h>

#include "runtime/near_map.h"
#include "unit.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static const void *page_of(const void *address)
{
	return (const void *)((uintptr_t)address & ~(uintptr_t)(NEAR_PAGE - 1));
}

/* The rights of the mapping at an address, as "r-xp"; "" for none. */
static void rights_of(const void *address, char rights[5])
{
	char line[1200];
	uintptr_t start, end;
	FILE *maps = fopen("/proc/self/maps", "r");
	ck_assert_ptr_nonnull(maps);
	for (rights[0] = 0; !rights[0] && fgets(line, sizeof(line), maps);)
		if (sscanf(line, "%lx-%lx %4s", &start, &end, rights) != 3 || (uintptr_t)address < start ||
		    (uintptr_t)address >= end)
			rights[0] = 0;
	fclose(maps);
}

static void check_copy(char *copy, const void *code, size_t pages, const void *near_to, const char *reason)
{
	char rights[5];
	ck_assert_msg(copy != NULL, "%s", reason);
	ck_assert_ptr_null(reason);
	ck_assert_mem_eq(copy, code, pages * NEAR_PAGE);
	ck_assert(copy < (const char *)near_to && (const char *)near_to - copy < (ptrdiff_t)1 << 31);
	char *data = copy + pages * NEAR_PAGE;
	rights_of(copy, rights);
	ck_assert_str_eq(rights, "r-xp");
	rights_of(data, rights);
	ck_assert_str_eq(rights, "rw-p");
	for (int i = 0; i < NEAR_PAGE; i++)
		ck_assert_int_eq(data[i], 0);
	memset(data, 1, NEAR_PAGE);
}

START_TEST(near_map_copies_pages_near_a_library_and_near_a_program)
{
	const void *page = page_of((const void *)near_map), *images[] = {(const void *)malloc, (const void *)page_of};
	for (int i = 0; i < 4; i++) {
		const char *reason;
		size_t pages = 1 + (size_t)i / 2;
		char *copy = near_map(page, pages, images[i % 2], &reason);
		check_copy(copy, page, pages, images[i % 2], reason);
	}
}
END_TEST

START_TEST(near_map_refuses_with_a_reason_and_maps_nothing)
{
	const char *reason;
	char rights[5];
	const void *page = page_of((const void *)near_map);
	ck_assert_ptr_null(near_map((const char *)page + 64, 1, page, &reason));
	ck_assert_ptr_nonnull(reason);
	ck_assert_ptr_null(near_map(page, 1, (const void *)(uintptr_t)NEAR_PAGE, &reason));
	ck_assert_str_eq(reason, "no room near the interpreter");
	void *nameless = mmap(NULL, NEAR_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_null(near_map(nameless, 1, page, &reason));
	ck_assert_ptr_nonnull(reason);
	munmap(nameless, NEAR_PAGE);
	rights_of(nameless, rights);
	ck_assert_str_eq(rights, "");
}
END_TEST

UNIT_TESTS("near_map", near_map_copies_pages_near_a_library_and_near_a_program,
	   near_map_refuses_with_a_reason_and_maps_nothing)
