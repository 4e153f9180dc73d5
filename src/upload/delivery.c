/*
 * delivery.c - one table of what servers answer.
 */
#include <config.h>

#include "upload/delivery.h"

#include "runtime/error.h"

struct refusal {
	int status;
	const char *remedy;
};

/* What is not here and not worth another try ends with the last row. */
static const struct refusal refusals[] = {
	{400, "it could not read the profile: see whether agent and sneck are up to date"},
	{401, "it wants credentials, or others: check the key, token or user"},
	{403, "the key, token or user is wrong or of another site: check DD_API_KEY and DD_SITE, or the credentials"},
	{404, "it takes no profiles there: check the URL; an agent must be 7.20 or later"},
	{413, "the profile is too large for it: upload more often (DD_PROFILING_UPLOAD_INTERVAL)"},
	{422, "it does not take this profile"},
	{0, "check the URL"},
};

static const struct refusal *refusal_of(int status)
{
	const struct refusal *row = refusals;
	while (row->status && row->status != status)
		row++;
	return row;
}

static bool is_worth_another_try(int status)
{
	return status == 408 || status == 429 || (status >= 500 && status <= 599);
}

static int refused(struct builder *builder, const struct http_response *response, const char *target)
{
	bool says = *response->body != '\0';
	return builder_failed(builder, ERR_IO, "%s answered %d: %s%s%.120s%s", target, response->status,
			      refusal_of(response->status)->remedy, says ? DELIVERY_SAYS : "", response->body,
			      says ? ")" : "");
}

int delivery_judge(struct builder *builder, int error, const struct http_response *response, const char *target)
{
	builder_retry_after(builder, response->retry_after_ns);
	if (error == ERR_INVALID)
		return builder_failed(builder, error, "%s: a header has a control character", target);
	if (error == ERR_CANCELLED)		/* the end: there will be no other try */
		return builder_failed(builder, error, "%s: %s", target, response->error);
	if (error)
		return builder_failed(builder, ERR_AGAIN, "%s: %s", target, response->error);
	if (response->status >= 200 && response->status <= 299)
		return OK;
	if (is_worth_another_try(response->status))
		return builder_failed(builder, ERR_AGAIN, "%s answered %d", target, response->status);
	return refused(builder, response, target);
}
