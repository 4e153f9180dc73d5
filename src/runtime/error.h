/*
 * error.h - what an int function of this project gives back: 0, or one of these.
 */
#ifndef SNECK_RUNTIME_ERROR_H
#define SNECK_RUNTIME_ERROR_H

enum {
	OK = 0,
	ERR_NOMEM = -1,		/* memory could not be had */
	ERR_LIMIT = -2,		/* a table is full: the caller counts it and goes on */
	ERR_INVALID = -3,	/* an argument or a value read makes no sense */
	ERR_IO = -4,		/* a file or socket refused; errno says why */
	ERR_LAYOUT = -5,	/* a place in the interpreter did not prove */
	ERR_STATE = -6,		/* not now: stopped, or already running */
	ERR_TIMEOUT = -7,	/* it goes on, but no longer than this was to be waited for */
	ERR_AGAIN = -8,		/* not this time: worth another try later */
	ERR_CANCELLED = -9,	/* given up on request */
};

/* A sentence's worth of words, static.  Any int is fine. */
const char *error_text(int error);

#endif
