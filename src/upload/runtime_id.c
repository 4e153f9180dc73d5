/*
 * runtime_id.c - from the kernel's random numbers.
 *
 * Locking: none.  The id changes before there are threads to read it: at the start, and in a
 *          child that has its one thread.
 * Fork:    the child makes its own; getrandom is a system call and allocates nothing.
 */
#include <config.h>

#include "upload/runtime_id.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "runtime/clocks.h"
#include "runtime/fork.h"
#include "runtime/rng.h"

static char id[RUNTIME_ID_LENGTH + 1] SNECK_AT_FORK;
static atomic_bool has_forked SNECK_AT_FORK;
static bool is_forked SNECK_AT_FORK;

/* Where the kernel gives none (a sandbox): no two processes have pid, clock and stack in common. */
static void random_bytes(uint8_t bytes[16])
{
	if (getrandom(bytes, 16, GRND_NONBLOCK) == 16)
		return;
	struct rng rng;
	rng_seed(&rng, (uint64_t)clock_now_ns() ^ (uint64_t)clock_wall_ns() << 20 ^ (uint64_t)getpid() << 40 ^ (uintptr_t)&rng);
	const uint64_t words[2] = {rng_next(&rng), rng_next(&rng)};
	memcpy(bytes, words, sizeof(words));
}

static void make(void)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t bytes[16];
	random_bytes(bytes);
	bytes[6] = (uint8_t)(0x40 | (bytes[6] & 0x0f));		/* version 4 */
	bytes[8] = (uint8_t)(0x80 | (bytes[8] & 0x3f));		/* RFC 4122's variant */
	for (int i = 0; i < 16; i++) {
		id[2 * i] = digits[bytes[i] >> 4];
		id[2 * i + 1] = digits[bytes[i] & 15];
	}
}

void runtime_id_init(void)
{
	if (!*id)
		make();
}

const char *runtime_id(void)
{
	return id;
}

bool runtime_has_forked(void)
{
	return has_forked;
}

bool runtime_is_forked(void)
{
	return is_forked;
}

void runtime_id_postfork_parent(void)
{
	has_forked = true;
}

SNECK_FORK_CODE void runtime_id_postfork_child(void)
{
	is_forked = true;
	has_forked = false;
	if (*id)
		make();
}
