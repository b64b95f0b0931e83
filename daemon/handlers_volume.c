/*
 * daemon/handlers_volume.c -- the volumes of storage pools.
 */
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "daemon/pools.h"
#include "daemon/reply.h"

static const uint8_t *uuid_of(const wire_named *pool)
{
	return (const uint8_t *)pool->uuid;
}

static struct vol_name name_of(const wire_vol *vol)
{
	return (struct vol_name){ vol->pool, vol->name };
}

/* Takes over what the reference holds. */
static void reply_vol(wire_vol *ret, struct vol_ref *ref)
{
	ret->pool = steal_ptr(&ref->pool);
	ret->name = steal_ptr(&ref->name);
	ret->key = steal_ptr(&ref->key);
}

static void free_refs(struct vol_ref *refs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		vol_ref_finish(&refs[i]);
	free(refs);
}

/* ---- lists and look-ups ---- */

int handle_storage_pool_num_of_volumes(struct call *call,
				       const wire_named *args, wire_int *reply,
				       struct error *err)
{
	struct vol_ref *refs;
	unsigned int n;
	int r = vols_list(call->reg, uuid_of(args), &refs, &n, err);

	if (r < 0)
		return r;
	*reply = n;
	free_refs(refs, n);
	return 0;
}

int handle_storage_pool_list_volumes(struct call *call,
				     const wire_named_int *args,
				     wire_names *reply, struct error *err)
{
	struct vol_ref *refs;
	unsigned int n, room = MAX(args->value, 0);
	int r = vols_list(call->reg, uuid_of(&args->obj), &refs, &n, err);

	if (r < 0)
		return r;
	reply->names.names_val = xcalloc(n + 1, sizeof(wire_str));
	reply->names.names_len = MIN(n, room);
	for (unsigned int i = 0; i < MIN(n, room); i++)
		reply->names.names_val[i] = steal_ptr(&refs[i].name);
	free_refs(refs, n);
	return 0;
}

int handle_storage_pool_list_all_volumes(struct call *call,
					 const wire_named_list_args *args,
					 wire_vols *reply, struct error *err)
{
	struct vol_ref *refs;
	unsigned int n;
	int r = call_flags(call, args->flags, 0, err);

	if (r == 0)
		r = vols_list(call->reg, uuid_of(&args->obj), &refs, &n, err);
	if (r < 0)
		return r;
	reply->ret = n;
	if (args->need_results) {
		reply->vols.vols_val = xcalloc(n + 1, sizeof(wire_vol));
		reply->vols.vols_len = n;
		for (unsigned int i = 0; i < n; i++)
			reply_vol(&reply->vols.vols_val[i], &refs[i]);
	}
	free_refs(refs, n);
	return 0;
}

static int lookup(struct call *call, enum vol_by by, const uint8_t *pool,
		  const char *text, wire_vol *reply, struct error *err)
{
	struct vol_ref ref;
	int r = vol_lookup(call->reg, by, pool, text, &ref, err);

	if (r == 0)
		reply_vol(reply, &ref);
	return r;
}

int handle_storage_vol_lookup_by_name(struct call *call,
				      const wire_named_str *args,
				      wire_vol *reply, struct error *err)
{
	return lookup(call, VOL_BY_NAME, uuid_of(&args->obj), args->str, reply,
		      err);
}

int handle_storage_vol_lookup_by_key(struct call *call, const wire_str *args,
				     wire_vol *reply, struct error *err)
{
	return lookup(call, VOL_BY_KEY, NULL, *args, reply, err);
}

int handle_storage_vol_lookup_by_path(struct call *call, const wire_str *args,
				      wire_vol *reply, struct error *err)
{
	return lookup(call, VOL_BY_PATH, NULL, *args, reply, err);
}

/* ---- what is asked of one ---- */

static int get_info(struct call *call, const wire_vol *vol, bool physical,
		    wire_vol_info *reply, struct error *err)
{
	struct vol_name name = name_of(vol);
	struct vol_info info;
	int r = vol_get_info(call->reg, &name, &info, err);

	if (r == 0)
		*reply = (wire_vol_info){ info.type, info.capacity,
					  physical ? info.physical :
						     info.allocation };
	return r;
}

int handle_storage_vol_get_info(struct call *call, const wire_vol *args,
				wire_vol_info *reply, struct error *err)
{
	return get_info(call, args, false, reply, err);
}

int handle_storage_vol_get_info_flags(struct call *call,
				      const wire_vol_flags *args,
				      wire_vol_info *reply, struct error *err)
{
	int r = call_flags(call, args->flags, VIR_STORAGE_VOL_GET_PHYSICAL,
			   err);

	return r < 0 ? r : get_info(call, &args->vol, args->flags, reply, err);
}

int handle_storage_vol_get_xml_desc(struct call *call,
				    const wire_vol_flags *args,
				    wire_str *reply, struct error *err)
{
	struct vol_name name = name_of(&args->vol);
	int r = call_flags(call, args->flags, 0, err);

	if (r < 0)
		return r;
	*reply = vol_get_xml(call->reg, &name, err);
	return *reply ? 0 : err->errnum;
}

int handle_storage_vol_get_path(struct call *call, const wire_vol *args,
				wire_str *reply, struct error *err)
{
	struct vol_name name = name_of(args);

	*reply = vol_get_path(call->reg, &name, err);
	return *reply ? 0 : err->errnum;
}

/* ---- changes ---- */

enum { CREATE_FLAGS = VIR_STORAGE_VOL_CREATE_PREALLOC_METADATA |
		      VIR_STORAGE_VOL_CREATE_REFLINK |
		      VIR_STORAGE_VOL_CREATE_VALIDATE };

static int create(struct call *call, const wire_named *pool, const char *xml,
		  const struct vol_name *from, unsigned int flags,
		  wire_vol *reply, struct error *err)
{
	struct vol_ref ref;
	int r = vol_create(call->reg, uuid_of(pool), xml, from, flags, &ref,
			   err);

	if (r == 0)
		reply_vol(reply, &ref);
	return r;
}

int handle_storage_vol_create_xml(struct call *call,
				  const wire_named_str_flags *args,
				  wire_vol *reply, struct error *err)
{
	int r = call_flags(call, args->flags,
			   CREATE_FLAGS & ~VIR_STORAGE_VOL_CREATE_REFLINK,
			   err);

	return r < 0 ? r : create(call, &args->obj, args->str, NULL,
				  args->flags, reply, err);
}

int handle_storage_vol_create_xml_from(struct call *call,
				       const wire_vol_from_args *args,
				       wire_vol *reply, struct error *err)
{
	struct vol_name from = name_of(&args->from);
	int r = call_flags(call, args->flags, CREATE_FLAGS, err);

	return r < 0 ? r : create(call, &args->pool, args->xml, &from,
				  args->flags, reply, err);
}

/* Volumes have no snapshots here: with or without them is the same. */
int handle_storage_vol_delete(struct call *call, const wire_vol_flags *args,
			      struct error *err)
{
	struct vol_name name = name_of(&args->vol);
	int r = call_flags(call, args->flags,
			   VIR_STORAGE_VOL_DELETE_ZEROED |
				   VIR_STORAGE_VOL_DELETE_WITH_SNAPSHOTS,
			   err);

	if (r == 0 && (args->flags & VIR_STORAGE_VOL_DELETE_ZEROED))
		r = vol_wipe(call->reg, &name, VIR_STORAGE_VOL_WIPE_ALG_ZERO,
			     err);
	return r < 0 ? r : vol_delete(call->reg, &name, args->flags, err);
}

int handle_storage_vol_wipe(struct call *call, const wire_vol_flags *args,
			    struct error *err)
{
	struct vol_name name = name_of(&args->vol);
	int r = call_flags(call, args->flags, 0, err);

	return r < 0 ? r : vol_wipe(call->reg, &name,
				    VIR_STORAGE_VOL_WIPE_ALG_ZERO, err);
}

int handle_storage_vol_wipe_pattern(struct call *call,
				    const wire_vol_wipe_args *args,
				    struct error *err)
{
	struct vol_name name = name_of(&args->vol);
	int r = call_flags(call, args->flags, 0, err);

	return r < 0 ? r : vol_wipe(call->reg, &name, args->algorithm, err);
}

int handle_storage_vol_resize(struct call *call,
			      const wire_vol_resize_args *args,
			      struct error *err)
{
	struct vol_name name = name_of(&args->vol);
	int r = call_flags(call, args->flags,
			   VIR_STORAGE_VOL_RESIZE_ALLOCATE |
				   VIR_STORAGE_VOL_RESIZE_DELTA |
				   VIR_STORAGE_VOL_RESIZE_SHRINK,
			   err);

	return r < 0 ? r : vol_resize(call->reg, &name, args->capacity,
				      args->flags, err);
}

/* ---- streams ---- */

static int transfer(struct call *call, const wire_vol_stream_args *args,
		    bool upload, bool sparse, struct error *err)
{
	struct vol_name name = name_of(&args->vol);

	call->stream.packets = true;
	call->stream.patient = true;
	return vol_transfer(call->reg, &name, upload, args->offset,
			    args->length, sparse, &call->stream_fd, err);
}

int handle_storage_vol_upload(struct call *call,
			      const wire_vol_stream_args *args,
			      struct error *err)
{
	int r = call_flags(call, args->flags,
			   VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM, err);

	return r < 0 ? r : transfer(call, args, true, false, err);
}

int handle_storage_vol_download(struct call *call,
				const wire_vol_stream_args *args,
				struct error *err)
{
	int r = call_flags(call, args->flags,
			   VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM, err);

	return r < 0 ? r : transfer(call, args, false,
				    args->flags, err);
}
