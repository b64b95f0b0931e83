/*
 * daemon/handlers_interface.c -- the host's interfaces: none is managed, so
 * lists are empty and lookups find nothing.
 */
#include <libvirt/virterror.h>

#include "daemon/reply.h"

int handle_connect_num_of_interfaces(struct call *call, wire_int *reply,
				     struct error *err)
{
	return 0;
}

int handle_connect_num_of_defined_interfaces(struct call *call, wire_int *reply,
					     struct error *err)
{
	return 0;
}

int handle_connect_list_interfaces(struct call *call, const wire_int *args,
				   wire_names *reply, struct error *err)
{
	return 0;
}

int handle_connect_list_defined_interfaces(struct call *call,
					   const wire_int *args,
					   wire_names *reply, struct error *err)
{
	return 0;
}

int handle_connect_list_all_interfaces(struct call *call,
				       const wire_list_args *args,
				       wire_ifaces *reply, struct error *err)
{
	return 0;
}

int handle_interface_lookup_by_name(struct call *call, const wire_str *args,
				    wire_iface *reply, struct error *err)
{
	return error_virt(err, VIR_ERR_NO_INTERFACE,
			  "couldn't find interface named '%s'", *args);
}

int handle_interface_lookup_by_mac_string(struct call *call,
					  const wire_str *args,
					  wire_iface *reply, struct error *err)
{
	return error_virt(err, VIR_ERR_NO_INTERFACE,
			  "couldn't find interface with MAC address '%s'",
			  *args);
}
