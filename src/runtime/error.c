/*
 * error.c - the words for the codes of error.h.
 */
#include <config.h>

#include "runtime/error.h"

const char *error_text(int error)
{
	switch (error) {
	case OK:
		return "no error";
	case ERR_NOMEM:
		return "out of memory";
	case ERR_LIMIT:
		return "a table is full";
	case ERR_INVALID:
		return "an invalid value";
	case ERR_IO:
		return "an input or output error";
	case ERR_LAYOUT:
		return "the interpreter's layout did not prove";
	case ERR_STATE:
		return "not possible in this state";
	case ERR_TIMEOUT:
		return "not done in time";
	case ERR_AGAIN:
		return "not this time";
	case ERR_CANCELLED:
		return "given up on request";
	}
	return "an unknown error";
}
