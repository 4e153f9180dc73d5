/*
 * opcodes.h - the running interpreter's instruction set, as far as naming needs it.
 *
 * Numbers, caches and stack effects are asked of the interpreter, once per process.
 */
#ifndef SNECK_COLLECTOR_OPCODES_H
#define SNECK_COLLECTOR_OPCODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum opcode_kind {
	OP_UNKNOWN, OP_NOTHING, OP_PLAIN, OP_POP,
	OP_LOAD_CONST, OP_LOAD_FAST, OP_LOAD_DEREF, OP_LOAD_NAME, OP_LOAD_GLOBAL, OP_LOAD_ATTR, OP_LOAD_SPECIAL,
	OP_STORE_FAST, OP_STORE_DEREF, OP_STORE_NAME, OP_STORE_ATTR, OP_STORE_SUBSCR,
	OP_PAIR,		/* two of LOAD_FAST and STORE_FAST in one */
	OP_COPY, OP_SWAP, OP_DUP_TOP, OP_DUP_TOP_TWO, OP_ROTATE_2, OP_ROTATE_3, OP_ROTATE_4, OP_ROTATE_N,
	OP_BUILD, OP_ADD, OP_UNPACK, OP_BINARY, OP_SAME, OP_WITH,
	OP_KEYWORDS, OP_PRECALL, OP_CALL, OP_CALL_KW, OP_CALL_EX,
	OP_JUMP, OP_FOR_ITER, OP_BRANCH_TRUE, OP_BRANCH_FALSE, OP_BRANCH_TRUE_OR_POP, OP_BRANCH_FALSE_OR_POP,
	OP_RETURN, OP_YIELD, OP_AWAIT, OP_KEEP_TOP, OP_END,
};

struct opcode {
	uint8_t kind;			/* enum opcode_kind */
	uint8_t pops, pops_per_argument;
	uint8_t first, second;		/* of a pair: kinds of its halves; upper four bits of the argument, lower */
	bool jumps_absolute, jumps_backward;
};

struct instruction {
	size_t start, end;		/* bytes into the bytecode; end is behind its caches */
	int number;
	unsigned argument;
	const struct opcode *op;
};

/* Ask the interpreter.  With the GIL, once per process; OK, or ERR_LAYOUT when it does not tell. */
int opcodes_init(void);

/* The instruction that starts at byte `at` (or with whose prefixes it starts); false at the end. */
bool opcodes_decode(const uint8_t *bytes, size_t n_bytes, size_t at, struct instruction *instruction);

/* Byte that a jump leads to. */
size_t opcodes_jump_target(const struct instruction *instruction);

/* By how many values the stack grows; of a jump: when it is taken, or when it is not. */
int opcodes_stack_effect(const struct instruction *instruction, bool jumps);

/* How many values a call takes off the stack: callee, arguments and whatever lies between. */
int opcodes_call_pops(const struct instruction *instruction);

/* The index into co_names, without the flag that some versions keep in the argument's last bit. */
unsigned opcodes_name_index(const struct instruction *instruction);

/* Whether a variable's index counts locals, cells and free variables in one row (from 3.11 on). */
bool opcodes_variables_are_one_row(void);

#endif
