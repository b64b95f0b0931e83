/*
 * daemon/handlers_domain.c -- domains: finding, defining, starting, stopping.
 *
 * A domain in the arguments is known by its uuid alone: name and id may be
 * old.
 */
#include <errno.h>
#include <string.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "daemon/reply.h"

/* ---- lists ---- */

static int count_domains(struct call *call, unsigned int flags, wire_int *reply,
			 struct error *err)
{
	_cleanup_free_ struct domain_ref *refs = NULL;
	int n = domain_list(call->reg, flags, &refs, err);

	*reply = MAX(n, 0);
	return n;
}

int handle_connect_num_of_domains(struct call *call, wire_int *reply,
				  struct error *err)
{
	return count_domains(call, VIR_CONNECT_LIST_DOMAINS_ACTIVE, reply, err);
}

int handle_connect_num_of_defined_domains(struct call *call, wire_int *reply,
					  struct error *err)
{
	return count_domains(call, VIR_CONNECT_LIST_DOMAINS_INACTIVE, reply,
			     err);
}

/* How many of n the client takes. */
static unsigned int clamp(int n, int max)
{
	return MIN(n, MAX(MIN(max, WIRE_LIST_MAX), 0));
}

int handle_connect_list_domains(struct call *call, const wire_int *args,
				wire_ids *reply, struct error *err)
{
	_cleanup_free_ struct domain_ref *refs = NULL;
	int n = domain_list(call->reg, VIR_CONNECT_LIST_DOMAINS_ACTIVE, &refs,
			    err);

	if (n < 0)
		return n;
	n = clamp(n, *args);
	reply->ids.ids_val = xcalloc(n + 1, sizeof(int));
	reply->ids.ids_len = n;
	for (int i = 0; i < n; i++)
		reply->ids.ids_val[i] = refs[i].id;
	return 0;
}

int handle_connect_list_defined_domains(struct call *call, const wire_int *args,
					wire_names *reply, struct error *err)
{
	_cleanup_free_ struct domain_ref *refs = NULL;
	int n = domain_list(call->reg, VIR_CONNECT_LIST_DOMAINS_INACTIVE, &refs,
			    err);

	if (n < 0)
		return n;
	n = clamp(n, *args);
	reply->names.names_val = xcalloc(n + 1, sizeof(char *));
	reply->names.names_len = n;
	for (int i = 0; i < n; i++)
		reply->names.names_val[i] = xstrdup(refs[i].name);
	return 0;
}

int handle_connect_list_all_domains(struct call *call,
				    const wire_list_args *args,
				    wire_domains *reply, struct error *err)
{
	_cleanup_free_ struct domain_ref *refs = NULL;
	int n = domain_list(call->reg, args->flags, &refs, err);

	if (n < 0)
		return n;
	reply->ret = n;
	if (!args->need_results)
		return 0;
	if (n > WIRE_LIST_MAX)
		return error_virt(err, VIR_ERR_RPC,
				  "Too many domains '%d' for limit '%d'", n,
				  WIRE_LIST_MAX);
	reply->domains.domains_val = xcalloc(n + 1, sizeof(wire_dom));
	reply->domains.domains_len = n;
	for (int i = 0; i < n; i++)
		reply_dom(&reply->domains.domains_val[i], &refs[i]);
	return 0;
}

/* ---- lookups ---- */

/* Ends every handler whose reply is a domain. */
static int reply_ref(int r, const struct domain_ref *ref, wire_dom *reply)
{
	if (r >= 0)
		reply_dom(reply, ref);
	return r;
}

int handle_domain_lookup_by_id(struct call *call, const wire_int *args,
			       wire_dom *reply, struct error *err)
{
	struct domain_ref ref;

	return reply_ref(domain_lookup_id(call->reg, *args, &ref, err), &ref,
			 reply);
}

int handle_domain_lookup_by_name(struct call *call, const wire_str *args,
				 wire_dom *reply, struct error *err)
{
	struct domain_ref ref;

	return reply_ref(domain_lookup_name(call->reg, *args, &ref, err), &ref,
			 reply);
}

int handle_domain_lookup_by_uuid(struct call *call, const wire_uuid *args,
				 wire_dom *reply, struct error *err)
{
	struct domain_ref ref;

	return reply_ref(domain_lookup_uuid(call->reg, (const uint8_t *)*args,
					    &ref, err),
			 &ref, reply);
}

/* ---- definitions ---- */

static int define(struct call *call, const char *xml, unsigned int flags,
		  wire_dom *reply, struct error *err)
{
	struct domain_ref ref;

	return reply_ref(domain_define(call->reg, xml, flags, &ref, err), &ref,
			 reply);
}

int handle_domain_define_xml(struct call *call, const wire_str *args,
			     wire_dom *reply, struct error *err)
{
	return define(call, *args, 0, reply, err);
}

int handle_domain_define_xml_flags(struct call *call,
				   const wire_str_flags *args, wire_dom *reply,
				   struct error *err)
{
	return define(call, args->str, args->flags, reply, err);
}

int handle_domain_undefine(struct call *call, const wire_dom *args,
			   struct error *err)
{
	return domain_undefine(call->reg, wire_uuid_of(args), 0, err);
}

int handle_domain_undefine_flags(struct call *call, const wire_dom_flags *args,
				 struct error *err)
{
	return domain_undefine(call->reg, wire_uuid_of(&args->dom), args->flags,
			       err);
}

int handle_domain_rename(struct call *call, const wire_dom_optstr_flags *args,
			 wire_int *reply, struct error *err)
{
	if (!args->str || !**args->str)
		return error_virt(err, VIR_ERR_INVALID_ARG, "%s",
				  "a domain's name must not be empty");
	return domain_rename(call->reg, wire_uuid_of(&args->dom), *args->str,
			     args->flags, err);
}

/* ---- starting ---- */

int handle_domain_create_xml(struct call *call, const wire_str_flags *args,
			     wire_dom *reply, struct error *err)
{
	struct domain_ref ref;
	int r = domain_create_xml(call->reg, args->str, args->flags,
				  call->session, &ref, err);

	return reply_ref(r, &ref, reply);
}

int handle_domain_create(struct call *call, const wire_dom *args,
			 struct error *err)
{
	return domain_create(call->reg, wire_uuid_of(args), 0, call->session,
			     err);
}

int handle_domain_create_with_flags(struct call *call,
				    const wire_dom_flags *args, wire_dom *reply,
				    struct error *err)
{
	const uint8_t *uuid = wire_uuid_of(&args->dom);
	struct domain_ref ref;
	int r = domain_create(call->reg, uuid, args->flags, call->session, err);

	if (r >= 0)
		r = domain_lookup_uuid(call->reg, uuid, &ref, err);
	return reply_ref(r, &ref, reply);
}

/* ---- stopping ---- */

int handle_domain_destroy(struct call *call, const wire_dom *args,
			  struct error *err)
{
	return domain_destroy(call->reg, wire_uuid_of(args), 0, err);
}

int handle_domain_destroy_flags(struct call *call, const wire_dom_flags *args,
				struct error *err)
{
	return domain_destroy(call->reg, wire_uuid_of(&args->dom), args->flags,
			      err);
}

int handle_domain_shutdown(struct call *call, const wire_dom *args,
			   struct error *err)
{
	return domain_shutdown(call->reg, wire_uuid_of(args), 0, err);
}

int handle_domain_shutdown_flags(struct call *call, const wire_dom_flags *args,
				 struct error *err)
{
	return domain_shutdown(call->reg, wire_uuid_of(&args->dom), args->flags,
			       err);
}

int handle_domain_reboot(struct call *call, const wire_dom_flags *args,
			 struct error *err)
{
	return domain_reboot(call->reg, wire_uuid_of(&args->dom), args->flags,
			     err);
}

int handle_domain_reset(struct call *call, const wire_dom_flags *args,
			struct error *err)
{
	return domain_reset(call->reg, wire_uuid_of(&args->dom), args->flags,
			    err);
}

int handle_domain_suspend(struct call *call, const wire_dom *args,
			  struct error *err)
{
	return domain_suspend(call->reg, wire_uuid_of(args), err);
}

int handle_domain_resume(struct call *call, const wire_dom *args,
			 struct error *err)
{
	return domain_resume(call->reg, wire_uuid_of(args), err);
}

int handle_domain_inject_nmi(struct call *call, const wire_dom_flags *args,
			     struct error *err)
{
	return domain_inject_nmi(call->reg, wire_uuid_of(&args->dom),
				 args->flags, err);
}

/* ---- changing ---- */

int handle_domain_set_autostart(struct call *call, const wire_dom_int *args,
				struct error *err)
{
	return domain_set_autostart(call->reg, wire_uuid_of(&args->dom),
				    args->value != 0, err);
}

/* Clients count memory in KiB. */
static int set_memory(struct call *call, const wire_dom *dom, uint64_t kib,
		      unsigned int flags, struct error *err)
{
	uint64_t bytes;

	if (ckd_mul(&bytes, kib, KIB))
		return error_virt(err, VIR_ERR_OVERFLOW,
				  "input too large: %llu",
				  (unsigned long long)kib);
	return domain_set_memory(call->reg, wire_uuid_of(dom), bytes, flags,
				 err);
}

int handle_domain_set_memory(struct call *call, const wire_dom_u64 *args,
			     struct error *err)
{
	return set_memory(call, &args->dom, args->value, VIR_DOMAIN_AFFECT_LIVE,
			  err);
}

int handle_domain_set_max_memory(struct call *call, const wire_dom_u64 *args,
				 struct error *err)
{
	return set_memory(call, &args->dom, args->value, VIR_DOMAIN_MEM_MAXIMUM,
			  err);
}

int handle_domain_set_memory_flags(struct call *call,
				   const wire_dom_u64_flags *args,
				   struct error *err)
{
	return set_memory(call, &args->dom, args->value, args->flags, err);
}

int handle_domain_set_memory_stats_period(
	struct call *call, const wire_stats_period_args *args,
	struct error *err)
{
	return domain_set_memory_stats_period(call->reg,
					      wire_uuid_of(&args->dom),
					      args->period, args->flags, err);
}

int handle_domain_set_metadata(struct call *call,
			       const wire_set_metadata_args *args,
			       struct error *err)
{
	return domain_set_metadata(call->reg, wire_uuid_of(&args->dom),
				   args->type, opt(args->metadata),
				   opt(args->key), opt(args->uri), args->flags,
				   err);
}

int handle_domain_get_metadata(struct call *call,
			       const wire_get_metadata_args *args,
			       wire_str *reply, struct error *err)
{
	*reply = domain_get_metadata(call->reg, wire_uuid_of(&args->dom),
				     args->type, opt(args->uri), args->flags,
				     err);
	return *reply ? 0 : -EINVAL;
}
