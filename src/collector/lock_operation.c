/*
 * lock_operation.c - what every sample of a lock operation has in common.
 *
 * No Python code runs in here, nothing is made that the garbage collector knows of, no log
 * line is written.
 */
#include <config.h>

#include "collector/lock_operation.h"

#include "collector/code_table.h"
#include "collector/interpreter_end.h"
#include "collector/lock_naming.h"
#include "collector/lock_sample.h"
#include "collector/thread_name.h"
#include "collector/thread_state.h"
#include "runtime/error.h"
#include "runtime/fast_clock.h"
#include "runtime/fork.h"
#include "runtime/hot.h"
#include "runtime/stats.h"

/* A thread that C code started, outside of any Python function, has a place too. */
static const struct function no_python = {.name = "<no Python frame>", .filename = ""};

static void resolve(const struct raw_frame *raw, size_t depth, struct frame *out)
{
	if (depth == 1 && !raw->code)
		*out = (struct frame){.function = &no_python};
	else
		code_table_resolve(raw, depth, out);
}

/* Deep enough for what is skipped of it, and the user's frames behind. */
static void walk(struct operation *op)
{
	size_t total, max = LIBRARY_FRAMES_MAX + lock_sampler.max_frames;
	size_t depth = py_frames_walk(op->tstate, op->frames, max, &total);
	op->stack = (struct raw_stack){.frames = op->frames, .depth = depth, .omitted = total - depth};
}

static enum primitive_role classify(struct operation *op, size_t depth)
{
	bool is_rlock = op->call->method->kind == LOCK_KIND_RLOCK;
	return primitives_classify(op->frames, depth, (uintptr_t)op->call->lock, is_rlock, &op->use);
}

static void find_class(struct operation *op)
{
	const struct lock_place place = {op->tstate, op->frames, op->stack.depth, &op->use};
	if (classify(op, op->stack.depth) == PRIMITIVE_INNER || interpreter_has_ended())
		return;
	struct lock_class *c = lock_naming_class(op->call->lock, op->call->method->kind, &place);
	op->lock_class = c && !c->is_excluded ? c : NULL;
}

/* Frames of the standard library that only pass the operation on are not where it happened. */
static void skip_frames(struct operation *op)
{
	size_t n = op->use.skip < op->stack.depth ? op->use.skip : 0;
	op->stack.frames += n;
	op->stack.depth -= n;
	if (!op->stack.depth) {
		op->frames[0] = (struct raw_frame){.code = 0};
		op->stack.depth = 1;
	}
}

/* The user's frames alone count. */
static void cut_stack(struct operation *op)
{
	if (op->stack.depth > lock_sampler.max_frames) {
		op->stack.omitted += op->stack.depth - lock_sampler.max_frames;
		op->stack.depth = lock_sampler.max_frames;
	}
	op->stack.hash = raw_stack_hash(op->stack.frames, op->stack.depth);
}

static void begin(struct operation *op, struct thread *thread, const struct lock_call *call)
{
	op->call = call;
	op->thread = thread;
	op->tstate = thread_state();
	op->lock_class = NULL;
}

bool operation_look_at_leaves(struct operation *op, struct thread *thread, const struct lock_call *call)
{
	/* the longest way, Semaphore.__exit__(), has three; then the user's, and one that shows it is whole */
	enum { LEAVES = 5 };
	begin(op, thread, call);
	size_t depth = py_frames_leaves(op->tstate, op->frames, LEAVES);
	return classify(op, depth) == PRIMITIVE_INNER || op->use.skip + 1 < depth || depth < LEAVES;
}

void operation_look_around(struct operation *op, struct thread *thread, const struct lock_call *call)
{
	begin(op, thread, call);
	walk(op);
	find_class(op);
	if (!op->lock_class)
		return;
	fork_sampled();
	skip_frames(op);
	cut_stack(op);
	thread_name_refresh(thread);
}

SNECK_HOT_CODE struct lock_class *operation_class_at_a_glance(const struct lock_call *call)
{
	struct raw_frame leaf;
	if (!py_frames_leaf(thread_state(), &leaf) || primitives_knows(leaf.code))
		return NULL;
	fork_sampled();
	return lock_naming_known(call->lock);
}

bool operation_find_row(struct operation *op, enum lock_event event, struct sample_row *row)
{
	const struct label_set *labels = &op->lock_class->labels[event];
	int error = sample_cache_find(&op->thread->cache, &op->stack, labels, resolve, row);
	if (error == ERR_LIMIT) {
		thread_drain(op->thread);
		error = sample_cache_find(&op->thread->cache, &op->stack, labels, resolve, row);
	}
	return !error;
}

void operation_add(struct operation *op, enum lock_event event, const struct sample_row *row,
		   const double values[SAMPLE_TYPES])
{
	stats_count(STAT_samples);
	if (row && sample_cache_add(&op->thread->cache, *row, values))
		return;
	if (thread_put(op->thread, &op->stack, &op->lock_class->labels[event], resolve, values))
		stats_count(STAT_samples_dropped);
}

double operation_ns(int64_t begin_ns, int64_t end_ns)
{
	int64_t ns = end_ns - begin_ns;
	return ns > fast_clock.cost_ns ? (double)(ns - fast_clock.cost_ns) : 0;
}
