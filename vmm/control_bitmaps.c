/*
 * vmm/control_bitmaps.c -- the control socket's requests about disks' dirty
 * bitmaps (storage/format/bitmaps.h), which checkpoints are made of.
 *
 * They are marked from the moment when they are added, and kept in the image.
 */
#include <errno.h>

#include "storage/format/bitmaps.h"
#include "vmm/control_priv.h"
#include "vmm/drive.h"

/* The disk's own image, if nothing is about to put another in its place. */
static struct block *image_of(struct control *c, struct json_object *req,
			      struct error *err)
{
	const char *id = control_text(req, "drive");
	struct drive *d = machine_drive(c->m, id ? id : "", err);

	if (!d)
		return NULL;
	if (!drive_block(d))
		error_set(err, -ENODEV, "disk '%s' has no medium", id);
	else if (control_moves_images(c, id))
		error_set(err, -EBUSY, "disk '%s': a block job is under way",
			  id);
	else
		return drive_block(d);
	return NULL;
}

static void describe(struct json_object *list,
		     const struct block_bitmap_info *b)
{
	struct json_object *o = json_object_new_object();

	control_add_str(o, "name", b->name);
	json_object_object_add(
		o, "inconsistent",
		json_object_new_boolean(b->inconsistent || !b->enabled ||
					!b->persistent));
	control_add_u64(o, "dirty", b->dirty);
	json_object_array_add(list, o);
}

int control_bitmaps(struct control *c, struct json_object *req,
		    struct json_object *ok, struct error *err)
{
	struct block *blk = image_of(c, req, err);
	struct block_bitmap_info *bitmaps;
	struct json_object *list;
	unsigned int n;
	int r = blk ? block_bitmaps(blk, &bitmaps, &n, err) : -ENOENT;

	if (r < 0)
		return r;
	list = json_object_new_array();
	for (unsigned int i = 0; i < n; i++)
		describe(list, &bitmaps[i]);
	free(bitmaps);
	json_object_object_add(ok, "bitmaps", list);
	return 0;
}

int control_bitmap_change(struct control *c, struct json_object *req,
			  struct json_object *ok, struct error *err)
{
	const char *what = control_text(req, "what");
	struct block_bitmap_add add = {
		.name = control_text(req, "name"),
		.persistent = true,
	};
	struct block *blk = image_of(c, req, err);

	if (!blk)
		return -ENOENT;
	if (add.name && str_eq(what, "add"))
		return block_bitmap_add(blk, &add, err);
	if (add.name && str_eq(what, "remove"))
		return block_bitmap_remove(blk, add.name, err);
	return error_set(err, -EINVAL, "\"name\" or \"what\" is not right");
}
