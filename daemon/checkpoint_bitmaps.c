/*
 * daemon/checkpoint_bitmaps.c -- what checkpoints are in a running machine: a
 * dirty bitmap of each disk.
 */
#include <errno.h>
#include <libvirt/virterror.h>

#include "daemon/checkpoint.h"
#include "daemon/registry.h"
#include "daemon/snapshot_take.h"

/* NULL: it has none there, or the disk is gone. */
static const char *alias_of(const struct dom_obj *obj,
			    const struct checkpoint_disk *d)
{
	const struct dom_disk *disk =
		d->marked ? snapshot_find_disk(obj->d.live, d->name) : NULL;

	return disk ? disk->info.alias : NULL;
}

int checkpoint_measure(struct dom_obj *obj, const struct checkpoint_def *def,
		       const char *disk, uint64_t *ret_size,
		       struct error *err)
{
	const struct checkpoint_disk *d = checkpoint_disk(def, disk);
	const char *alias = d ? alias_of(obj, d) : NULL;
	int r = alias ? driver_call(obj, err, bitmap_info, alias, d->bitmap,
				    ret_size) :
			-ESTALE;

	return r == -ESTALE ? error_virt(err, VIR_ERR_CHECKPOINT_INCONSISTENT,
					 "missing or broken bitmap '%s' for disk '%s'",
					 def->name, disk) :
			      r;
}

/* One that is broken and cannot be removed is of no use to anybody. */
static int remove_one(struct dom_obj *obj, const struct checkpoint_disk *d,
		      struct error *err)
{
	const char *alias = alias_of(obj, d);
	struct error ignored = { 0 };
	uint64_t size;
	int r;

	if (!alias)
		return 0;
	r = driver_call(obj, err, bitmap_change, alias, d->bitmap, false);
	if (r < 0 && driver_call(obj, &ignored, bitmap_info, alias, d->bitmap,
				 &size) == -ESTALE)
		return 0;
	return r;
}

static int remove_first(struct dom_obj *obj, const struct checkpoint_def *def,
			unsigned int n, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < n && r >= 0; i++)
		r = remove_one(obj, &def->disks[i], err);
	return r;
}

int checkpoint_unmark(struct dom_obj *obj, const struct checkpoint_def *def,
		      struct error *err)
{
	return remove_first(obj, def, def->n_disks, err);
}

int checkpoint_mark(struct dom_obj *obj, const struct checkpoint_def *def,
		    struct error *err)
{
	struct error ignored = { 0 };
	unsigned int i;
	int r = 0;

	for (i = 0; i < def->n_disks && r >= 0; i++) {
		const char *alias = alias_of(obj, &def->disks[i]);

		if (alias)
			r = driver_call(obj, err, bitmap_change, alias,
					def->disks[i].bitmap, true);
	}
	if (r < 0)
		remove_first(obj, def, i - 1, &ignored);
	return r;
}
