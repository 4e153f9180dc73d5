/*
 * datadog.h - the options, as the Datadog sink wants them.
 */
#ifndef SNECK_MODULE_DATADOG_H
#define SNECK_MODULE_DATADOG_H

#include "runtime/options.h"
#include "upload/process_identity.h"
#include "upload/sink_datadog.h"

/* agent_url: NULL: to the intake, by the options' key and site.  Otherwise as sink_datadog_new(). */
int datadog_sink(const struct options *options, const struct process_identity *identity, const char *agent_url,
		 struct sink **sink, char problem[DATADOG_PROBLEM_MAX]);

#endif
