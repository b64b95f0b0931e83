/*
 * daemon/handlers_nodedev.c -- node devices: the host's PCI functions.
 */
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "daemon/reply.h"

/* ---- lists ---- */

static void names_free(char **names, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

int handle_node_num_of_devices(struct call *call, const wire_optstr_flags *args,
			       wire_int *reply, struct error *err)
{
	char **names;
	unsigned int n;
	int r = call_flags(call, args->flags, 0, err);

	if (r >= 0)
		r = nodedev_list(call->reg, opt(args->str), &names, &n, err);
	if (r < 0)
		return r;
	*reply = (int)n;
	names_free(names, n);
	return 0;
}

int handle_node_list_devices(struct call *call,
			     const wire_nodedev_list_args *args,
			     wire_nodedev_names *reply, struct error *err)
{
	unsigned int n, take;
	char **names;
	int r = call_flags(call, args->flags, 0, err);

	if (r >= 0)
		r = nodedev_list(call->reg, opt(args->cap), &names, &n, err);
	if (r < 0)
		return r;
	take = MIN(n, (unsigned int)MAX(args->max, 0));
	reply->names.names_val = xcalloc(take, sizeof(wire_str));
	reply->names.names_len = take;
	for (unsigned int i = 0; i < take; i++)
		reply->names.names_val[i] = xstrdup(names[i]);
	names_free(names, n);
	return 0;
}

enum {
	ALL_CAPS = VIR_CONNECT_LIST_NODE_DEVICES_CAP_VPD * 2 - 1,
	LIST_FLAGS = ALL_CAPS | VIR_CONNECT_LIST_NODE_DEVICES_INACTIVE,
};

/* All there are run, and are on PCI. */
static bool is_wanted(unsigned int flags)
{
	if ((flags & VIR_CONNECT_LIST_NODE_DEVICES_INACTIVE) &&
	    !(flags & VIR_CONNECT_LIST_NODE_DEVICES_ACTIVE))
		return false;
	return !(flags & ALL_CAPS) ||
	       (flags & VIR_CONNECT_LIST_NODE_DEVICES_CAP_PCI_DEV);
}

int handle_connect_list_all_node_devices(struct call *call,
					 const wire_list_args *args,
					 wire_nodedevs *reply,
					 struct error *err)
{
	char **names = NULL;
	unsigned int n = 0;
	int r = call_flags(call, args->flags,
			   LIST_FLAGS | VIR_CONNECT_LIST_NODE_DEVICES_ACTIVE,
			   err);

	if (r >= 0 && is_wanted(args->flags))
		r = nodedev_list(call->reg, NULL, &names, &n, err);
	if (r < 0)
		return r;
	reply->ret = n;
	if (args->need_results) {
		reply->devs.devs_val = xcalloc(n, sizeof(wire_nodedev));
		reply->devs.devs_len = n;
		for (unsigned int i = 0; i < n; i++)
			reply->devs.devs_val[i].name = xstrdup(names[i]);
	}
	names_free(names, n);
	return 0;
}

/* ---- one ---- */

int handle_node_device_lookup_by_name(struct call *call, const wire_str *args,
				      wire_nodedev *reply, struct error *err)
{
	int r = nodedev_check(call->reg, *args, err);

	if (r >= 0)
		reply->name = xstrdup(*args);
	return r;
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

int handle_node_device_get_xml_desc(struct call *call,
				    const wire_str_flags *args,
				    wire_str *reply, struct error *err)
{
	int r = call_flags(call, args->flags, 0, err);

	if (r < 0)
		return r;
	*reply = nodedev_xml(call->reg, args->str, err);
	return *reply ? 0 : err->errnum;
}

int handle_node_device_get_parent(struct call *call, const wire_str *args,
				  wire_optstr *reply, struct error *err)
{
	char *parent = nodedev_parent(call->reg, *args, err);

	if (!parent)
		return err->errnum;
	*reply = xcalloc(1, sizeof(**reply));
	**reply = parent;
	return 0;
}

int handle_node_device_num_of_caps(struct call *call, const wire_str *args,
				   wire_int *reply, struct error *err)
{
	*reply = 1;
	return nodedev_check(call->reg, *args, err);
}

int handle_node_device_list_caps(struct call *call,
				 const wire_nodedev_caps_args *args,
				 wire_nodedev_names *reply, struct error *err)
{
	int r = nodedev_check(call->reg, args->name, err);

	if (r < 0 || args->max < 1)
		return r;
	reply->names.names_val = xcalloc(1, sizeof(wire_str));
	reply->names.names_len = 1;
	reply->names.names_val[0] = xstrdup("pci");
	return 0;
}

int handle_node_device_is_active(struct call *call, const wire_str *args,
				 wire_int *reply, struct error *err)
{
	*reply = 1;
	return nodedev_check(call->reg, *args, err);
}

int handle_node_device_is_persistent(struct call *call, const wire_str *args,
				     wire_int *reply, struct error *err)
{
	*reply = 1;
	return nodedev_check(call->reg, *args, err);
}

/* ---- from the host and back ---- */

int handle_node_device_dettach(struct call *call, const wire_str *args,
			       struct error *err)
{
	return nodedev_detach(call->reg, *args, NULL, err);
}

int handle_node_device_detach_flags(struct call *call,
				    const wire_nodedev_detach_args *args,
				    struct error *err)
{
	int r = call_flags(call, args->flags, 0, err);

	return r < 0 ? r :
		       nodedev_detach(call->reg, args->name,
				      opt(args->driver), err);
}

int handle_node_device_re_attach(struct call *call, const wire_str *args,
				 struct error *err)
{
	return nodedev_reattach(call->reg, *args, err);
}

int handle_node_device_reset(struct call *call, const wire_str *args,
			     struct error *err)
{
	return nodedev_reset(call->reg, *args, err);
}
