/*
 * daemon/handlers_network.c -- networks: none is managed yet, so lists are
 * empty and lookups find nothing.
 */
#include <libvirt/virterror.h>

#include "daemon/reply.h"

int handle_connect_num_of_networks(struct call *call, wire_int *reply,
				   struct error *err)
{
	return 0;
}

int handle_connect_num_of_defined_networks(struct call *call, wire_int *reply,
					   struct error *err)
{
	return 0;
}

int handle_connect_list_networks(struct call *call, const wire_int *args,
				 wire_names *reply, struct error *err)
{
	return 0;
}

int handle_connect_list_defined_networks(struct call *call,
					 const wire_int *args,
					 wire_names *reply, struct error *err)
{
	return 0;
}

int handle_connect_list_all_networks(struct call *call,
				     const wire_list_args *args,
				     wire_nameds *reply, struct error *err)
{
	return 0;
}

int handle_network_lookup_by_name(struct call *call, const wire_str *args,
				  wire_named *reply, struct error *err)
{
	return error_virt(err, VIR_ERR_NO_NETWORK,
			  "no network with matching name '%s'", *args);
}

int handle_network_lookup_by_uuid(struct call *call, const wire_uuid *args,
				  wire_named *reply, struct error *err)
{
	return error_no_uuid(err, VIR_ERR_NO_NETWORK, "network", args);
}
