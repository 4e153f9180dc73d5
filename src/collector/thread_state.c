/*
 * thread_state.c - finding the interpreter's thread-local variable of the current thread state.
 *
 * It is a word in the thread-local memory of some image (the program, or libpython) which
 *
 *     is the thread state                    while we have the GIL
 *     is NULL                                while we have given it up
 *     is the thread state                    once we have it again
 *     is NULL, and as far from the thread    in a thread that is not Python's
 *     pointer
 *
 * The last one proves that the image's thread-locals are in the part that all threads have
 * laid out alike: those of an image that was loaded later are somewhere on the heap.  Proved is
 * what a single word does.
 */
#include <config.h>

#include "collector/thread_state.h"

#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/hot.h"

enum { CANDIDATES_MAX = 8 };	/* a guess with room: where more words look like it, nothing is proved */

struct candidate {
	size_t image;		/* its number among those with thread-locals */
	size_t place;		/* in that image's */
	ptrdiff_t at;		/* from the thread pointer */
};

struct candidates {
	uintptr_t value;	/* what the words are compared with */
	size_t n;		/* more than CANDIDATES_MAX: too many */
	struct candidate list[CANDIDATES_MAX];
};

ptrdiff_t thread_state_at SNECK_HOT;
static const char *reason = "not started";

const char *thread_state_reason(void)
{
	return reason;
}

static uintptr_t word_at(ptrdiff_t at)
{
	return __atomic_load_n((uintptr_t *)((char *)__builtin_thread_pointer() + at), __ATOMIC_RELAXED);
}

/* How much of thread-local memory an image has. */
static size_t thread_local_bytes(const struct dl_phdr_info *image)
{
	for (size_t i = 0; i < image->dlpi_phnum; i++)
		if (image->dlpi_phdr[i].p_type == PT_TLS)
			return image->dlpi_phdr[i].p_memsz;
	return 0;
}

/* The calling thread's memory of that image; NULL: it has none (yet). */
static char *thread_locals(const struct dl_phdr_info *image, size_t info_size)
{
	bool is_told = info_size >= offsetof(struct dl_phdr_info, dlpi_tls_data) + sizeof(image->dlpi_tls_data);
	return is_told ? image->dlpi_tls_data : NULL;
}

static int collect(struct dl_phdr_info *image, size_t info_size, void *context)
{
	struct candidates *found = context;
	char *memory = thread_locals(image, info_size), *thread = __builtin_thread_pointer();
	size_t size = memory ? thread_local_bytes(image) : 0;
	size_t first = -(uintptr_t)memory % sizeof(uintptr_t);
	for (size_t place = first; place + sizeof(uintptr_t) <= size; place += sizeof(uintptr_t)) {
		struct candidate candidate = {image->dlpi_tls_modid, place, memory + place - thread};
		if (word_at(candidate.at) == found->value && found->n++ < CANDIDATES_MAX)
			found->list[found->n - 1] = candidate;
	}
	return found->n > CANDIDATES_MAX;
}

static void keep_those_with(struct candidates *candidates, uintptr_t value)
{
	size_t n = candidates->n;
	candidates->n = 0;
	for (size_t i = 0; i < n; i++)
		if (word_at(candidates->list[i].at) == value)
			candidates->list[candidates->n++] = candidates->list[i];
}

/* In another thread: strike from the list what lies elsewhere here. */
static int keep_those_here(struct dl_phdr_info *image, size_t info_size, void *context)
{
	struct candidates *candidates = context;
	char *memory = thread_locals(image, info_size), *thread = __builtin_thread_pointer();
	for (size_t i = 0; i < candidates->n; i++) {
		const struct candidate *c = &candidates->list[i];
		if (c->image == image->dlpi_tls_modid && (!memory || memory + c->place - thread != c->at))
			candidates->list[i--] = candidates->list[--candidates->n];
	}
	return 0;
}

static void *prove_in_another_thread(void *context)
{
	dl_iterate_phdr(keep_those_here, context);
	keep_those_with(context, 0);
	return NULL;
}

/* Without the GIL. */
static const char *prove_detached(struct candidates *candidates)
{
	pthread_t thread;
	sigset_t all, before;
	keep_those_with(candidates, 0);
	if (!candidates->n)
		return "this interpreter keeps it in no thread-local variable";
	sigfillset(&all);	/* no handler of the program's runs in a thread of ours */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&thread, NULL, prove_in_another_thread, candidates);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed)
		return "no thread could be started to prove it";
	pthread_join(thread, NULL);
	return candidates->n ? NULL : "the interpreter's thread-local variables do not lie alike in all threads";
}

static const char *prove(ptrdiff_t *at)
{
	struct candidates candidates = {.value = (uintptr_t)PyThreadState_Get()};
	if (dl_iterate_phdr(collect, &candidates))
		return "too many thread-local variables look like it";
	PyThreadState *state = PyEval_SaveThread();
	const char *failure = prove_detached(&candidates);
	PyEval_RestoreThread(state);
	if (failure)
		return failure;
	keep_those_with(&candidates, (uintptr_t)state);
	*at = candidates.n == 1 ? candidates.list[0].at : 0;
	return *at ? NULL : "not one thread-local variable alone behaves like it";
}

void thread_state_prove(void)
{
	static bool is_done;
	if (is_done)
		return;
	is_done = true;		/* first: another thread may start while the GIL is given up */
	ptrdiff_t at = 0;
	reason = prove(&at);
	__atomic_store_n(&thread_state_at, at, __ATOMIC_RELEASE);
}
