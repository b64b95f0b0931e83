/*
 * daemon/handlers_network.c -- virtual networks.
 *
 * A network in the arguments is known by its uuid alone: its name may be old.
 */
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "daemon/networks.h"
#include "daemon/reply.h"

static struct networks *nets_of(const struct call *call)
{
	return registry_networks(call->reg);
}

static const uint8_t *uuid_of(const wire_named *net)
{
	return (const uint8_t *)net->uuid;
}

static void reply_net(wire_named *ret, const struct network_ref *ref)
{
	ret->name = xstrdup(ref->name);
	memcpy(ret->uuid, ref->uuid, UUID_LEN);
}

static int reply_ref(int r, const struct network_ref *ref, wire_named *reply)
{
	if (r >= 0)
		reply_net(reply, ref);
	return r;
}

/* ---- lists ---- */

static int count(struct call *call, unsigned int flags, wire_int *reply)
{
	_cleanup_free_ struct network_ref *refs = NULL;

	*reply = networks_list(nets_of(call), flags, &refs);
	return 0;
}

int handle_connect_num_of_networks(struct call *call, wire_int *reply,
				   struct error *err)
{
	return count(call, VIR_CONNECT_LIST_NETWORKS_ACTIVE, reply);
}

int handle_connect_num_of_defined_networks(struct call *call, wire_int *reply,
					   struct error *err)
{
	return count(call, VIR_CONNECT_LIST_NETWORKS_INACTIVE, reply);
}

static int names(struct call *call, unsigned int flags, int max,
		 wire_names *reply)
{
	_cleanup_free_ struct network_ref *refs = NULL;
	int n = networks_list(nets_of(call), flags, &refs);

	n = MIN(n, MAX(MIN(max, WIRE_LIST_MAX), 0));
	reply->names.names_val = xcalloc(n + 1, sizeof(char *));
	reply->names.names_len = n;
	for (int i = 0; i < n; i++)
		reply->names.names_val[i] = xstrdup(refs[i].name);
	return 0;
}

int handle_connect_list_networks(struct call *call, const wire_int *args,
				 wire_names *reply, struct error *err)
{
	return names(call, VIR_CONNECT_LIST_NETWORKS_ACTIVE, *args, reply);
}

int handle_connect_list_defined_networks(struct call *call,
					 const wire_int *args,
					 wire_names *reply, struct error *err)
{
	return names(call, VIR_CONNECT_LIST_NETWORKS_INACTIVE, *args, reply);
}

int handle_connect_list_all_networks(struct call *call,
				     const wire_list_args *args,
				     wire_nameds *reply, struct error *err)
{
	_cleanup_free_ struct network_ref *refs = NULL;
	int r = call_flags(call, args->flags, 0x3f, err);
	int n = r < 0 ? r : networks_list(nets_of(call), args->flags, &refs);

	if (n < 0)
		return n;
	reply->ret = n;
	if (!args->need_results)
		return 0;
	if (n > WIRE_LIST_MAX)
		return error_virt(err, VIR_ERR_RPC,
				  "Too many networks '%d' for limit '%d'", n,
				  WIRE_LIST_MAX);
	reply->objs.objs_val = xcalloc(n + 1, sizeof(wire_named));
	reply->objs.objs_len = n;
	for (int i = 0; i < n; i++)
		reply_net(&reply->objs.objs_val[i], &refs[i]);
	return 0;
}

/* ---- lookups and definitions ---- */

int handle_network_lookup_by_name(struct call *call, const wire_str *args,
				  wire_named *reply, struct error *err)
{
	struct network_ref ref;

	return reply_ref(network_by_name(nets_of(call), *args, &ref, err),
			 &ref, reply);
}

int handle_network_lookup_by_uuid(struct call *call, const wire_uuid *args,
				  wire_named *reply, struct error *err)
{
	struct network_ref ref;

	return reply_ref(network_by_uuid(nets_of(call),
					 (const uint8_t *)*args, &ref, err),
			 &ref, reply);
}

static int define(struct call *call, const char *xml, unsigned int flags,
		  wire_named *reply, struct error *err)
{
	struct network_ref ref;
	int r = call_flags(call, flags, VIR_NETWORK_DEFINE_VALIDATE, err);

	return r < 0 ? r : reply_ref(network_define(nets_of(call), xml, flags,
						    &ref, err),
				     &ref, reply);
}

int handle_network_define_xml(struct call *call, const wire_str *args,
			      wire_named *reply, struct error *err)
{
	return define(call, *args, 0, reply, err);
}

int handle_network_define_xml_flags(struct call *call,
				    const wire_str_flags *args,
				    wire_named *reply, struct error *err)
{
	return define(call, args->str, args->flags, reply, err);
}

static int create(struct call *call, const char *xml, unsigned int flags,
		  wire_named *reply, struct error *err)
{
	struct network_ref ref;
	int r = call_flags(call, flags, VIR_NETWORK_CREATE_VALIDATE, err);

	return r < 0 ? r : reply_ref(network_create_xml(nets_of(call), xml,
							flags, &ref, err),
				     &ref, reply);
}

int handle_network_create_xml(struct call *call, const wire_str *args,
			      wire_named *reply, struct error *err)
{
	return create(call, *args, 0, reply, err);
}

int handle_network_create_xml_flags(struct call *call,
				    const wire_str_flags *args,
				    wire_named *reply, struct error *err)
{
	return create(call, args->str, args->flags, reply, err);
}

int handle_network_undefine(struct call *call, const wire_named *args,
			    struct error *err)
{
	return network_undefine(nets_of(call), uuid_of(args), err);
}

int handle_network_get_xml_desc(struct call *call,
				const wire_named_flags *args, wire_str *reply,
				struct error *err)
{
	int r = call_flags(call, args->flags, VIR_NETWORK_XML_INACTIVE, err);

	return r < 0 ? r : network_xml(nets_of(call), uuid_of(&args->obj),
				       args->flags, reply, err);
}

int handle_network_update(struct call *call,
			  const wire_network_update_args *args,
			  struct error *err)
{
	int r = call_flags(call, args->flags,
			   VIR_NETWORK_UPDATE_AFFECT_LIVE |
				   VIR_NETWORK_UPDATE_AFFECT_CONFIG,
			   err);

	return r < 0 ? r : network_update(nets_of(call),
					  uuid_of(&args->network),
					  args->command, args->section,
					  args->index, args->xml, args->flags,
					  err);
}

/* ---- states ---- */

int handle_network_create(struct call *call, const wire_named *args,
			  struct error *err)
{
	return network_start(nets_of(call), uuid_of(args), err);
}

int handle_network_destroy(struct call *call, const wire_named *args,
			   struct error *err)
{
	return network_stop(nets_of(call), uuid_of(args), err);
}

int handle_network_is_active(struct call *call, const wire_named *args,
			     wire_int *reply, struct error *err)
{
	struct network_info info;
	int r = network_info(nets_of(call), uuid_of(args), &info, err);

	*reply = r >= 0 && info.active;
	return r;
}

int handle_network_is_persistent(struct call *call, const wire_named *args,
				 wire_int *reply, struct error *err)
{
	struct network_info info;
	int r = network_info(nets_of(call), uuid_of(args), &info, err);

	*reply = r >= 0 && info.persistent;
	return r;
}

int handle_network_get_autostart(struct call *call, const wire_named *args,
				 wire_int *reply, struct error *err)
{
	struct network_info info;
	int r = network_info(nets_of(call), uuid_of(args), &info, err);

	*reply = r >= 0 && info.autostart;
	return r;
}

int handle_network_set_autostart(struct call *call, const wire_named_int *args,
				 struct error *err)
{
	return network_set_autostart(nets_of(call), uuid_of(&args->obj),
				     args->value, err);
}

int handle_network_get_bridge_name(struct call *call, const wire_named *args,
				   wire_str *reply, struct error *err)
{
	struct network_info info;
	int r = network_info(nets_of(call), uuid_of(args), &info, err);

	if (r >= 0 && !info.bridge[0])
		r = error_virt(err, VIR_ERR_INTERNAL_ERROR,
			       "network '%s' does not have a bridge name.",
			       args->name);
	if (r >= 0)
		*reply = xstrdup(info.bridge);
	return r;
}

/* ---- leases ---- */

static wire_optstr optstr(const char *text)
{
	wire_optstr s = text ? xmalloc(sizeof(*s)) : NULL;

	if (s)
		*s = xstrdup(text);
	return s;
}

static void reply_lease(wire_lease *ret, const struct net_lease_entry *e,
			const char *bridge)
{
	*ret = (wire_lease){
		.iface = xstrdup(bridge),
		.expiry = e->expiry,
		.type = e->v6 ? VIR_IP_ADDR_TYPE_IPV6 : VIR_IP_ADDR_TYPE_IPV4,
		.mac = optstr(e->mac),
		.iaid = optstr(e->iaid),
		.ip = xstrdup(e->ip),
		.prefix = e->prefix,
		.hostname = optstr(e->hostname),
		.client_id = optstr(e->client_id),
	};
}

int handle_network_get_dhcp_leases(struct call *call,
				   const wire_leases_args *args,
				   wire_leases *reply, struct error *err)
{
	struct net_lease_entry *entries = NULL;
	struct network_info info;
	unsigned int all = 0;
	int n = call_flags(call, args->flags, 0, err);

	if (n >= 0)
		n = network_info(nets_of(call), uuid_of(&args->network), &info,
				 err);
	if (n >= 0)
		n = network_leases(nets_of(call), uuid_of(&args->network),
				   opt(args->mac), &entries, &all, err);
	if (n > WIRE_LEASES_MAX)
		n = error_virt(err, VIR_ERR_RPC, "too many leases: %d", n);
	reply->ret = MAX(n, 0);
	if (n >= 0 && args->need_results) {
		reply->leases.leases_val = xcalloc(n + 1, sizeof(wire_lease));
		reply->leases.leases_len = n;
		for (int i = 0; i < n; i++)
			reply_lease(&reply->leases.leases_val[i], &entries[i],
				    info.bridge);
	}
	leases_free(entries, all);
	return MIN(n, 0);
}
