/*
 * lock_stubs.c - the path that takes no sample, mapped near the interpreter's own text.
 *
 * Our library lies gigabytes away from the interpreter, and a jump there and back costs
 * more than all that is done between.  So what the hooks of lock_hooks.c do when there is
 * nothing to do stands here in assembly, on two pages that near_map() maps a second time:
 *
 *     sampling   stubs: count down, look at the lock, jump to the original (or to the slow twin)
 *     at 0 %     the same stubs without the counting: only contended operations are of interest
 *     slots      what both need to know
 *
 * There are such pages for each way in which locks keep their state (struct lock_look): in the
 * lowest bit of a byte (3.14 on), behind a semaphore, or an RLock there and a Lock not (late 3.13).
 * A stub leaves the arguments' registers and the stack alone, so it serves every calling convention,
 * and no unwinder ever finds a return address in it.
 */
#include <config.h>

#include "collector/lock_stubs.h"

#include <stddef.h>

#include "collector/lock_hooks.h"
#include "runtime/near_map.h"
#include "runtime/threads.h"

static const char *reason = "not started";

const char *lock_stubs_reason(void)
{
	return reason;
}

#if defined(__x86_64__) && defined(__LP64__) && defined(SNECK_TLS_IS_STATIC)

#define STUB_BYTES 128	/* all but an RLock's re-entry is in the first line of 64 */
#define STATE_AT 16	/* where a lock keeps its state, right behind the object's header: in all that were seen */
#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

/* What a stub needs to know; its members' places are in the assembly below. */
struct slot {
	void *original;		/* 0 */
	void *otherwise;	/* 8: where it jumps if there is, or may be, something to do */
	intptr_t hot_at;	/* 16: acquire: thread_hot, from the thread pointer */
	size_t owner_at;	/* 24: acquire of an RLock */
	char padding[STUB_BYTES - 32];
};

/* Behind the stubs.  What all releases ask is one word: with the JIT, each sampled hold writes it twice. */
struct slots {
	struct slot of[NEAR_PAGE / STUB_BYTES - 1];
	uint64_t any_holds;
	char padding[STUB_BYTES - 8];
};

#define ANY_HOLDS_AT 3968
_Static_assert(sizeof(struct slot) == STUB_BYTES && offsetof(struct slot, owner_at) == 24, "see the assembly");
_Static_assert(sizeof(struct slots) == NEAR_PAGE && offsetof(struct slots, any_holds) == ANY_HOLDS_AT, "see the assembly");
_Static_assert(offsetof(struct thread_hot, countdown) == 0 && offsetof(struct thread_hot, ident) == 8, "see the assembly");
_Static_assert(LOCK_METHODS * STUB_BYTES <= ANY_HOLDS_AT && NEAR_PAGE == 4096, "one page has all stubs");

/* 9 is the page of stubs, 1 the stub itself; the slots are behind both pages. */
#define PAGE ".balign 4096, 0xcc\n9:\n"
#define TO_SLOTS_SAMPLING "8192+"
#define TO_SLOTS_AT_0 "4096+"
#define SLOT(variant, at) "1b+" TO_SLOTS_##variant TEXT(at) "(%rip)"
#define BEGIN "1: endbr64\n"
#define END(variant) "2: jmp *" SLOT(variant, 0) "\n3: jmp *" SLOT(variant, 8) "\n"

/* No branch is taken where there is nothing to do. */
#define COUNT_SAMPLING \
	"mov " SLOT(SAMPLING, 16) ", %rax\n" \
	"subq $1, %fs:(%rax)\n" \
	"je 3f\n"
#define COUNT_AT_0 ""
/* Not equal: not free. */
#define BYTE \
	"testb $1, " TEXT(STATE_AT) "(%rdi)\n"
#define SEMAPHORE \
	"mov " TEXT(STATE_AT) "(%rdi), %r11\n" \
	"cmpq $1, (%r11)\n"
#define MIXED_LOCK BYTE
#define MIXED_RLOCK SEMAPHORE
#define ACQUIRE_LOCK(variant, look) BEGIN COUNT_##variant look \
	"jne 3f\n" END(variant)
#define ACQUIRE_RLOCK(variant, look) BEGIN COUNT_##variant look \
	"jne 4f\n" END(variant) \
	"4: mov " SLOT(variant, 16) ", %rax\n" \
	"mov %fs:8(%rax), %rax\n" \
	"mov " SLOT(variant, 24) ", %r10\n" \
	"cmp (%rdi,%r10), %rax\n" \
	"jne 3b\n" \
	"jmp 2b\n"
#define RELEASE(variant) BEGIN \
	"cmpq $0, 9b+" TO_SLOTS_##variant TEXT(ANY_HOLDS_AT) "(%rip)\n" \
	"jne 3f\n" END(variant)
#define RELEASE_LOCK(variant, look) RELEASE(variant)
#define RELEASE_RLOCK(variant, look) RELEASE(variant)
#define RESET_LOCK(variant, look) RELEASE(variant)
#define RESET_RLOCK(variant, look) RELEASE(variant)

/* Names and frame information are read from our file: perf and others go by the file that is mapped. */
#define STUB(symbol, path) \
	".balign " TEXT(STUB_BYTES) "\n" \
	".type " symbol ", @function\n" \
	symbol ": .cfi_startproc\n" path ".cfi_endproc\n" \
	".size " symbol ", . - " symbol "\n"

__asm__(".pushsection .text.lock_stubs, \"ax\", @progbits\n"
	".balign 4096\n"
	".hidden lock_stubs\n"
	".globl lock_stubs\n"
	"lock_stubs:\n"
	PAGE
#define LOCK_METHOD(identifier, kind, name, role) STUB(TEXT(stub_##identifier##_byte), role##_##kind(SAMPLING, BYTE))
#include "collector/lock_methods.def"
#undef LOCK_METHOD
	PAGE
#define LOCK_METHOD(identifier, kind, name, role) STUB(TEXT(stub_##identifier##_byte_at_0), role##_##kind(AT_0, BYTE))
#include "collector/lock_methods.def"
#undef LOCK_METHOD
	PAGE
#define LOCK_METHOD(identifier, kind, name, role) STUB(TEXT(stub_##identifier##_semaphore), role##_##kind(SAMPLING, SEMAPHORE))
#include "collector/lock_methods.def"
#undef LOCK_METHOD
	PAGE
#define LOCK_METHOD(identifier, kind, name, role) STUB(TEXT(stub_##identifier##_semaphore_at_0), role##_##kind(AT_0, SEMAPHORE))
#include "collector/lock_methods.def"
#undef LOCK_METHOD
	PAGE
#define LOCK_METHOD(identifier, kind, name, role) STUB(TEXT(stub_##identifier##_mixed), role##_##kind(SAMPLING, MIXED_##kind))
#include "collector/lock_methods.def"
#undef LOCK_METHOD
	PAGE
#define LOCK_METHOD(identifier, kind, name, role) STUB(TEXT(stub_##identifier##_mixed_at_0), role##_##kind(AT_0, MIXED_##kind))
#include "collector/lock_methods.def"
#undef LOCK_METHOD
	".balign 4096, 0xcc\n"
	".popsection\n");

enum { PAGE_BYTES, PAGE_SEMAPHORES, PAGE_MIXED, PAGES };
enum { SAMPLING, AT_0, VARIANTS };
extern const char lock_stubs[PAGES][VARIANTS][NEAR_PAGE] __attribute__((visibility("hidden")));

static char *copy;	/* of one kind's pages, near the interpreter; or NULL */
static struct slots *slots;

static size_t state_at(const struct lock_look *look)
{
	return look->is_semaphore ? look->at : look->at + (size_t)__builtin_ctzll(look->mask) / 8;
}

/* Other places, and other masks than of one byte's lowest bit, are left to the hooks in C. */
static bool stubs_can_look(const struct lock_look *look)
{
	uintptr_t mask = look->mask;
	bool is_known = look->is_semaphore || (mask && !(mask & (mask - 1)) && __builtin_ctzll(mask) % 8 == 0);
	return is_known && state_at(look) == STATE_AT;
}

static void fill(const struct lock_method *method, struct slot *slot)
{
	int convention = lock_convention_of(method->place.flags);
	bool acquires = method->role == ROLE_ACQUIRE;
	*slot = (struct slot){
		.original = method->place.original,
		.otherwise = acquires ? method->slow[convention] : method->hooks[convention],
		.hot_at = (char *)&thread_hot - (char *)__builtin_thread_pointer(),
		.owner_at = rlock_owner_look.at,
	};
}

void lock_stubs_map(void)
{
	const struct lock_look *lock = &lock_looks[LOCK_KIND_LOCK], *rlock = &lock_looks[LOCK_KIND_RLOCK];
	reason = "where a lock keeps its state did not prove, or is not where stubs look";
	if (!stubs_can_look(lock) || !stubs_can_look(rlock) || (lock->is_semaphore && !rlock->is_semaphore))
		return;
	int page = lock->is_semaphore ? PAGE_SEMAPHORES : rlock->is_semaphore ? PAGE_MIXED : PAGE_BYTES;
	copy = near_map(lock_stubs[page], VARIANTS, lock_methods[METHOD_lock_acquire].place.original, &reason);
	slots = copy ? (struct slots *)(copy + VARIANTS * NEAR_PAGE) : NULL;
	for (size_t i = 0; copy && i < LOCK_METHODS; i++)
		if (lock_methods[i].place.at)
			fill(&lock_methods[i], &slots->of[i]);
}

void lock_stubs_choose(bool samples)
{
	const size_t page = samples ? SAMPLING : AT_0;
	for (size_t i = 0; copy && i < LOCK_METHODS; i++)
		if (lock_methods[i].place.at)
			lock_methods[i].stub = copy + page * NEAR_PAGE + i * STUB_BYTES;
}

void lock_stubs_set_holds(bool any)
{
	if (slots)
		__atomic_store_n(&slots->any_holds, any, __ATOMIC_RELAXED);
}

#else

void lock_stubs_map(void)
{
	reason = "not written for this processor, or this C library";
}

void lock_stubs_choose(bool samples)
{
	(void)samples;
}

void lock_stubs_set_holds(bool any)
{
	(void)any;
}

#endif
