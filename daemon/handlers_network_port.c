/*
 * daemon/handlers_network_port.c -- who is plugged into a virtual network.
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

static void reply_port(wire_port *ret, const wire_named *network,
		       const uint8_t uuid[UUID_LEN])
{
	ret->network.name = xstrdup(network->name);
	memcpy(ret->network.uuid, network->uuid, UUID_LEN);
	memcpy(ret->uuid, uuid, UUID_LEN);
}

static int get(struct call *call, const wire_port *port,
	       struct net_port **ret_port, struct error *err)
{
	return network_port_get(nets_of(call),
				(const uint8_t *)port->network.uuid,
				(const uint8_t *)port->uuid, ret_port, err);
}

int handle_network_list_all_ports(struct call *call,
				  const wire_named_list_args *args,
				  wire_ports *reply, struct error *err)
{
	_cleanup_free_ uint8_t (*uuids)[UUID_LEN] = NULL;
	int n = call_flags(call, args->flags, 0, err);

	if (n >= 0)
		n = network_ports(nets_of(call),
				  (const uint8_t *)args->obj.uuid, &uuids,
				  err);
	if (n > WIRE_LIST_MAX)
		n = error_virt(err, VIR_ERR_RPC, "too many ports: %d", n);
	if (n < 0)
		return n;
	reply->ret = n;
	if (!args->need_results)
		return 0;
	reply->ports.ports_val = xcalloc(n + 1, sizeof(wire_port));
	reply->ports.ports_len = n;
	for (int i = 0; i < n; i++)
		reply_port(&reply->ports.ports_val[i], &args->obj, uuids[i]);
	return 0;
}

int handle_network_port_lookup_by_uuid(struct call *call,
				       const wire_named_uuid *args,
				       wire_port *reply, struct error *err)
{
	struct net_port *port = NULL;
	int r = network_port_get(nets_of(call),
				 (const uint8_t *)args->network.uuid,
				 (const uint8_t *)args->uuid, &port, err);

	if (r >= 0)
		reply_port(reply, &args->network, port->uuid);
	net_port_free(port);
	return r;
}

int handle_network_port_create_xml(struct call *call,
				   const wire_named_str_flags *args,
				   wire_port *reply, struct error *err)
{
	struct net_port *port = NULL;
	int r = call_flags(call, args->flags, VIR_NETWORK_PORT_CREATE_RECLAIM,
			   err);

	if (r >= 0)
		r = network_port_create(nets_of(call),
					(const uint8_t *)args->obj.uuid,
					args->str, &port, err);
	if (r >= 0)
		reply_port(reply, &args->obj, port->uuid);
	net_port_free(port);
	return r;
}

int handle_network_port_get_xml_desc(struct call *call,
				     const wire_port_flags *args,
				     wire_str *reply, struct error *err)
{
	struct net_port *port = NULL;
	int r = call_flags(call, args->flags, 0, err);

	if (r >= 0)
		r = get(call, &args->port, &port, err);
	if (r >= 0)
		*reply = net_port_format(port);
	net_port_free(port);
	return r;
}

int handle_network_port_delete(struct call *call, const wire_port_flags *args,
			       struct error *err)
{
	int r = call_flags(call, args->flags, 0, err);

	return r < 0 ? r : network_port_delete(nets_of(call),
			(const uint8_t *)args->port.network.uuid,
			(const uint8_t *)args->port.uuid, err);
}
