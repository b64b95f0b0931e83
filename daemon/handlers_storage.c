/*
 * daemon/handlers_storage.c -- storage pools; volumes are in
 * handlers_volume.c.
 */
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "daemon/pools.h"
#include "daemon/reply.h"

static const uint8_t *uuid_of(const wire_named *pool)
{
	return (const uint8_t *)pool->uuid;
}

/* Takes over what the reference holds. */
static void reply_pool(wire_named *ret, struct pool_ref *ref)
{
	memcpy(ret->uuid, ref->uuid, UUID_LEN);
	ret->name = steal_ptr(&ref->name);
}

static void free_refs(struct pool_ref *refs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		pool_ref_finish(&refs[i]);
	free(refs);
}

/* ---- lists ---- */

static int count(struct call *call, unsigned int flags, wire_int *reply,
		 struct error *err)
{
	struct pool_ref *refs;
	unsigned int n;
	int r = pools_list(call->reg, flags, &refs, &n, err);

	if (r < 0)
		return r;
	*reply = n;
	free_refs(refs, n);
	return 0;
}

static int list(struct call *call, unsigned int flags, int max,
		wire_names *reply, struct error *err)
{
	struct pool_ref *refs;
	unsigned int n, room = MAX(max, 0);
	int r = pools_list(call->reg, flags, &refs, &n, err);

	if (r < 0)
		return r;
	reply->names.names_val = xcalloc(n + 1, sizeof(wire_str));
	reply->names.names_len = MIN(n, room);
	for (unsigned int i = 0; i < MIN(n, room); i++)
		reply->names.names_val[i] = steal_ptr(&refs[i].name);
	free_refs(refs, n);
	return 0;
}

int handle_connect_num_of_storage_pools(struct call *call, wire_int *reply,
					struct error *err)
{
	return count(call, VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE, reply, err);
}

int handle_connect_num_of_defined_storage_pools(struct call *call,
						wire_int *reply,
						struct error *err)
{
	return count(call, VIR_CONNECT_LIST_STORAGE_POOLS_INACTIVE, reply,
		     err);
}

int handle_connect_list_storage_pools(struct call *call, const wire_int *args,
				      wire_names *reply, struct error *err)
{
	return list(call, VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE, *args, reply,
		    err);
}

int handle_connect_list_defined_storage_pools(struct call *call,
					      const wire_int *args,
					      wire_names *reply,
					      struct error *err)
{
	return list(call, VIR_CONNECT_LIST_STORAGE_POOLS_INACTIVE, *args,
		    reply, err);
}

int handle_connect_list_all_storage_pools(struct call *call,
					  const wire_list_args *args,
					  wire_nameds *reply, struct error *err)
{
	struct pool_ref *refs;
	unsigned int n;
	int r = pools_list(call->reg, args->flags, &refs, &n, err);

	if (r < 0)
		return r;
	reply->ret = n;
	if (args->need_results) {
		reply->objs.objs_val = xcalloc(n + 1, sizeof(wire_named));
		reply->objs.objs_len = n;
		for (unsigned int i = 0; i < n; i++)
			reply_pool(&reply->objs.objs_val[i], &refs[i]);
	}
	free_refs(refs, n);
	return 0;
}

/* ---- look-ups ---- */

int handle_storage_pool_lookup_by_name(struct call *call, const wire_str *args,
				       wire_named *reply, struct error *err)
{
	struct pool_ref ref;
	int r = pool_lookup(call->reg, POOL_BY_NAME, *args, &ref, err);

	if (r == 0)
		reply_pool(reply, &ref);
	return r;
}

int handle_storage_pool_lookup_by_uuid(struct call *call, const wire_uuid *args,
				       wire_named *reply, struct error *err)
{
	struct pool_ref ref;
	int r = pool_lookup_uuid(call->reg, (const uint8_t *)*args, &ref, err);

	if (r == 0)
		reply_pool(reply, &ref);
	return r;
}

int handle_storage_pool_lookup_by_volume(struct call *call,
					 const wire_vol *args,
					 wire_named *reply, struct error *err)
{
	struct pool_ref ref;
	int r = pool_lookup(call->reg, POOL_BY_NAME, args->pool, &ref, err);

	if (r == 0)
		reply_pool(reply, &ref);
	return r;
}

int handle_storage_pool_lookup_by_target_path(struct call *call,
					      const wire_str *args,
					      wire_named *reply,
					      struct error *err)
{
	struct pool_ref ref;
	int r = pool_lookup(call->reg, POOL_BY_PATH, *args, &ref, err);

	if (r == 0)
		reply_pool(reply, &ref);
	return r;
}

/* ---- what is asked of one ---- */

int handle_storage_pool_get_info(struct call *call, const wire_named *args,
				 wire_pool_info *reply, struct error *err)
{
	struct pool_info info;
	int r = pool_get_info(call->reg, uuid_of(args), &info, err);

	if (r == 0)
		*reply = (wire_pool_info){ info.state, info.capacity,
					   info.allocation, info.available };
	return r;
}

int handle_storage_pool_get_xml_desc(struct call *call,
				     const wire_named_flags *args,
				     wire_str *reply, struct error *err)
{
	int r = call_flags(call, args->flags, VIR_STORAGE_XML_INACTIVE, err);

	if (r < 0)
		return r;
	*reply = pool_get_xml(call->reg, uuid_of(&args->obj), args->flags,
			      err);
	return *reply ? 0 : err->errnum;
}

int handle_storage_pool_get_autostart(struct call *call,
				      const wire_named *args, wire_int *reply,
				      struct error *err)
{
	struct pool_info info;
	int r = pool_get_info(call->reg, uuid_of(args), &info, err);

	if (r == 0)
		*reply = info.autostart;
	return r;
}

int handle_storage_pool_is_active(struct call *call, const wire_named *args,
				  wire_int *reply, struct error *err)
{
	struct pool_info info;
	int r = pool_get_info(call->reg, uuid_of(args), &info, err);

	if (r == 0)
		*reply = info.active;
	return r;
}

int handle_storage_pool_is_persistent(struct call *call,
				      const wire_named *args, wire_int *reply,
				      struct error *err)
{
	struct pool_info info;
	int r = pool_get_info(call->reg, uuid_of(args), &info, err);

	if (r == 0)
		*reply = info.persistent;
	return r;
}

/* ---- changes ---- */

enum { BUILD_FLAGS = VIR_STORAGE_POOL_BUILD_OVERWRITE |
		     VIR_STORAGE_POOL_BUILD_NO_OVERWRITE,
       CREATE_OVERWRITE = VIR_STORAGE_POOL_CREATE_WITH_BUILD_OVERWRITE,
       CREATE_NO_OVERWRITE = VIR_STORAGE_POOL_CREATE_WITH_BUILD_NO_OVERWRITE,
       CREATE_FLAGS = VIR_STORAGE_POOL_CREATE_WITH_BUILD |
		      CREATE_OVERWRITE | CREATE_NO_OVERWRITE };

/* Two flags that exclude each other. */
static int exclusive(unsigned int flags, unsigned int one, unsigned int other,
		     struct error *err)
{
	return (flags & one) && (flags & other) ?
		       error_virt(err, VIR_ERR_INVALID_ARG,
				  "flags to overwrite and not to overwrite "
				  "are mutually exclusive") :
		       0;
}

static int check_create(struct call *call, unsigned int flags,
			struct error *err)
{
	int r = call_flags(call, flags, CREATE_FLAGS, err);

	return r < 0 ? r : exclusive(flags, CREATE_OVERWRITE,
				     CREATE_NO_OVERWRITE, err);
}

int handle_storage_pool_create_xml(struct call *call,
				   const wire_str_flags *args,
				   wire_named *reply, struct error *err)
{
	struct pool_ref ref;
	int r = check_create(call, args->flags, err);

	if (r == 0)
		r = pool_define(call->reg, args->str, true, args->flags, &ref,
				err);
	if (r == 0)
		reply_pool(reply, &ref);
	return r;
}

int handle_storage_pool_define_xml(struct call *call,
				   const wire_str_flags *args,
				   wire_named *reply, struct error *err)
{
	struct pool_ref ref;
	int r = call_flags(call, args->flags, VIR_STORAGE_POOL_DEFINE_VALIDATE,
			   err);

	if (r == 0)
		r = pool_define(call->reg, args->str, false, args->flags, &ref,
				err);
	if (r == 0)
		reply_pool(reply, &ref);
	return r;
}

int handle_storage_pool_create(struct call *call, const wire_named_flags *args,
			       struct error *err)
{
	int r = check_create(call, args->flags, err);

	return r < 0 ? r : pool_do(call->reg, uuid_of(&args->obj), POOL_START,
				   args->flags, err);
}

int handle_storage_pool_build(struct call *call, const wire_named_flags *args,
			      struct error *err)
{
	int r = call_flags(call, args->flags, BUILD_FLAGS, err);

	if (r == 0)
		r = exclusive(args->flags, VIR_STORAGE_POOL_BUILD_OVERWRITE,
			      VIR_STORAGE_POOL_BUILD_NO_OVERWRITE, err);
	return r < 0 ? r : pool_do(call->reg, uuid_of(&args->obj), POOL_BUILD,
				   args->flags, err);
}

int handle_storage_pool_destroy(struct call *call, const wire_named *args,
				struct error *err)
{
	return pool_do(call->reg, uuid_of(args), POOL_STOP, 0, err);
}

int handle_storage_pool_delete(struct call *call, const wire_named_flags *args,
			       struct error *err)
{
	int r = call_flags(call, args->flags, 0, err);

	return r < 0 ? r : pool_do(call->reg, uuid_of(&args->obj), POOL_DELETE,
				   0, err);
}

int handle_storage_pool_undefine(struct call *call, const wire_named *args,
				 struct error *err)
{
	return pool_do(call->reg, uuid_of(args), POOL_UNDEFINE, 0, err);
}

int handle_storage_pool_refresh(struct call *call,
				const wire_named_flags *args,
				struct error *err)
{
	int r = call_flags(call, args->flags, 0, err);

	return r < 0 ? r : pool_do(call->reg, uuid_of(&args->obj),
				   POOL_REFRESH, 0, err);
}

int handle_storage_pool_set_autostart(struct call *call,
				      const wire_named_int *args,
				      struct error *err)
{
	return pool_set_autostart(call->reg, uuid_of(&args->obj), args->value,
				  err);
}

/* ---- the host ---- */

int handle_connect_find_storage_pool_sources(
	struct call *call, const wire_str_optstr_flags *args, wire_str *reply,
	struct error *err)
{
	int r = call_flags(call, args->flags, 0, err);

	if (r < 0)
		return r;
	*reply = pool_find_sources(call->reg, args->str, opt(args->other),
				   err);
	return *reply ? 0 : err->errnum;
}

int handle_connect_get_storage_pool_capabilities(struct call *call,
						 const wire_int *args,
						 wire_str *reply,
						 struct error *err)
{
	int r = call_flags(call, *args, 0, err);

	if (r == 0)
		*reply = pool_capabilities(call->reg);
	return r;
}
