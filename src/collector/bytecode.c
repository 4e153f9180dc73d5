/*
 * bytecode.c - run a few instructions on names instead of values.
 *
 *	locks.append(Lock())
 *	LOAD locks -> LOAD_ATTR append -> LOAD Lock -> CALL -> CALL
 *	[locks]       [locks.append]      [.., Lock]   [.., *]  : "locks[...]"
 *
 * A small machine whose stack holds what is known of each value: the name it was loaded
 * by, or that it is the lock (*), or holds it.  It starts some instructions ahead of the
 * call, so that it knows what lies below the lock, and stops when the lock is stored,
 * returned, yielded, dropped, or no longer to be told from others.
 */
#include <config.h>

#include "collector/bytecode.h"

#include <stdlib.h>
#include <string.h>

#include "collector/opcodes.h"
#include "runtime/error.h"

enum {
	STACK_MAX = 64,
	FLOOR = 24,		/* unknown values below, so that a start in mid-expression never underflows */
	AHEAD_BYTES = 512,	/* of bytecode run before the call: 40 to 250 instructions, by trial enough for any call */
	STEPS_MAX = 256,	/* after it: ends every loop */
	JOINS_MAX = 16,
};

enum value_kind { VALUE_OTHER, VALUE_NAMED, VALUE_CONSTANT, VALUE_LOCK, VALUE_HOLDER, VALUE_ENTER };

/* Objects are borrowed: the code object keeps them. */
struct value {
	enum value_kind kind;
	PyObject *name;		/* what it was loaded by; of a constant: itself */
	PyObject *parent;	/* the name of what it is an attribute of */
	bool of_self, parent_of_self, is_self, is_attribute, parent_is_attribute;
	int position;		/* of a holder: which of its items the lock is, or -1 */
	int is_of;		/* VALUE_ENTER: whose __enter__, VALUE_LOCK or VALUE_HOLDER */
};

struct join {
	size_t target;
	int depth;
};

struct machine {
	PyObject *code, *names, *constants;
	const uint8_t *bytes;
	size_t n_bytes;
	struct value stack[STACK_MAX];
	int depth;
	bool ahead;		/* not yet at the call: pass straight through, remember where branches join */
	struct join joins[JOINS_MAX];
	int n_joins;
	bool reachable;
	PyObject *keywords;	/* of KW_NAMES, for the call that follows */
	bool done;
	struct destination *out;
};

/* ---- the stack -------------------------------------------------------------------- */

static const struct value unknown = {.kind = VALUE_OTHER, .position = -1};

static void push(struct machine *m, struct value value)
{
	if (m->depth < STACK_MAX)
		m->stack[m->depth++] = value;
	else
		m->done = true;
}

static struct value pop(struct machine *m)
{
	return m->depth > 0 ? m->stack[--m->depth] : unknown;
}

/* The value n below the top; a spare one where the stack does not reach. */
static struct value *peek(struct machine *m, int n)
{
	static __thread struct value spare;
	if (n >= 0 && n < m->depth)
		return &m->stack[m->depth - 1 - n];
	spare = unknown;
	return &spare;
}

static void drop(struct machine *m, int n)
{
	while (n-- > 0)
		pop(m);
	if (m->ahead && m->depth < FLOOR / 2) {		/* began in mid-expression */
		while (m->depth < FLOOR)
			push(m, unknown);
	}
}

static void push_unknown(struct machine *m, int n)
{
	while (n-- > 0)
		push(m, unknown);
}

static bool is_ours(const struct value *value)
{
	return value->kind == VALUE_LOCK || value->kind == VALUE_HOLDER;
}

static bool holds_ours(const struct machine *m)
{
	for (int i = 0; i < m->depth; i++)
		if (is_ours(&m->stack[i]) || m->stack[i].kind == VALUE_ENTER)
			return true;
	return false;
}

/* ---- names ------------------------------------------------------------------------ */

/* Item of a tuple of the code object, borrowed; NULL beyond its end. */
static PyObject *item(PyObject *tuple, size_t index)
{
	return tuple && PyTuple_Check(tuple) && index < (size_t)PyTuple_Size(tuple)
		? PyTuple_GetItem(tuple, (Py_ssize_t)index) : NULL;
}

/* Likewise of a tuple that is a plain member of the code object. */
static PyObject *member_item(PyObject *code, const char *member, size_t index, size_t *n)
{
	PyObject *tuple = PyObject_GetAttrString(code, member);
	PyObject *found = item(tuple, index);
	*n = tuple && PyTuple_Check(tuple) ? (size_t)PyTuple_Size(tuple) : 0;
	Py_XDECREF(tuple);
	return found;
}

/* Name of a variable in the one row of locals, cells and free variables. */
static PyObject *variable_of_row(PyObject *code, unsigned index)
{
	PyObject *method = PyUnicode_InternFromString("_varname_from_oparg");
	PyObject *number = PyLong_FromUnsignedLong(index), *name = NULL;
	if (method && number)
		name = PyObject_CallMethodObjArgs(code, method, number, NULL);
	Py_XDECREF(method);
	Py_XDECREF(number);
	Py_XDECREF(name);
	PyErr_Clear();
	return name;
}

static PyObject *local_name(struct machine *m, unsigned index)
{
	size_t n;
	return opcodes_variables_are_one_row() ? variable_of_row(m->code, index)
					       : member_item(m->code, "co_varnames", index, &n);
}

static PyObject *cell_name(struct machine *m, unsigned index)
{
	if (opcodes_variables_are_one_row())
		return variable_of_row(m->code, index);
	size_t n_cells, n_free;
	PyObject *name = member_item(m->code, "co_cellvars", index, &n_cells);
	return name ? name : member_item(m->code, "co_freevars", index - n_cells, &n_free);
}

static bool is_text(PyObject *name, const char *text)
{
	return name && PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, text) == 0;
}

static bool is_one_of(PyObject *name, const char *const *texts)
{
	for (; *texts; texts++)
		if (is_text(name, *texts))
			return true;
	return false;
}

static struct value named(PyObject *name)
{
	struct value value = unknown;
	value.kind = name ? VALUE_NAMED : VALUE_OTHER;
	value.name = name;
	return value;
}

static struct value variable(PyObject *name)
{
	struct value value = named(name);
	value.is_self = is_text(name, "self") || is_text(name, "cls");
	return value;
}

/* ---- the end of the search --------------------------------------------------------- */

static void found(struct machine *m, enum destination_kind kind)
{
	m->out->kind = kind;
	m->done = true;
}

static void found_name(struct machine *m, PyObject *name, bool in_container)
{
	if (m->done || !name || !PyUnicode_Check(name))
		return;
	m->out->name = Py_NewRef(name);
	m->out->in_container = in_container;
	found(m, GOES_NAMED);
}

static void store(struct machine *m, struct value value, PyObject *name)
{
	if (is_ours(&value))
		found_name(m, name, value.kind == VALUE_HOLDER);
}

static void store_attribute(struct machine *m, PyObject *name)
{
	struct value object = pop(m), value = pop(m);
	if (!is_ours(&value))
		return;
	m->out->of_self = object.is_self;
	m->out->is_attribute = true;
	store(m, value, name);
}

/* The lock becomes one of what is kept in a container of this name. */
static void store_in(struct machine *m, const struct value *container)
{
	m->out->of_self = container->of_self;
	m->out->is_attribute = container->is_attribute;
	found_name(m, container->kind == VALUE_NAMED ? container->name : NULL, true);
}

static void store_item(struct machine *m)
{
	pop(m);
	struct value container = pop(m), value = pop(m);
	if (is_ours(&value))
		store_in(m, &container);
}

/* ---- instructions ------------------------------------------------------------------ */

/* The rest of an instruction that does nothing of interest with its values. */
static void plain(struct machine *m, const struct instruction *in, int pops)
{
	int effect = opcodes_stack_effect(in, false);
	if (pops < -effect)	/* some versions take more: POP_ITER, END_FOR */
		pops = -effect;
	drop(m, pops);
	push_unknown(m, effect + pops);
}

/* Who knows what it does: forget the values that it may have touched. */
static void forget_some(struct machine *m, const struct instruction *in)
{
	int effect = opcodes_stack_effect(in, false);
	if (effect < 0)
		drop(m, -effect);
	push_unknown(m, effect);
	for (int i = 0; i < 3; i++)
		*peek(m, i) = unknown;
}

static void load_attribute(struct machine *m, const struct instruction *in)
{
	struct value object = pop(m), attribute = named(item(m->names, opcodes_name_index(in)));
	if (object.kind == VALUE_NAMED)
		attribute.parent = object.name;
	attribute.parent_of_self = object.of_self;
	attribute.parent_is_attribute = object.is_attribute;
	attribute.of_self = object.is_self;
	attribute.is_attribute = true;
	for (int n = opcodes_stack_effect(in, false) + 1; n > 0; n--)
		push(m, attribute);
}

static void load_name(struct machine *m, const struct instruction *in)
{
	struct value value = variable(item(m->names, opcodes_name_index(in)));
	drop(m, in->op->pops);
	for (int n = opcodes_stack_effect(in, false) + in->op->pops; n > 0; n--)
		push(m, value);
}

static void load_constant(struct machine *m, unsigned index)
{
	struct value value = named(item(m->constants, index));
	if (value.name)
		value.kind = VALUE_CONSTANT;
	push(m, value);
}

/* `with` calls __enter__; its result is what `as` names. */
static void load_special(struct machine *m, const struct instruction *in)
{
	struct value object = pop(m), method = unknown;
	if (is_ours(&object)) {
		method.kind = VALUE_ENTER;
		method.is_of = (int)object.kind;
	}
	push(m, method);
	push_unknown(m, opcodes_stack_effect(in, false));
}

static void enter(struct machine *m, const struct instruction *in)
{
	struct value manager = pop(m);
	push_unknown(m, opcodes_stack_effect(in, false));
	push(m, manager);
}

static void rotate(struct machine *m, int n)
{
	struct value top = *peek(m, 0);
	for (int i = 0; i < n - 1; i++)
		*peek(m, i) = *peek(m, i + 1);
	*peek(m, n - 1) = top;
}

static void swap(struct machine *m, int n)
{
	struct value top = *peek(m, 0);
	*peek(m, 0) = *peek(m, n - 1);
	*peek(m, n - 1) = top;
}

static void build(struct machine *m, const struct instruction *in)
{
	int n = in->op->pops + in->op->pops_per_argument * (int)in->argument;
	struct value result = unknown;
	for (int i = 0; i < n; i++)
		if (is_ours(peek(m, i))) {
			result.kind = VALUE_HOLDER;
			result.position = in->op->pops_per_argument == 1 ? n - 1 - i : -1;
		}
	drop(m, n);
	push(m, result);
}

/* LIST_APPEND i and its like: the container is i below the top, without what is added. */
static void add_to_container(struct machine *m, const struct instruction *in)
{
	bool ours = false;
	for (int n = in->op->pops; n > 0; n--) {
		struct value added = pop(m);
		ours |= is_ours(&added);
	}
	if (ours) {
		struct value *container = peek(m, (int)in->argument - 1);
		*container = unknown;
		container->kind = VALUE_HOLDER;
	}
}

static void keep_top(struct machine *m, const struct instruction *in)
{
	struct value top = pop(m);
	drop(m, -opcodes_stack_effect(in, false));
	push(m, top);
}

static void unpack(struct machine *m, const struct instruction *in)
{
	struct value sequence = pop(m);
	push_unknown(m, (int)in->argument);
	if (sequence.kind == VALUE_HOLDER && sequence.position >= 0)
		peek(m, sequence.position)->kind = VALUE_LOCK;
}

/* x[i], or [lock] * n */
static void binary(struct machine *m)
{
	struct value right = pop(m), left = pop(m), result = unknown;
	if (left.kind == VALUE_HOLDER || right.kind == VALUE_HOLDER)
		result.kind = VALUE_HOLDER;
	else if (left.kind == VALUE_NAMED)
		result = left;
	result.position = -1;
	push(m, result);
}

/* ---- calls -------------------------------------------------------------------------- */

struct call {
	struct value callee;
	PyObject *keywords;	/* tuple of the names of the last arguments, or NULL */
	int n_arguments;
	int ours;		/* index of the argument that is the lock or holds it, or -1 */
	enum value_kind kind;	/* of that argument */
	PyObject *second;	/* the second argument, if it is a constant */
};

static const char *const putters[] = {
	"append", "appendleft", "add", "insert", "setdefault", "extend", "update", "__setitem__", NULL};
static const char *const collections[] = {
	"list", "tuple", "set", "frozenset", "dict", "OrderedDict", "deque", "sorted", "reversed", "zip", "map",
	"enumerate", "iter", "cycle", "MappingProxyType", "fromkeys", NULL};
/* They give back their argument, or what stands for it. */
static const char *const passers[] = {"Condition", "cast", NULL};
static const char *const setters[] = {"setattr", "__setattr__", NULL};

/* The call at the top of the stack, which is left as it is. */
static struct call look_at_call(struct machine *m, const struct instruction *in, int pops)
{
	struct call call = {.n_arguments = (int)in->argument, .ours = -1, .keywords = m->keywords};
	int above = 0;
	if (in->op->kind == OP_CALL_KW) {
		call.keywords = peek(m, 0)->kind == VALUE_CONSTANT ? peek(m, 0)->name : NULL;
		above = 1;
	}
	if (in->op->kind == OP_CALL_EX)
		call.n_arguments = 0;
	for (int i = 0; i < call.n_arguments; i++) {
		const struct value *argument = peek(m, above + call.n_arguments - 1 - i);
		if (i == 1 && argument->kind == VALUE_CONSTANT)
			call.second = argument->name;
		if (is_ours(argument)) {
			call.ours = i;
			call.kind = argument->kind;
		}
	}
	for (int i = pops - 1; i >= above + call.n_arguments && call.callee.kind == VALUE_OTHER; i--)
		call.callee = *peek(m, i);
	return call;
}

static PyObject *keyword_of(const struct call *call)
{
	if (!call->keywords || !PyTuple_Check(call->keywords))
		return NULL;
	int first = call->n_arguments - (int)PyTuple_Size(call->keywords);
	return call->ours >= first ? item(call->keywords, (size_t)(call->ours - first)) : NULL;
}

/* The lock is handed to a function: what do we know of that function? */
static struct value pass_on(struct machine *m, const struct call *call)
{
	struct value result = unknown;
	PyObject *name = call->callee.name, *keyword = keyword_of(call);
	if (is_one_of(name, putters) && call->callee.parent) {
		struct value container = named(call->callee.parent);
		container.of_self = call->callee.parent_of_self;
		container.is_attribute = call->callee.parent_is_attribute;
		store_in(m, &container);
	} else if (is_one_of(name, setters) && call->second && call->ours == 2) {
		m->out->is_attribute = true;
		found_name(m, call->second, call->kind == VALUE_HOLDER);
	} else if (is_one_of(name, passers)) {
		result.kind = call->kind;
	} else if (is_one_of(name, collections)) {
		result.kind = VALUE_HOLDER;
	} else if (keyword && !m->out->keyword) {
		m->out->keyword = Py_NewRef(keyword);
	}
	return result;
}

static void call(struct machine *m, const struct instruction *in)
{
	int pops = opcodes_call_pops(in);
	struct call call = look_at_call(m, in, pops);
	struct value result = unknown;
	if (call.ours >= 0)
		result = pass_on(m, &call);
	else if (call.callee.kind == VALUE_ENTER && call.n_arguments == 0)
		result.kind = (enum value_kind)call.callee.is_of;
	m->keywords = NULL;
	drop(m, pops);
	push(m, result);
}

/* ---- control flow -------------------------------------------------------------------- */

static void remember_join(struct machine *m, size_t target)
{
	if (m->n_joins < JOINS_MAX)
		m->joins[m->n_joins++] = (struct join){target, m->depth};
}

/* Code behind a jump starts with the stack of whoever jumps to it. */
static void join(struct machine *m, size_t at)
{
	for (int i = 0; i < m->n_joins; i++) {
		if (m->joins[i].target != at || m->reachable)
			continue;
		while (m->depth < m->joins[i].depth)
			push(m, unknown);
		m->depth = m->joins[i].depth;
		m->reachable = true;
	}
}

static void never_continue(struct machine *m)
{
	m->reachable = false;
	if (!m->ahead)
		m->done = true;
}

static size_t jump(struct machine *m, const struct instruction *in)
{
	if (!m->ahead)
		return opcodes_jump_target(in);
	remember_join(m, opcodes_jump_target(in));
	m->reachable = false;
	return in->end;
}

/* After the call, a loop is left at its head: its further rounds add nothing. */
static size_t loop_head(struct machine *m, const struct instruction *in)
{
	if (m->ahead) {
		plain(m, in, 0);
		return in->end;
	}
	int effect = opcodes_stack_effect(in, true);
	if (effect < 0)
		drop(m, -effect);
	push_unknown(m, effect);
	return opcodes_jump_target(in);
}

/* A lock is true. */
static size_t branch(struct machine *m, const struct instruction *in, bool if_true, bool keeps)
{
	bool taken = !m->ahead && is_ours(peek(m, 0)) && if_true;
	if (m->ahead && keeps)
		remember_join(m, opcodes_jump_target(in));
	if (!(taken && keeps))
		drop(m, 1);
	if (m->ahead && !keeps)
		remember_join(m, opcodes_jump_target(in));
	return taken ? opcodes_jump_target(in) : in->end;
}

static void leave(struct machine *m, bool yields)
{
	struct value value = pop(m);
	if (value.kind == VALUE_LOCK)
		found(m, yields ? GOES_YIELDED : GOES_RETURNED);
	else if (value.kind == VALUE_HOLDER) {
		m->out->position = value.position;
		found(m, GOES_HELD);
	} else if (!m->ahead && !yields)
		m->done = true;
	push_unknown(m, yields);
}

/* ---- the machine --------------------------------------------------------------------- */

static void half(struct machine *m, enum opcode_kind kind, unsigned index)
{
	if (kind == OP_STORE_FAST)
		store(m, pop(m), local_name(m, index));
	else
		push(m, variable(local_name(m, index)));
}

static void pop_top(struct machine *m)
{
	struct value value = pop(m);
	if (value.kind == VALUE_LOCK && !holds_ours(m))
		found(m, GOES_DROPPED);
}

/* One instruction; the answer is where the next one starts. */
static size_t step(struct machine *m, const struct instruction *in)
{
	unsigned argument = in->argument;
	join(m, in->start);

	switch ((enum opcode_kind)in->op->kind) {
	case OP_NOTHING: case OP_PRECALL: break;
	case OP_POP: pop_top(m); break;
	case OP_LOAD_CONST: load_constant(m, argument); break;
	case OP_LOAD_FAST: push(m, variable(local_name(m, argument))); break;
	case OP_LOAD_DEREF: drop(m, in->op->pops); push(m, variable(cell_name(m, argument))); break;
	case OP_LOAD_NAME: case OP_LOAD_GLOBAL: load_name(m, in); break;
	case OP_LOAD_ATTR: load_attribute(m, in); break;
	case OP_LOAD_SPECIAL: load_special(m, in); break;
	case OP_STORE_FAST: store(m, pop(m), local_name(m, argument)); break;
	case OP_STORE_DEREF: store(m, pop(m), cell_name(m, argument)); break;
	case OP_STORE_NAME: store(m, pop(m), item(m->names, argument)); break;
	case OP_STORE_ATTR: store_attribute(m, item(m->names, argument)); break;
	case OP_STORE_SUBSCR: store_item(m); break;
	case OP_PAIR: half(m, in->op->first, argument >> 4); half(m, in->op->second, argument & 15); break;
	case OP_COPY: push(m, *peek(m, (int)argument - 1)); break;
	case OP_SWAP: swap(m, (int)argument); break;
	case OP_DUP_TOP: push(m, *peek(m, 0)); break;
	case OP_DUP_TOP_TWO: push(m, *peek(m, 1)); push(m, *peek(m, 1)); break;
	case OP_ROTATE_2: rotate(m, 2); break;
	case OP_ROTATE_3: rotate(m, 3); break;
	case OP_ROTATE_4: rotate(m, 4); break;
	case OP_ROTATE_N: rotate(m, (int)argument); break;
	case OP_BUILD: build(m, in); break;
	case OP_ADD: add_to_container(m, in); break;
	case OP_UNPACK: unpack(m, in); break;
	case OP_BINARY: binary(m); break;
	case OP_SAME: break;
	case OP_WITH: enter(m, in); break;
	case OP_KEYWORDS: m->keywords = item(m->constants, argument); break;
	case OP_CALL: case OP_CALL_KW: case OP_CALL_EX: call(m, in); break;
	case OP_JUMP: return jump(m, in);
	case OP_FOR_ITER: return loop_head(m, in);
	case OP_BRANCH_TRUE: return branch(m, in, true, false);
	case OP_BRANCH_FALSE: return branch(m, in, false, false);
	case OP_BRANCH_TRUE_OR_POP: return branch(m, in, true, true);
	case OP_BRANCH_FALSE_OR_POP: return branch(m, in, false, true);
	case OP_RETURN: leave(m, false); never_continue(m); break;
	case OP_YIELD: leave(m, true); break;
	case OP_AWAIT: forget_some(m, in); break;
	case OP_KEEP_TOP: keep_top(m, in); break;
	case OP_END: never_continue(m); break;
	case OP_PLAIN: plain(m, in, in->op->pops + in->op->pops_per_argument * (int)argument); break;
	case OP_UNKNOWN: default: forget_some(m, in); break;
	}
	return in->end;
}

/* Up to the instruction that contains this byte, which is left in *in, not yet run. */
static bool run_ahead(struct machine *m, size_t offset, struct instruction *in)
{
	size_t at = offset > AHEAD_BYTES ? offset - AHEAD_BYTES : 0;
	m->ahead = m->reachable = true;
	push_unknown(m, FLOOR);
	while (opcodes_decode(m->bytes, m->n_bytes, at, in)) {
		if (in->end > offset)
			return true;
		at = step(m, in);
	}
	return false;
}

/* 3.11 may be at the first half of a call. */
static bool skip_precall(struct machine *m, struct instruction *in)
{
	return in->op->kind != OP_PRECALL || opcodes_decode(m->bytes, m->n_bytes, in->end, in);
}

/* What the result of a call is, when the value came up from inside that call. */
static enum value_kind result_kind(struct machine *m, const struct instruction *in, enum arrival_way way)
{
	struct call call = look_at_call(m, in, opcodes_call_pops(in));
	if (is_one_of(call.callee.name, collections))
		return VALUE_HOLDER;
	if (way == ARRIVES_YIELDED && !is_text(call.callee.name, "next"))
		return VALUE_HOLDER;
	return VALUE_LOCK;
}

/* A list that is extended by what the lock came out of. */
static void arrive_in_container(struct machine *m, const struct instruction *in)
{
	add_to_container(m, in);
	*peek(m, (int)in->argument - 1) = (struct value){.kind = VALUE_HOLDER, .position = -1};
}

/* A property: its name is the lock's. */
static void arrive_at_attribute(struct machine *m, const struct instruction *in, enum value_kind kind)
{
	load_attribute(m, in);
	m->out->of_self = peek(m, 0)->of_self;
	m->out->is_attribute = true;
	found_name(m, peek(m, 0)->name, kind == VALUE_HOLDER);
}

/* What was awaited is there: where the awaiting goes on.  YIELD_FROM does not jump. */
static size_t arrive_from_await(struct machine *m, const struct instruction *in, enum value_kind kind)
{
	bool jumps = opcodes_stack_effect(in, false) != -1;
	int effect = opcodes_stack_effect(in, jumps);
	if (effect < 0)
		drop(m, -effect);
	*peek(m, 0) = (struct value){.kind = kind, .position = -1};
	return jumps ? opcodes_jump_target(in) : in->end;
}

/*
 * The value comes out of this instruction, which is run as one ahead: it sees no lock yet.
 * The answer is where the next one starts.
 */
static size_t arrive(struct machine *m, const struct instruction *in, struct arrival arrival)
{
	enum value_kind kind = arrival.way == ARRIVES_HELD ? VALUE_HOLDER : VALUE_LOCK;
	switch ((enum opcode_kind)in->op->kind) {
	case OP_CALL: case OP_CALL_KW: case OP_CALL_EX:
		if (arrival.way != ARRIVES_HELD)
			kind = result_kind(m, in, arrival.way);
		break;
	case OP_FOR_ITER: case OP_BINARY: case OP_WITH:
		if (arrival.way == ARRIVES_MADE)
			return in->end;
		break;
	case OP_LOAD_ATTR:
		if (arrival.way != ARRIVES_MADE)
			arrive_at_attribute(m, in, kind);
		return in->end;
	case OP_AWAIT:
		return arrive_from_await(m, in, kind);
	case OP_ADD:
		arrive_in_container(m, in);
		return in->end;
	default:
		return in->end;
	}
	step(m, in);
	*peek(m, 0) = (struct value){.kind = kind, .position = arrival.way == ARRIVES_HELD ? arrival.position : -1};
	return in->end;
}

static void follow(struct machine *m, size_t offset, struct arrival arrival)
{
	struct instruction in;
	if (!run_ahead(m, offset, &in) || !skip_precall(m, &in))
		return;
	size_t at = arrive(m, &in, arrival);
	m->ahead = false;
	m->reachable = true;
	for (int steps = 0; steps < STEPS_MAX && !m->done && holds_ours(m); steps++) {
		if (!opcodes_decode(m->bytes, m->n_bytes, at, &in))
			return;
		at = step(m, &in);
	}
}

int bytecode_follow(PyObject *code, uintptr_t instruction, struct arrival arrival, struct destination *destination)
{
	memset(destination, 0, sizeof(*destination));
	struct machine *m = calloc(1, sizeof(*m));
	PyObject *bytes = PyObject_GetAttrString(code, "co_code");
	PyObject *names = PyObject_GetAttrString(code, "co_names");
	PyObject *constants = PyObject_GetAttrString(code, "co_consts");
	if (m && bytes && PyBytes_Check(bytes) && names && constants) {
		m->code = code;
		m->names = names;
		m->constants = constants;
		m->bytes = (const uint8_t *)PyBytes_AsString(bytes);
		m->n_bytes = (size_t)PyBytes_Size(bytes);
		m->out = destination;
		follow(m, instruction, arrival);
	}
	Py_XDECREF(bytes);
	Py_XDECREF(names);
	Py_XDECREF(constants);
	PyErr_Clear();
	int error = m ? OK : ERR_NOMEM;
	free(m);
	return error;
}

void bytecode_forget(struct destination *destination)
{
	Py_CLEAR(destination->name);
	Py_CLEAR(destination->keyword);
}
