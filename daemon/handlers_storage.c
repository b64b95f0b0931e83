/*
 * daemon/handlers_storage.c -- storage pools and volumes: none is managed yet,
 * so lists are empty and lookups find nothing.
 */
#include <libvirt/virterror.h>

#include "daemon/reply.h"

int handle_connect_num_of_storage_pools(struct call *call, wire_int *reply,
					struct error *err)
{
	return 0;
}

int handle_connect_num_of_defined_storage_pools(struct call *call,
						wire_int *reply,
						struct error *err)
{
	return 0;
}

int handle_connect_list_storage_pools(struct call *call, const wire_int *args,
				      wire_names *reply, struct error *err)
{
	return 0;
}

int handle_connect_list_defined_storage_pools(struct call *call,
					      const wire_int *args,
					      wire_names *reply,
					      struct error *err)
{
	return 0;
}

int handle_connect_list_all_storage_pools(struct call *call,
					  const wire_list_args *args,
					  wire_nameds *reply, struct error *err)
{
	return 0;
}

int handle_storage_pool_lookup_by_name(struct call *call, const wire_str *args,
				       wire_named *reply, struct error *err)
{
	return error_virt(err, VIR_ERR_NO_STORAGE_POOL,
			  "no storage pool with matching name '%s'", *args);
}

int handle_storage_pool_lookup_by_uuid(struct call *call, const wire_uuid *args,
				       wire_named *reply, struct error *err)
{
	return error_no_uuid(err, VIR_ERR_NO_STORAGE_POOL, "storage pool",
			     args);
}

int handle_storage_pool_lookup_by_volume(struct call *call,
					 const wire_vol *args,
					 wire_named *reply, struct error *err)
{
	return error_virt(err, VIR_ERR_NO_STORAGE_POOL,
			  "no storage pool with matching name '%s'",
			  args->pool);
}

int handle_storage_pool_lookup_by_target_path(struct call *call,
					      const wire_str *args,
					      wire_named *reply,
					      struct error *err)
{
	return error_virt(err, VIR_ERR_NO_STORAGE_POOL,
			  "no storage pool with matching target path '%s'",
			  *args);
}

int handle_storage_vol_lookup_by_key(struct call *call, const wire_str *args,
				     wire_vol *reply, struct error *err)
{
	return error_virt(err, VIR_ERR_NO_STORAGE_VOL,
			  "no storage vol with matching key %s", *args);
}

int handle_storage_vol_lookup_by_path(struct call *call, const wire_str *args,
				      wire_vol *reply, struct error *err)
{
	return error_virt(err, VIR_ERR_NO_STORAGE_VOL,
			  "no storage vol with matching path '%s'", *args);
}
