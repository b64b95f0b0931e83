/*
 * daemon/handlers_secret.c -- secrets.
 */
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "daemon/reply.h"
#include "daemon/secrets.h"

/* Takes over what the reference holds. */
static void reply_secret(wire_secret *ret, struct secret_ref *ref)
{
	memcpy(ret->uuid, ref->uuid, UUID_LEN);
	ret->usage_type = ref->usage;
	ret->usage_id = steal_ptr(&ref->usage_id);
}

static const uint8_t *uuid_of(const wire_secret *secret)
{
	return (const uint8_t *)secret->uuid;
}

static void free_refs(struct secret_ref *refs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		secret_ref_finish(&refs[i]);
	free(refs);
}

int handle_connect_num_of_secrets(struct call *call, wire_int *reply,
				  struct error *err)
{
	struct secret_ref *refs;
	unsigned int n;
	int r = secrets_list(call->reg, 0, &refs, &n, err);

	if (r < 0)
		return r;
	*reply = n;
	free_refs(refs, n);
	return 0;
}

/* Names are uuids. */
int handle_connect_list_secrets(struct call *call, const wire_int *args,
				wire_names *reply, struct error *err)
{
	struct secret_ref *refs;
	unsigned int n, max = MAX(*args, 0);
	int r = secrets_list(call->reg, 0, &refs, &n, err);

	if (r < 0)
		return r;
	reply->names.names_val = xcalloc(n + 1, sizeof(wire_str));
	reply->names.names_len = MIN(n, max);
	for (unsigned int i = 0; i < MIN(n, max); i++) {
		char *text = xmalloc(UUID_STR_LEN);

		uuid_format(refs[i].uuid, text);
		reply->names.names_val[i] = text;
	}
	free_refs(refs, n);
	return 0;
}

int handle_connect_list_all_secrets(struct call *call,
				    const wire_list_args *args,
				    wire_secrets *reply, struct error *err)
{
	struct secret_ref *refs;
	unsigned int n;
	int r = secrets_list(call->reg, args->flags, &refs, &n, err);

	if (r < 0)
		return r;
	reply->ret = n;
	if (args->need_results) {
		reply->secrets.secrets_val =
			xcalloc(n + 1, sizeof(wire_secret));
		reply->secrets.secrets_len = n;
		for (unsigned int i = 0; i < n; i++)
			reply_secret(&reply->secrets.secrets_val[i],
				     &refs[i]);
	}
	free_refs(refs, n);
	return 0;
}

int handle_secret_lookup_by_uuid(struct call *call, const wire_uuid *args,
				 wire_secret *reply, struct error *err)
{
	struct secret_ref ref;
	int r = secret_lookup_uuid(call->reg, (const uint8_t *)*args, &ref,
				   err);

	if (r == 0)
		reply_secret(reply, &ref);
	return r;
}

int handle_secret_lookup_by_usage(struct call *call,
				  const wire_secret_usage *args,
				  wire_secret *reply, struct error *err)
{
	struct secret_ref ref;
	int r = secret_lookup_usage(call->reg, args->type, args->id, &ref,
				    err);

	if (r == 0)
		reply_secret(reply, &ref);
	return r;
}

int handle_secret_define_xml(struct call *call, const wire_str_flags *args,
			     wire_secret *reply, struct error *err)
{
	struct secret_ref ref;
	int r = call_flags(call, args->flags, VIR_SECRET_DEFINE_VALIDATE, err);

	if (r == 0)
		r = secret_define(call->reg, args->str, args->flags, &ref,
				  err);
	if (r == 0)
		reply_secret(reply, &ref);
	return r;
}

int handle_secret_get_xml_desc(struct call *call,
			       const wire_secret_flags *args, wire_str *reply,
			       struct error *err)
{
	int r = call_flags(call, args->flags, 0, err);

	if (r < 0)
		return r;
	*reply = secret_get_xml(call->reg, uuid_of(&args->secret), err);
	return *reply ? 0 : err->errnum;
}

int handle_secret_set_value(struct call *call,
			    const wire_secret_set_args *args,
			    struct error *err)
{
	int r = call_flags(call, args->flags, 0, err);

	return r < 0 ? r :
		       secret_set_value(call->reg, uuid_of(&args->secret),
					args->value.value_val,
					args->value.value_len, err);
}

int handle_secret_get_value(struct call *call, const wire_secret_flags *args,
			    wire_secret_value *reply, struct error *err)
{
	void *value;
	size_t len;
	int r = call_flags(call, args->flags, 0, err);

	if (r == 0)
		r = secret_get_value(call->reg, uuid_of(&args->secret), true,
				     &value, &len, err);
	if (r < 0)
		return r;
	reply->value.value_val = value;
	reply->value.value_len = len;
	return 0;
}

int handle_secret_undefine(struct call *call, const wire_secret *args,
			   struct error *err)
{
	return secret_undefine(call->reg, uuid_of(args), err);
}
