/*
 * daemon/handlers_nwfilter.c -- network filters: none is kept yet, so lists are
 * empty and lookups find nothing.
 */
#include <libvirt/virterror.h>

#include "daemon/reply.h"

int handle_connect_num_of_nwfilters(struct call *call, wire_int *reply,
				    struct error *err)
{
	return 0;
}

int handle_connect_list_nwfilters(struct call *call, const wire_int *args,
				  wire_names *reply, struct error *err)
{
	return 0;
}

int handle_connect_list_all_nwfilters(struct call *call,
				      const wire_list_args *args,
				      wire_nameds *reply, struct error *err)
{
	return 0;
}

int handle_connect_list_all_nwfilter_bindings(struct call *call,
					      const wire_list_args *args,
					      wire_bindings *reply,
					      struct error *err)
{
	return 0;
}

int handle_nwfilter_lookup_by_name(struct call *call, const wire_str *args,
				   wire_named *reply, struct error *err)
{
	return error_virt(err, VIR_ERR_NO_NWFILTER,
			  "no nwfilter with matching name '%s'", *args);
}

int handle_nwfilter_lookup_by_uuid(struct call *call, const wire_uuid *args,
				   wire_named *reply, struct error *err)
{
	return error_no_uuid(err, VIR_ERR_NO_NWFILTER, "nwfilter", args);
}

int handle_nwfilter_binding_lookup_by_port_dev(struct call *call,
					       const wire_str *args,
					       wire_binding *reply,
					       struct error *err)
{
	return error_virt(err, VIR_ERR_NO_NWFILTER_BINDING,
			  "no nwfilter binding for port dev '%s'", *args);
}
