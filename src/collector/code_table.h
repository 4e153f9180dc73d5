/*
 * code_table.h - functions, interned by code object; and lines.
 *
 * Code objects are kept alive while their address is a key here, so an address means one
 * function.  The functions that code_table_resolve() hands out live as long as that: those
 * of period n until the period after next, n + 2, ends.  Callers who keep them longer copy.
 *
 * Life: nothing to init.  Each period: code_table_new_period(), then a trim in a thread that
 * has the GIL.  At a subinterpreter's end its codes are given back (interpreter_end.h).
 */
#ifndef SNECK_COLLECTOR_CODE_TABLE_H
#define SNECK_COLLECTOR_CODE_TABLE_H

#include "runtime/py_frames.h"
#include "runtime/sample.h"

/* As many code objects are kept; those beyond become one function "<too many functions>". */
enum { CODE_TABLE_MAX = 65536 };

/*
 * The functions and lines of a stack's frames, which are still on the stack (or whose code is
 * kept alive otherwise): out[i] for raw[i].  With the GIL of the interpreter they run in.
 * May be called inside a sample: no Python code runs, no object is made that the garbage
 * collector knows, exceptions stay as they were.
 */
void code_table_resolve(const struct raw_frame *raw, size_t depth, struct frame *out);

/* A new period begins.  Any thread, with or without the GIL. */
void code_table_new_period(void);

/*
 * Give back the code objects of the current interpreter that two whole periods had no use
 * for.  With the GIL; never inside a sample, for their death may run Python code (weak
 * references).  Returns how many.
 */
size_t code_table_trim(void);

/*
 * Have the main interpreter trim soon, in its main thread.  Any thread, with or without the
 * GIL, while Python is up.  OK, or ERR_LIMIT: Python's queue is full, try next period.
 */
int code_table_schedule_trim(void);

/*
 * Give back every code object of this interpreter, at its end, with its GIL.  The functions
 * handed out live on as long as promised.
 */
size_t code_table_forget_interpreter(int64_t interpreter);

struct code_table_stats {
	size_t codes;		/* kept now */
	size_t size_bytes;	/* owned by the table */
	uint64_t refused;	/* resolved as "<too many functions>" or for want of memory */
};

struct code_table_stats code_table_stats(void);

void code_table_prefork(void);
void code_table_postfork_parent(void);
void code_table_postfork_child(void);

#endif
