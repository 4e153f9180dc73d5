/*
 * program_name.h - what the program is called, for the names of its files.
 */
#ifndef SNECK_MODULE_PROGRAM_NAME_H
#define SNECK_MODULE_PROGRAM_NAME_H

#include "upload/process_identity.h"

enum { PROGRAM_NAME_MAX = 64 };

/*
 * "app" for `python app.py`, "pkg" for `python -m pkg`, else "python"; no slash in it.  The
 * identity is this process's.  With the GIL held; also while the interpreter starts.
 */
void program_name(char name[PROGRAM_NAME_MAX], const struct process_identity *identity);

#endif
