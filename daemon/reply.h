/*
 * daemon/reply.h -- putting things into replies: what most handlers share.
 */
#ifndef DAEMON_REPLY_H
#define DAEMON_REPLY_H

#include "daemon/dispatch.h"
#include "daemon/handlers-gen.h"

static inline const uint8_t *wire_uuid_of(const wire_dom *dom)
{
	return (const uint8_t *)dom->uuid;
}

void reply_dom(wire_dom *ret, const struct domain_ref *ref);

/* Typed parameters, in an array that grows; free with the reply. */
struct params {
	wire_param *val;
	unsigned int len, size;
};
void params_int(struct params *p, int value, const char *fmt, ...) PRINTF(3, 4);
void params_uint(struct params *p, unsigned int value, const char *fmt, ...)
	PRINTF(3, 4);
void params_llong(struct params *p, int64_t value, const char *fmt, ...)
	PRINTF(3, 4);
void params_ullong(struct params *p, uint64_t value, const char *fmt, ...)
	PRINTF(3, 4);
void params_bool(struct params *p, bool value, const char *fmt, ...)
	PRINTF(3, 4);
void params_string(struct params *p, const char *value, const char *fmt, ...)
	PRINTF(3, 4);
void params_free(struct params *p);

/* Of a job, as virDomainGetJobStats and its event have them. */
void reply_job(struct params *p, const struct domain_job *job);

/*
 * Typed-parameter getters are called twice: with nparams 0 they tell the
 * count, then they give at most nparams.  Takes over what p holds.
 */
void reply_params(struct params *p, int nparams, u_int *ret_len,
		  wire_param **ret_val, int *ret_nparams);

/* An argument that need not be there. */
static inline const char *opt(const wire_optstr s)
{
	return s ? *s : NULL;
}

/* The text of a lookup that found nothing: by uuid. */
int error_no_uuid(struct error *err, int code, const char *what,
		  const wire_uuid *uuid);

#endif
