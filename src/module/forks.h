/*
 * forks.h - the one list of who is told of a fork.
 */
#ifndef SNECK_MODULE_FORKS_H
#define SNECK_MODULE_FORKS_H

/* Have everybody told from now on.  OK or ERR_NOMEM; again does no harm. */
int forks_init(void);

#endif
