/*
 * forks.c - the list, in the order of lockrank.h.
 */
#include <config.h>

#include "module/forks.h"

#include "collector/collector.h"
#include "module/control.h"
#include "runtime/fork.h"
#include "runtime/log.h"
#include "runtime/red_black.h"
#include "runtime/stats.h"
#include "upload/exit_signal.h"
#include "upload/http.h"
#include "upload/runtime_id.h"
#include "upload/uploader.h"

static const struct fork_module modules[] = {
	{"control", control_prefork, control_postfork_parent, control_postfork_child},
	{"uploader", uploader_prefork, uploader_postfork_parent, uploader_postfork_child},
	{"http", http_prefork, http_postfork_parent, http_postfork_child},
	{"exit_signal", .postfork_child = exit_signal_postfork_child},
	{"collector", collector_prefork, collector_postfork_parent, collector_postfork_child},
	{"red_black", red_black_prefork, red_black_postfork_parent, red_black_postfork_child},
	{"log", log_prefork, log_postfork_parent, log_postfork_child},
	{"runtime_id", .postfork_parent = runtime_id_postfork_parent, .postfork_child = runtime_id_postfork_child},
	{"stats", .postfork_child = stats_postfork_child},
};

int forks_init(void)
{
	fork_on_first_sample(control_resume);
	return fork_init(modules, sizeof(modules) / sizeof(*modules));
}
