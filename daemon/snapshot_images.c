/*
 * daemon/snapshot_images.c -- which images a domain's snapshots are made of.
 */
#include <string.h>

#include "daemon/registry.h"
#include "daemon/snapshot_take.h"
#include "model/disk_layers.h"

struct dom_disk *snapshot_find_disk(const struct domain_def *def,
				    const char *target)
{
	for (unsigned int i = 0; def && i < def->n_disks; i++)
		if (str_eq(def->disks[i].target_dev, target))
			return &def->disks[i];
	return NULL;
}

struct image image_of_disk(const struct dom_disk *disk)
{
	return (struct image){ disk->source, disk->driver_type,
			       disk->type == DISK_BLOCK };
}

struct image image_of_snap_disk(const struct snap_disk *disk)
{
	return (struct image){ disk->file, disk->format, disk->is_device };
}

void snapshot_set_image(struct dom_disk *disk, const struct image *image)
{
	char *source = xstrdup(image->path);
	char *format = xstrdup(image->format ? image->format : "raw");

	free(disk->source);
	free(disk->driver_type);
	disk->source = source;
	disk->driver_type = format;
	disk->type = image->is_device ? DISK_BLOCK : DISK_FILE;
	disk_set_layers(disk, NULL, 0); /* the new one says itself */
}

/* ---- lists ---- */

static void add_image(struct image_list *l, const struct image *image)
{
	if (!image->path)
		return;
	for (unsigned int i = 0; i < l->n; i++)
		if (str_eq(l->list[i].path, image->path))
			return;
	l->list = xrealloc(l->list, l->n + 1, sizeof(*l->list));
	l->list[l->n++] = (struct image){ xstrdup(image->path),
					  xstrdup(image->format),
					  image->is_device };
}

static void add_of(struct image_list *l, const struct domain_def *def,
		   const char *target)
{
	const struct dom_disk *disk = snapshot_find_disk(def, target);
	struct image image;

	if (!disk)
		return;
	image = image_of_disk(disk);
	add_image(l, &image);
}

void image_list_finish(struct image_list *l)
{
	for (unsigned int i = 0; i < l->n; i++)
		image_finish(&l->list[i]);
	free(l->list);
}

void snapshot_collect(const struct dom_obj *obj, const struct snapshots *s,
		      const char *target, struct image_list *ret)
{
	*ret = (struct image_list){ 0 };
	add_of(ret, obj->config, target);
	if (obj->active)
		add_of(ret, obj->d.live, target);
	for (unsigned int i = 0; s && i < s->n; i++) {
		add_of(ret, s->list[i]->def->domain, target);
		add_of(ret, s->list[i]->def->inactive, target);
	}
}

/* ---- who uses what ---- */

static bool def_uses(const struct domain_def *def, const char *path)
{
	for (unsigned int i = 0; def && i < def->n_disks; i++)
		if (str_eq(def->disks[i].source, path))
			return true;
	return false;
}

bool snapshot_uses(const struct dom_obj *obj, const struct snapshots *s,
		   const struct snapshot *except, const char *path)
{
	if (def_uses(obj->config, path) ||
	    (obj->active && def_uses(obj->d.live, path)))
		return true;
	for (unsigned int i = 0; s && i < s->n; i++)
		if (s->list[i] != except &&
		    (def_uses(s->list[i]->def->domain, path) ||
		     def_uses(s->list[i]->def->inactive, path)))
			return true;
	return false;
}

static bool has_file(const struct snap_disk *disks, unsigned int n,
		     const char *path)
{
	for (unsigned int i = 0; i < n; i++)
		if (!disks[i].is_device && str_eq(disks[i].file, path))
			return true;
	return false;
}

bool snapshot_made(const struct snapshots *s, const char *path)
{
	for (unsigned int i = 0; s && i < s->n; i++) {
		const struct snapshot_def *def = s->list[i]->def;

		if (has_file(def->disks, def->n_disks, path) ||
		    has_file(def->reverted, def->n_reverted, path))
			return true;
	}
	return false;
}
