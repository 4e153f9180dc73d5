/*
 * interpreter_end.h - to be told when a subinterpreter ends, and to give back what is kept of it.
 */
#ifndef SNECK_COLLECTOR_INTERPRETER_END_H
#define SNECK_COLLECTOR_INTERPRETER_END_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Give back every reference to objects of this interpreter.  Called once, with its GIL, after
 * its modules are gone: sys.modules must not be asked for.
 */
typedef void (*interpreter_forgetter)(int64_t interpreter);

/* Call these at the end of each watched interpreter, in order.  A NULL ends the list; kept. */
void interpreter_end_init(const interpreter_forgetter *forgetters);

/* The current interpreter, by an id that no other one of this process ever has; 0: the main one. */
int64_t interpreter_id(void);

/*
 * About to keep something of the current interpreter: see that its end is told.  With its GIL, and none of
 * our locks; may be called inside a sample.  The main interpreter's end is the process's.
 */
void interpreter_end_watch(void);

/* Were its references given back already?  Then nothing more of it may be kept: nobody would tell the end again. */
bool interpreter_has_ended(void);

#endif
