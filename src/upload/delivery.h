/*
 * delivery.h - what the outcome of a POST means for a profile: arrived, later, or never.
 */
#ifndef SNECK_UPLOAD_DELIVERY_H
#define SNECK_UPLOAD_DELIVERY_H

#include "upload/builder.h"
#include "upload/http.h"

/* Before the server's own words in an error, which may be others each time. */
#define DELIVERY_SAYS " (it says: "

/*
 * OK for a 2xx; ERR_AGAIN for what another try may mend (429, 5xx, no answer); else ERR_IO.
 * On an error builder_failed and builder_retry_after are set; what cannot mend itself comes
 * with its remedy.  error: what http_post gave.  target: the server, without secrets.
 */
int delivery_judge(struct builder *builder, int error, const struct http_response *response, const char *target);

#endif
