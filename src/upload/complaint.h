/*
 * complaint.h - what is said when an upload goes wrong: rarely, and what stays as it was hardly ever.
 *
 * Used by one thread at a time, the one that uploads, and without a lock: a fork must not wait
 * for a slow terminal.
 */
#ifndef SNECK_UPLOAD_COMPLAINT_H
#define SNECK_UPLOAD_COMPLAINT_H

/* One line, "<what>: <why>": at most one a minute, and of a why that stays the same one an hour. */
void complaint_say(const char *what, const char *why);

/* All is well: what comes next is new. */
void complaint_settled(void);

#endif
