/*
 * sink_choice.h - which sink the options ask for, and why, in words for status().
 */
#ifndef SNECK_UPLOAD_SINK_CHOICE_H
#define SNECK_UPLOAD_SINK_CHOICE_H

#include "runtime/options.h"

enum sink_kind { SINK_FILE, SINK_AGENT, SINK_INTAKE, SINK_PYROSCOPE };

struct sink_choice {
	enum sink_kind kind;
	char why[128];			/* "DD_TRACE_AGENT_URL is set" */
	char problem[128];		/* "" or what was asked for and cannot be: said once */
	char agent_url[OPTION_NAME_MAX + 32];	/* of SINK_AGENT */
};

/* Looks for the agent's default socket; opens nothing. */
void sink_choose(const struct options *options, struct sink_choice *choice);

/* "file", "Datadog agent", ...  Static. */
const char *sink_kind_text(enum sink_kind kind);

/* Where an agent's package puts its socket, for tests to move. */
extern const char *sink_default_socket;

#endif
