/*
 * sink_make.h - the sink that was chosen, from the options.
 */
#ifndef SNECK_UPLOAD_SINK_MAKE_H
#define SNECK_UPLOAD_SINK_MAKE_H

#include "upload/process_identity.h"
#include "upload/sink.h"
#include "upload/sink_choice.h"

enum { SINK_PROBLEM_MAX = 256, SINK_TARGET_MAX = OPTION_TEXT_MAX + 32 };

struct sink_wishes {
	const struct sink_choice *choice;
	const struct options *options;
	const struct process_identity *identity;
	const char *program;		/* what files are called after */
};

/*
 * All of the wishes is borrowed.  target says where it sends to, without user names and keys.
 * On an error problem has a sentence for the user.
 */
int sink_make(const struct sink_wishes *wishes, struct sink **sink, char target[SINK_TARGET_MAX],
	      char problem[SINK_PROBLEM_MAX]);

#endif
