/*
 * daemon/handlers_secret.c -- secrets: none is kept yet, so lists are empty and
 * lookups find nothing.
 */
#include <libvirt/virterror.h>

#include "daemon/reply.h"

int handle_connect_num_of_secrets(struct call *call, wire_int *reply,
				  struct error *err)
{
	return 0;
}

int handle_connect_list_secrets(struct call *call, const wire_int *args,
				wire_names *reply, struct error *err)
{
	return 0;
}

int handle_connect_list_all_secrets(struct call *call,
				    const wire_list_args *args,
				    wire_secrets *reply, struct error *err)
{
	return 0;
}

int handle_secret_lookup_by_uuid(struct call *call, const wire_uuid *args,
				 wire_secret *reply, struct error *err)
{
	return error_no_uuid(err, VIR_ERR_NO_SECRET, "secret", args);
}

int handle_secret_lookup_by_usage(struct call *call,
				  const wire_secret_usage *args,
				  wire_secret *reply, struct error *err)
{
	return error_virt(err, VIR_ERR_NO_SECRET,
			  "no secret with matching usage '%s'", args->id);
}
