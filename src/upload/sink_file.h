/*
 * sink_file.h - uploads as files: <prefix>.<pid>.<seq>.pprof.
 */
#ifndef SNECK_UPLOAD_SINK_FILE_H
#define SNECK_UPLOAD_SINK_FILE_H

#include "upload/sink.h"

/*
 * output is the prefix; if it ends in '/' or is a directory, the prefix is the program's
 * name in there.  A relative one is resolved now, so a later chdir changes nothing.  The
 * directory is made when the first file is written.  seq begins at 1 in each process and
 * passes over files that are there.  ERR_INVALID, ERR_IO (no working directory), ERR_NOMEM.
 */
int sink_file_new(const char *output, const char *program, struct sink **sink);

#endif
