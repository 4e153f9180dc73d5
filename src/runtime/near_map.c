/*
 * near_map.c - finding room near an image, and mapping pages of our own file there.
 *
 *     ... free ...  [ our pages ][ data ][ the image's first mapping ] ...
 *
 * The room is the end of the nearest gap below the image: what lies above an image (a heap,
 * a stack) grows towards it, what lies below does not.  The pages come from our own file, as
 * they did when we were loaded, and are at no time writable: where a policy forbids code that
 * was made at run time, this is none.
 *
 * Fork: the child inherits both mappings.
 */
#include <config.h>

#include "runtime/near_map.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000	/* Linux 4.17; before it only a hint, so the answer is compared */
#endif

static const uintptr_t reach = (uintptr_t)1 << 31;	/* what a 32-bit displacement spans */
enum { TRIES = 3 };	/* others map, too, while we look */

struct mapping {
	uintptr_t start, end;
	unsigned long offset;
	char path[1024];	/* "" for none */
};

static bool next_mapping(FILE *maps, struct mapping *m)
{
	char line[1200];
	if (!fgets(line, sizeof(line), maps))
		return false;
	m->path[0] = 0;
	return sscanf(line, "%lx-%lx %*s %lx %*s %*s %1023[^\n]", &m->start, &m->end, &m->offset, m->path) >= 3;
}

struct search {
	const char *code;
	size_t size;		/* of the code, in bytes */
	struct mapping from;	/* where it comes from; end 0 if not found */
	uintptr_t room;		/* 0: none */
};

/* One pass over the mappings, in the order of their addresses. */
static void look(FILE *maps, uintptr_t near_to, struct search *s)
{
	struct mapping m;
	uintptr_t last_end = 0, code = (uintptr_t)s->code;
	const size_t need = s->size + NEAR_PAGE;
	while (next_mapping(maps, &m)) {
		bool has_room = m.start - last_end >= need && m.start > need && strcmp(m.path, "[stack]");
		if (m.start <= near_to && has_room && near_to - (m.start - need) < reach)
			s->room = m.start - need;
		if (m.start <= code && code + s->size <= m.end)
			s->from = m;
		last_end = m.end;
	}
}

static bool find(const void *near_to, struct search *s)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	if (!maps)
		return false;
	look(maps, (uintptr_t)near_to, s);
	fclose(maps);
	return s->from.end && s->from.path[0] == '/';
}

static bool map_at(uintptr_t address, size_t size, int protection, int flags, int fd, off_t offset)
{
	void *got = mmap((void *)address, size, protection, flags | MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd, offset);
	if (got == MAP_FAILED)
		return false;
	if (got == (void *)address)
		return true;
	munmap(got, size);
	return false;
}

/* Data first: it holds the place for the code below it. */
static bool map_both(const struct search *s, int fd)
{
	off_t offset = (off_t)(s->from.offset + ((uintptr_t)s->code - s->from.start));
	const uintptr_t data = s->room + s->size;
	if (!map_at(data, NEAR_PAGE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS, -1, 0))
		return false;
	if (map_at(s->room, s->size, PROT_READ | PROT_EXEC, 0, fd, offset)) {
		/* the file may have been replaced since it was loaded */
		if (!memcmp((void *)s->room, s->code, s->size))
			return true;
		munmap((void *)s->room, s->size);
	}
	munmap((void *)data, NEAR_PAGE);
	return false;
}

static void *try_once(const void *code, size_t size, const void *near_to, const char **reason)
{
	struct search s = {.code = code, .size = size};
	*reason = "the mappings of this process could not be read";
	if (!find(near_to, &s))
		return NULL;
	*reason = "no room near the interpreter";
	if (!s.room)
		return NULL;
	*reason = "our own file could not be opened again";
	int fd = open(s.from.path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	*reason = "a part of our own file could not be mapped again";
	bool is_mapped = map_both(&s, fd);
	close(fd);
	return is_mapped ? (void *)s.room : NULL;
}

void *near_map(const void *code, size_t pages, const void *near_to, const char **reason)
{
	void *copy = NULL;
	*reason = "this system has other pages";
	if ((uintptr_t)code % NEAR_PAGE || sysconf(_SC_PAGESIZE) != NEAR_PAGE)
		return NULL;
	for (int i = 0; i < TRIES && !copy; i++)
		copy = try_once(code, pages * NEAR_PAGE, near_to, reason);
	if (copy)
		*reason = NULL;
	return copy;
}
