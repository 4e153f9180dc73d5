/*
 * test_multi_handle.c - what libcurl opened is told, and nothing else.
 */
#include <config.h>

#include "upload/multi_handle.h"

#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "linked_curl.h"
#include "unit.h"

enum { LOOKED_AT = 64 };

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* Between the making of a pair's two ends another process may have made an inode: then one is not told. */
static bool tells_all(void)
{
	bool before[LOOKED_AT], all = true;
	int descriptors[2];
	int low = dup(0), high = dup(0);	/* a hole below the rest */
	close(low);
	for (int fd = 0; fd < LOOKED_AT; fd++)
		before[fd] = is_open(fd);
	CURLM *multi = multi_handle_new(curl_library_linked, descriptors);
	ck_assert_ptr_nonnull(multi);
	ck_assert_int_ge(descriptors[0], 0);
	for (int fd = 0; fd < LOOKED_AT; fd++) {
		bool is_told = fd == descriptors[0] || fd == descriptors[1];
		ck_assert_msg(!is_told || (is_open(fd) && !before[fd]), "descriptor %d", fd);
		ck_assert(!is_told || (fcntl(fd, F_GETFD) & FD_CLOEXEC));
		all &= is_told || is_open(fd) == before[fd];
	}
	curl_multi_cleanup(multi);
	for (int fd = 0; fd < LOOKED_AT; fd++)
		ck_assert(is_open(fd) == before[fd]);
	close(high);
	return all;
}

START_TEST(multi_handle_tells_all_descriptors_it_has)
{
	int times = 0;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	for (int tries = 0; tries < 20 && times < 3; tries++)
		times += tells_all();
	ck_assert_int_eq(times, 3);
}
END_TEST

UNIT_TESTS("multi_handle", multi_handle_tells_all_descriptors_it_has)
