/*
 * builder.c - one upload: a profile, its notes, its outcome.
 *
 * Fork: a child may inherit the builder of an upload that went on in the parent.  No
 *       thread of the child knows it; its few hundred bytes stay where they are.
 */
#include <config.h>

#include "upload/builder.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/utf8.h"

struct builder {
	const struct profile *profile;
	uint64_t types;
	char **notes;
	size_t n_notes;
	char *target;
	uint64_t bytes;
	struct payload *payloads;
	size_t n_payloads;
	int64_t start_ns, end_ns;	/* once there is no profile to ask */
	int64_t retry_wish_ns;
	char error[512];	/* no malloc: there is an error to tell without memory too */
};

struct builder *builder_new(const struct profile *profile, uint64_t types)
{
	struct builder *builder = calloc(1, sizeof(*builder));
	if (!builder)
		return NULL;
	builder->profile = profile;
	builder->types = types;
	return builder;
}

void builder_free(struct builder *builder)
{
	if (!builder)
		return;
	for (size_t i = 0; i < builder->n_notes; i++)
		free(builder->notes[i]);
	free(builder->notes);
	for (size_t i = 0; i < builder->n_payloads; i++)
		free(builder->payloads[i].data);
	free(builder->payloads);
	free(builder->target);
	free(builder);
}

static char *clean_copy(const char *text)
{
	size_t room = strlen(text) + 1;
	char *copy = malloc(room);
	if (copy)
		utf8_clean(copy, room, text);
	return copy;
}

int builder_add_note(struct builder *builder, const char *text)
{
	char **grown = realloc(builder->notes, (builder->n_notes + 1) * sizeof(*grown));
	if (!grown)
		return ERR_NOMEM;
	builder->notes = grown;
	grown[builder->n_notes] = clean_copy(text);
	if (!grown[builder->n_notes])
		return ERR_NOMEM;
	builder->n_notes++;
	return OK;
}

bool builder_has_samples(const struct builder *builder)
{
	return pprof_has_samples(builder->profile, builder->types);
}

bool builder_has_notes(const struct builder *builder)
{
	return builder->n_notes > 0;
}

const struct profile *builder_profile(const struct builder *builder)
{
	return builder->profile;
}

uint64_t builder_types(const struct builder *builder)
{
	return builder->types;
}

int builder_encode(struct builder *builder, pprof_sink write, void *context)
{
	struct pprof_meta meta = {
		.start_ns = profile_start_ns(builder->profile),
		.duration_ns = profile_duration_ns(builder->profile),
		.notes = (const char *const *)builder->notes,
		.n_notes = builder->n_notes,
		.types = builder->types,
	};
	return pprof_write(builder->profile, &meta, write, context);
}

int builder_keep(struct builder *builder, const char *name, void *data, size_t size)
{
	struct payload *grown = realloc(builder->payloads, (builder->n_payloads + 1) * sizeof(*grown));
	if (!grown) {
		free(data);
		return ERR_NOMEM;
	}
	builder->payloads = grown;
	grown[builder->n_payloads++] = (struct payload){.name = name, .data = data, .size = size};
	return OK;
}

struct payload *builder_payloads(struct builder *builder, size_t *n)
{
	*n = builder->n_payloads;
	return builder->payloads;
}

void builder_release_profile(struct builder *builder)
{
	builder->start_ns = builder_start_ns(builder);
	builder->end_ns = builder_end_ns(builder);
	builder->profile = NULL;
}

int64_t builder_start_ns(const struct builder *builder)
{
	return builder->profile ? profile_start_ns(builder->profile) : builder->start_ns;
}

int64_t builder_end_ns(const struct builder *builder)
{
	if (!builder->profile)
		return builder->end_ns;
	return profile_start_ns(builder->profile) + profile_duration_ns(builder->profile);
}

void builder_retry_after(struct builder *builder, int64_t ns)
{
	builder->retry_wish_ns = ns;
}

int64_t builder_retry_wish_ns(const struct builder *builder)
{
	return builder->retry_wish_ns;
}

void builder_sent(struct builder *builder, const char *target, uint64_t bytes)
{
	free(builder->target);
	builder->target = strdup(target);
	builder->bytes = bytes;
}

int builder_failed(struct builder *builder, int error, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(builder->error, sizeof(builder->error), format, arguments);
	va_end(arguments);
	return error;
}

const char *builder_target(const struct builder *builder)
{
	return builder->target ? builder->target : "";
}

uint64_t builder_bytes(const struct builder *builder)
{
	return builder->bytes;
}

const char *builder_error(const struct builder *builder)
{
	return builder->error;
}
