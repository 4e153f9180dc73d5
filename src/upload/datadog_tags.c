/*
 * datadog_tags.c - who says what, in order of strength:
 *
 *     language, runtime, runtime-id, process_id, ...    we, at each upload
 *     env, service, version                             DD_ENV ..., the tags, what was inferred
 *     git.*, python_main_package                        their variables, DD_TAGS
 *     everything else                                   DD_PROFILING_TAGS, DD_TAGS
 */
#include <config.h>

#include "upload/datadog_tags.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/error.h"
#include "runtime/url.h"
#include "upload/runtime_id.h"

static const char git_url[] = "git.repository_url", git_commit[] = "git.commit.sha", package[] = "python_main_package";

static bool is_set(const char *text)
{
	return text && *text;
}

/* A value that leaves no tag is no error: there is no such tag then. */
static int set(struct tags *tags, const char *key, const char *value)
{
	return is_set(value) && tags_set(tags, key, value) == ERR_NOMEM ? ERR_NOMEM : OK;
}

/* ---- git ------------------------------------------------------------------------------- */

/* Before it is cut to a tag's length, perhaps before the @. */
static int set_url(struct tags *tags, const char *url)
{
	char *copy = is_set(url) ? strdup(url) : NULL;
	if (!copy)
		return is_set(url) ? ERR_NOMEM : OK;
	url_cut_userinfo(copy);
	int error = set(tags, git_url, copy);
	free(copy);
	return error;
}

/* In DD_TAGS those of git count only where their own variables say nothing, and the package never. */
static int set_git(struct tags *tags, const struct datadog_config *config)
{
	tags_remove(tags, package);
	if (config->without_git_tags) {
		tags_remove(tags, git_url);
		tags_remove(tags, git_commit);
		return OK;
	}
	const char *main_package = is_set(config->main_package) ? config->main_package : config->identity->main_package;
	return set_url(tags, config->git_repository_url) || set(tags, git_commit, config->git_commit_sha) ||
		set(tags, package, main_package) ? ERR_NOMEM : OK;
}

/* ---- what stays the same ----------------------------------------------------------------- */

static int set_user(struct datadog_tags *tags, const struct datadog_config *config)
{
	return tags_parse(&tags->user, config->tags, &tags->malformed) || set_git(&tags->user, config) ||
		tags_parse(&tags->user, config->profiling_tags, &tags->malformed) ? ERR_NOMEM : OK;
}

static int move_tag(struct datadog_tags *tags, const char *key, const char *given, const char *fallback)
{
	const char *tagged = tags_get(&tags->user, key);
	int error = set(&tags->unified, key, is_set(given) ? given : tagged ? tagged : fallback);
	tags_remove(&tags->user, key);
	return error;
}

static int set_unified(struct datadog_tags *tags, const struct datadog_config *config)
{
	const char *inferred = *config->identity->service ? config->identity->service : "unnamed-python-service";
	tags->is_user_service = is_set(config->service) || tags_get(&tags->user, "service");
	return move_tag(tags, "env", config->env, NULL) || move_tag(tags, "service", config->service, inferred) ||
		move_tag(tags, "version", config->version, NULL) ? ERR_NOMEM : OK;
}

/* The agent knows its host; without one, ours to say. */
static int set_host(struct tags *tags, const struct datadog_config *config)
{
	char name[256] = "";
	if (!is_set(config->api_key))
		return OK;
	if (is_set(config->hostname))
		return set(tags, "host", config->hostname);
	if (gethostname(name, sizeof(name) - 1) != 0 || !*name)
		return OK;
	return tags_add(tags, "host", name) == ERR_NOMEM ? ERR_NOMEM : OK;
}

/* 1 is "1.0", as Python writes it; not by printf's %f, whose point is the locale's. */
static void number_text(char text[32], double number)
{
	long ten_thousandths = lround(number * 10000);
	int n = snprintf(text, 32, "%ld.%04ld", ten_thousandths / 10000, ten_thousandths % 10000);
	while (text[n - 1] == '0' && text[n - 2] != '.')
		text[--n] = '\0';
}

/* The same words as ddtrace's, as far as we have what they stand for. */
static int set_profiler_config(struct tags *tags, const struct options *options)
{
	char text[96], percent[32];
	if (!options)
		return OK;
	number_text(percent, options->capture_pct);
	snprintf(text, sizeof(text), "%sCAP%s_MAXF%d", options->lock_enabled ? "lock_" : "", percent, (int)options->max_frames);
	return set(tags, "profiler_config", text);
}

int datadog_tags_init(struct datadog_tags *tags, const struct datadog_config *config)
{
	*tags = (struct datadog_tags){.unified = TAGS_EMPTY};
	return set_user(tags, config) || set_unified(tags, config) || set_host(&tags->user, config) ||
		set_profiler_config(&tags->user, config->options) ? ERR_NOMEM : OK;
}

void datadog_tags_free(struct datadog_tags *tags)
{
	tags_free(&tags->unified);
	tags_free(&tags->user);
}

/* ---- an upload's ------------------------------------------------------------------------- */

/* As compilers call it; what it was built for, not where it runs. */
#if defined(__x86_64__)
#define MACHINE "x86_64"
#elif defined(__aarch64__)
#define MACHINE "aarch64"
#elif defined(__i386__)
#define MACHINE "i686"
#elif defined(__arm__)
#define MACHINE "arm"
#elif defined(__riscv) && __riscv_xlen == 64
#define MACHINE "riscv64gc"
#elif defined(__powerpc64__)
#define MACHINE "powerpc64le"
#elif defined(__s390x__)
#define MACHINE "s390x"
#else
#define MACHINE "unknown"
#endif
#if defined(__GLIBC__)
#define PLATFORM MACHINE "-unknown-linux-gnu"
#else
#define PLATFORM MACHINE "-unknown-linux-musl"
#endif

/* Nothing before the first fork: it would be a guess. */
static const char *process_type(void)
{
	return runtime_is_forked() ? "worker" : runtime_has_forked() ? "main" : NULL;
}

static int set_own(struct tags *tags, const char *python_version)
{
	char pid[16];
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	return set(tags, "language", "python") || set(tags, "runtime", "CPython") ||
		set(tags, "runtime-id", runtime_id()) || set(tags, "runtime_version", python_version) ||
		set(tags, "profiler_version", PACKAGE_VERSION) || set(tags, "process_id", pid) ||
		set(tags, "process_type", process_type()) ? ERR_NOMEM : OK;
}

char *datadog_tags_text(const struct datadog_tags *tags, const char *python_version)
{
	struct tags all = TAGS_EMPTY;
	char *text = NULL;
	if (!tags_add_all(&all, &tags->unified) && !set_own(&all, python_version) && !tags_add_all(&all, &tags->user) &&
	    !set(&all, "runtime_platform", PLATFORM))
		text = tags_text(&all);
	tags_free(&all);
	return text;
}
