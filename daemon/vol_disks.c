/*
 * daemon/vol_disks.c -- domains' disks that are volumes of storage pools.
 */
#include <libvirt/virterror.h>

#include "daemon/pools_priv.h"

static int find(const struct pool_obj *pool, const struct dom_disk *disk,
		const struct vol_def **ret_vol, struct error *err)
{
	int r = pool_check_active(pool, err);

	if (r < 0)
		return r;
	*ret_vol = vol_list_find(&pool->vols, disk->source_volume);
	if (!*ret_vol)
		return error_virt(err, VIR_ERR_NO_STORAGE_VOL,
				  "no storage vol with matching name '%s'",
				  disk->source_volume);
	if ((*ret_vol)->type != VOL_FILE && (*ret_vol)->type != VOL_BLOCK)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "volume '%s' of disk '%s' is no file and no "
				  "block device", disk->source_volume,
				  disk->target_dev);
	return 0;
}

int vol_locate(struct registry *reg, const struct dom_disk *disk,
	       char **ret_path, bool *ret_block, struct error *err)
{
	const struct vol_def *vol;
	struct pool_obj *pool;
	int r;

	if (!disk->source_pool || !disk->source_volume)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "disk '%s' of type 'volume' names no pool "
				  "and volume", disk->target_dev);
	if (!reg->pools)
		return error_virt(err, VIR_ERR_NO_STORAGE_POOL,
				  "there are no storage pools here");
	r = pool_look_name(reg, disk->source_pool, &pool, err);
	if (r < 0)
		return r;
	r = find(pool, disk, &vol, err);
	if (r == 0) {
		*ret_path = xstrdup(vol->target.path);
		*ret_block = vol->type == VOL_BLOCK;
	}
	pool_looked(pool);
	return r;
}

int vols_resolve(struct registry *reg, struct domain_def *def,
		 struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < def->n_disks && r == 0; i++) {
		struct dom_disk *disk = &def->disks[i];

		if (disk->type == DISK_VOLUME && !disk->source)
			r = vol_locate(reg, disk, &disk->source,
				       &disk->source_block, err);
	}
	return r;
}
