/*
 * daemon/reply.c -- putting things into replies.
 */
#include <stdarg.h>
#include <string.h>

#include <libvirt/libvirt.h>

#include "daemon/reply.h"

void reply_dom(wire_dom *ret, const struct domain_ref *ref)
{
	ret->name = xstrdup(ref->name);
	memcpy(ret->uuid, ref->uuid, UUID_LEN);
	ret->id = ref->id;
}

static wire_value *params_add(struct params *p, int type, const char *fmt,
			      va_list ap)
{
	wire_param *param;
	char field[VIR_TYPED_PARAM_FIELD_LENGTH];

	if (p->len == p->size) {
		p->size = p->size ? 2 * p->size : 16;
		p->val = xrealloc(p->val, p->size, sizeof(*p->val));
	}
	param = &p->val[p->len++];
	vsnprintf(field, sizeof(field), fmt, ap);
	param->field = xstrdup(field);
	param->value.type = type;
	return &param->value;
}

#define PARAMS_ADD(tag, member)                                           \
	do {                                                              \
		va_list ap;                                               \
		va_start(ap, fmt);                                        \
		params_add(p, tag, fmt, ap)->wire_value_u.member = value; \
		va_end(ap);                                               \
	} while (0)

void params_int(struct params *p, int value, const char *fmt, ...)
{
	PARAMS_ADD(VIR_TYPED_PARAM_INT, i);
}

void params_uint(struct params *p, unsigned int value, const char *fmt, ...)
{
	PARAMS_ADD(VIR_TYPED_PARAM_UINT, ui);
}

void params_llong(struct params *p, int64_t value, const char *fmt, ...)
{
	PARAMS_ADD(VIR_TYPED_PARAM_LLONG, l);
}

void params_ullong(struct params *p, uint64_t value, const char *fmt, ...)
{
	PARAMS_ADD(VIR_TYPED_PARAM_ULLONG, ul);
}

void params_bool(struct params *p, bool value, const char *fmt, ...)
{
	PARAMS_ADD(VIR_TYPED_PARAM_BOOLEAN, b);
}

void params_string(struct params *p, const char *text, const char *fmt, ...)
{
	char *value = xstrdup(text);

	PARAMS_ADD(VIR_TYPED_PARAM_STRING, s);
}

static void param_finish(wire_param *param)
{
	body_free((xdrproc_t)xdr_wire_param, param);
}

void params_free(struct params *p)
{
	for (unsigned int i = 0; i < p->len; i++)
		param_finish(&p->val[i]);
	free(p->val);
	*p = (struct params){ 0 };
}

void reply_params(struct params *p, int nparams, u_int *ret_len,
		  wire_param **ret_val, int *ret_nparams)
{
	if (nparams <= 0) {
		*ret_nparams = p->len;
		params_free(p);
		return;
	}
	while (p->len > (unsigned int)nparams)
		param_finish(&p->val[--p->len]);
	*ret_len = p->len;
	*ret_val = p->val;
	*ret_nparams = p->len;
	*p = (struct params){ 0 };
}

int error_no_uuid(struct error *err, int code, const char *what,
		  const wire_uuid *uuid)
{
	char text[UUID_STR_LEN];

	uuid_format((const uint8_t *)*uuid, text);
	return error_virt(err, code, "no %s with matching uuid '%s'", what,
			  text);
}
