/*
 * cli/storage.c -- pools, volumes and secrets as commands' words name them.
 */
#include "cli/storage.h"

#include <string.h>

#include "cli/output.h"

/* ---- pools ---- */

const char *pool_state_name(int state)
{
	static const char *const names[] = {
		[VIR_STORAGE_POOL_INACTIVE] = "inactive",
		[VIR_STORAGE_POOL_BUILDING] = "building",
		[VIR_STORAGE_POOL_RUNNING] = "running",
		[VIR_STORAGE_POOL_DEGRADED] = "degraded",
		[VIR_STORAGE_POOL_INACCESSIBLE] = "inaccessible",
	};

	return state >= 0 && (size_t)state < ARRAY_SIZE(names) ?
		       names[state] : "unknown";
}

virStoragePoolPtr ctl_pool(struct ctl *ctl, const char *name)
{
	virStoragePoolPtr pool = NULL;

	if (strlen(name) == VIR_UUID_STRING_BUFLEN - 1)
		pool = virStoragePoolLookupByUUIDString(ctl->conn, name);
	if (!pool)
		pool = virStoragePoolLookupByName(ctl->conn, name);
	if (!pool)
		say_failed(ctl, "failed to get pool '%s'", name);
	return pool;
}

int args_pool_build(const struct args *args, unsigned int *ret_flags)
{
	static const struct flag_option flags[] = {
		{ "build", VIR_STORAGE_POOL_CREATE_WITH_BUILD },
		{ "overwrite", VIR_STORAGE_POOL_CREATE_WITH_BUILD_OVERWRITE },
		{ "no-overwrite",
		  VIR_STORAGE_POOL_CREATE_WITH_BUILD_NO_OVERWRITE },
		{ NULL },
	};

	*ret_flags = args_flags(args, flags);
	return args_exclusive(args, "overwrite", "no-overwrite");
}

/* ---- volumes ---- */

static bool is_in(virStorageVolPtr vol, virStoragePoolPtr pool)
{
	virStoragePoolPtr its = virStoragePoolLookupByVolume(vol);
	bool same = its && str_eq(virStoragePoolGetName(its),
				  virStoragePoolGetName(pool));

	if (its)
		virStoragePoolFree(its);
	return same;
}

/* A key or path says which volume it is, but a pool may be named as well. */
static virStorageVolPtr check_pool(virStorageVolPtr vol,
				   virStoragePoolPtr pool, const char *name)
{
	if (!vol || !pool || is_in(vol, pool))
		return vol;
	say_error("Requested volume '%s' is not in pool '%s'", name,
		  virStoragePoolGetName(pool));
	virStorageVolFree(vol);
	return NULL;
}

static virStorageVolPtr find_vol(struct ctl *ctl, const char *name,
				 virStoragePoolPtr pool, const char *pool_opt)
{
	virStorageVolPtr vol = NULL;

	if (pool)
		vol = virStorageVolLookupByName(pool, name);
	if (vol)
		return vol;
	vol = virStorageVolLookupByKey(ctl->conn, name);
	if (!vol)
		vol = virStorageVolLookupByPath(ctl->conn, name);
	if (vol)
		return check_pool(vol, pool, name);
	if (pool || !pool_opt)
		say_failed(ctl, "failed to get vol '%s'", name);
	else
		say_failed(ctl, "failed to get vol '%s', specifying --%s "
				"might help", name, pool_opt);
	return NULL;
}

virStorageVolPtr ctl_vol(struct ctl *ctl, const struct args *args,
			 const char *name, const char *pool_opt)
{
	const char *in = pool_opt ? args_get(args, pool_opt) : NULL;
	virStoragePoolPtr pool = in ? ctl_pool(ctl, in) : NULL;
	virStorageVolPtr vol = NULL;

	if (in && !pool)
		return NULL;
	if (pool && virStoragePoolIsActive(pool) != 1)
		say_error("pool '%s' is not active",
			  virStoragePoolGetName(pool));
	else
		vol = find_vol(ctl, name, pool, pool_opt);
	if (pool)
		virStoragePoolFree(pool);
	return vol;
}

/* ---- secrets ---- */

virSecretPtr ctl_secret(struct ctl *ctl, const char *uuid)
{
	virSecretPtr secret = virSecretLookupByUUIDString(ctl->conn, uuid);

	if (!secret)
		say_failed(ctl, "failed to get secret '%s'", uuid);
	return secret;
}

/* ---- sizes ---- */

char *size_text(unsigned long long bytes)
{
	static const char *const units[] = { "B",   "KiB", "MiB", "GiB",
					     "TiB", "PiB", "EiB" };
	double size = bytes;
	size_t i = 0;

	for (; size >= 1024 && i + 1 < ARRAY_SIZE(units); i++)
		size /= 1024;
	return xasprintf("%.2f %s", size, units[i]);
}

void record_size(struct record *r, bool plain, const char *label,
		 const char *key, unsigned long long bytes,
		 const char *plain_unit)
{
	_cleanup_free_ char *text =
		plain ? xasprintf("%llu%s", bytes, plain_unit) :
			size_text(bytes);

	record_add(r, label, key, true, "%s", text);
}

int args_bytes(const struct args *args, const char *name,
	       unsigned long long *ret)
{
	const char *text = args_get(args, name);

	if (size_parse(text, 1, ret) == 0)
		return 0;
	say_error("Malformed size %s", text);
	return -1;
}
