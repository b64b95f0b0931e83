/*
 * daemon/handlers_nodedev.c -- host devices: none is known yet, so lists are
 * empty and lookups find nothing.
 */
#include <libvirt/virterror.h>

#include "daemon/reply.h"

int handle_node_num_of_devices(struct call *call, const wire_optstr_flags *args,
			       wire_int *reply, struct error *err)
{
	return call_flags(call, args->flags, 0, err);
}

int handle_node_list_devices(struct call *call,
			     const wire_nodedev_list_args *args,
			     wire_nodedev_names *reply, struct error *err)
{
	return call_flags(call, args->flags, 0, err);
}

int handle_connect_list_all_node_devices(struct call *call,
					 const wire_list_args *args,
					 wire_nodedevs *reply,
					 struct error *err)
{
	return 0;
}

int handle_node_device_lookup_by_name(struct call *call, const wire_str *args,
				      wire_nodedev *reply, struct error *err)
{
	return error_virt(err, VIR_ERR_NO_NODE_DEVICE,
			  "no node device with matching name '%s'", *args);
}

int handle_node_device_lookup_scsi_host_by_wwn(struct call *call,
					       const wire_wwn_args *args,
					       wire_nodedev *reply,
					       struct error *err)
{
	return error_virt(err, VIR_ERR_NO_NODE_DEVICE,
			  "no node device with matching wwnn '%s' and wwpn "
			  "'%s'",
			  args->wwnn, args->wwpn);
}
