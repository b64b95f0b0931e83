/*
 * daemon/snapshot_delete.c -- dropping snapshots, without a byte of what the
 * domain and other snapshots have.
 *
 * A snapshot is the image that was frozen when it was taken.  When exactly one
 * other image is based on that, and nothing else needs it as it was, the other
 * one goes into it and takes its name everywhere, while the guest runs by a
 * block job.  When several are, it stays for them; when none is, it goes.  Files are complete before a definition
 * names them, and are removed after none does.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "daemon/blockjob.h"
#include "daemon/checkpoint.h"
#include "daemon/definition.h"
#include "daemon/registry.h"
#include "daemon/snapshot_take.h"

#define LOG_MODULE "snapshot"
#include "base/log.h"

enum {
	CHILDREN = VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN,
	METADATA_ONLY = VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY,
	CHILDREN_ONLY = VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY,
};

/* What becomes of one disk's image. */
struct fate {
	const char *target;
	struct image base; /* the snapshot's own; borrowed */
	struct image_list all;
	const struct image *over; /* goes into base; NULL: none does */
	bool remove;		  /* base goes */
	bool live;		  /* a running machine has over */
};

/* ---- deciding ---- */

static int find_over(struct dom_obj *obj, struct fate *f, unsigned int *ret_n,
		     struct error *err)
{
	*ret_n = 0;
	for (unsigned int i = 0; i < f->all.n; i++) {
		_cleanup_free_ char *backing = NULL;
		int r = overlay_backing(obj->reg, &f->all.list[i], &backing,
					err);

		if (r < 0)
			return r;
		if (!str_eq(backing, f->base.path))
			continue;
		f->over = &f->all.list[i];
		(*ret_n)++;
	}
	return 0;
}

static int decide(struct dom_obj *obj, const struct snapshots *s,
		  const struct snapshot *snap, struct fate *f,
		  struct error *err)
{
	unsigned int n;
	int r;

	snapshot_collect(obj, s, f->target, &f->all);
	r = find_over(obj, f, &n, err);
	if (r < 0)
		return r;
	if (n != 1 || snapshot_uses(obj, s, snap, f->base.path))
		f->over = NULL;
	f->remove = n == 0 && snapshot_made(s, f->base.path) &&
		    !snapshot_uses(obj, s, snap, f->base.path);
	return f->over ? blockjob_has_image(obj, f->target, f->over->path,
					    &f->live, err) :
			 0;
}

/* ---- doing ---- */

static void rename_in(struct domain_def *def, const struct fate *f)
{
	struct dom_disk *disk = snapshot_find_disk(def, f->target);

	if (disk && str_eq(disk->source, f->over->path))
		snapshot_set_image(disk, &f->base);
}

static void rename_disks(struct snap_disk *disks, unsigned int n,
			 const struct fate *f)
{
	for (unsigned int i = 0; i < n; i++) {
		struct snap_disk *d = &disks[i];

		if (!str_eq(d->file, f->over->path))
			continue;
		free(d->file);
		free(d->format);
		d->file = xstrdup(f->base.path);
		d->format = xstrdup(f->base.format);
		d->is_device = f->base.is_device;
	}
}

static void rename_in_snapshots(struct snapshots *s, const struct fate *f)
{
	for (unsigned int i = 0; i < s->n; i++) {
		struct snapshot_def *def =
			snapshot_def_copy(s->list[i]->def);

		rename_in(def->domain, f);
		rename_in(def->inactive, f);
		rename_disks(def->disks, def->n_disks, f);
		rename_disks(def->reverted, def->n_reverted, f);
		snapshots_put(s, def);
	}
}

static int rename_in_config(struct dom_obj *obj, const struct fate *f,
			    struct error *err)
{
	struct domain_def *next;
	int r;

	if (!obj->config)
		return 0;
	next = domain_def_copy(obj->config);
	rename_in(next, f);
	r = config_replace(obj, next, err);
	if (r < 0)
		domain_def_free(next);
	return r;
}

/* Those that are based on what goes into base are based on base now. */
static int rebase_others(struct dom_obj *obj, const struct fate *f,
			 struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < f->all.n && r >= 0; i++) {
		_cleanup_free_ char *backing = NULL;

		r = overlay_backing(obj->reg, &f->all.list[i], &backing, err);
		if (r >= 0 && str_eq(backing, f->over->path))
			r = overlay_rebase(obj->reg, &f->all.list[i], &f->base,
					   err);
	}
	return r;
}

static int merge(struct dom_obj *obj, struct snapshots *next,
		 const struct fate *f, struct error *err)
{
	int r;

	if (!f->over)
		return 0;
	r = f->live ? blockjob_merge(obj, f->target, f->over->path, err) :
		      overlay_commit(obj->reg, f->over, &f->base, err);
	if (r >= 0)
		r = rebase_others(obj, f, err);
	if (r < 0)
		return r;
	rename_in_snapshots(next, f);
	return rename_in_config(obj, f, err);
}

static void remove_file(struct dom_obj *obj, const char *path)
{
	struct error err = { 0 };

	if (overlay_exists(obj->reg, path) &&
	    overlay_remove(obj->reg, path, &err) < 0)
		log_warn("%s", err.message);
}

static void clean_up(struct dom_obj *obj, const struct fate *f)
{
	const struct image *gone = f->over ? f->over :
				   f->remove ? &f->base :
					       NULL;

	if (gone && !gone->is_device)
		remove_file(obj, gone->path);
}

/* ---- one snapshot ---- */

/* Its children are its parent's. */
static void unlink_snapshot(struct snapshots *next, const char *name)
{
	struct snapshot *snap = snapshots_find(next, name);
	_cleanup_free_ char *parent = xstrdup(snap->def->parent);
	bool current = next->current == snap;

	for (unsigned int i = 0; i < next->n; i++) {
		struct snapshot_def *def;

		if (!snapshots_is_child(next->list[i], name))
			continue;
		def = snapshot_def_copy(next->list[i]->def);
		free(def->parent);
		def->parent = xstrdup(parent);
		snapshots_put(next, def);
	}
	snapshots_remove(next, name);
	if (current)
		next->current = parent ? snapshots_find(next, parent) : NULL;
}

static int decide_all(struct dom_obj *obj, const struct snapshot *snap,
		      struct fate *fates, unsigned int *ret_n,
		      struct error *err)
{
	const struct snapshot_def *def = snap->def;
	int r = 0;

	for (unsigned int i = 0; i < def->n_disks && r >= 0; i++) {
		const struct dom_disk *disk =
			snapshot_find_disk(def->domain, def->disks[i].name);
		struct fate *f = &fates[*ret_n];

		if (def->disks[i].where != SNAP_EXTERNAL || !disk)
			continue;
		f->target = disk->target_dev;
		f->base = image_of_disk(disk);
		(*ret_n)++;
		r = decide(obj, obj->snapshots, snap, f, err);
	}
	return r;
}

static int carry_out(struct dom_obj *obj, const struct snapshot *snap,
		     const struct fate *fates, unsigned int n,
		     struct error *err)
{
	struct snapshots *next = snapshots_copy(obj->snapshots);
	int r = 0;

	for (unsigned int i = 0; i < n && r >= 0; i++)
		r = merge(obj, next, &fates[i], err);
	if (r < 0) {
		snapshots_free(next);
		return r;
	}
	unlink_snapshot(next, snap->def->name);
	return snapshots_commit(obj, next, err);
}

static int delete_with_files(struct dom_obj *obj, struct snapshot *snap,
			     struct error *err)
{
	/* The tree that has it may go while this is still needed. */
	struct snapshots *before = snapshots_copy(obj->snapshots);
	struct fate *fates = xcalloc(snap->def->n_disks, sizeof(*fates));
	unsigned int n = 0;
	int r = decide_all(obj, snap, fates, &n, err);

	if (r >= 0)
		r = carry_out(obj, snap, fates, n, err);
	for (unsigned int i = 0; i < n; i++) {
		if (r >= 0)
			clean_up(obj, &fates[i]);
		image_list_finish(&fates[i].all);
	}
	if (r >= 0 && snap->def->memory_file)
		remove_file(obj, snap->def->memory_file);
	free(fates);
	snapshots_free(before);
	return r;
}

static int delete_one(struct dom_obj *obj, const char *name,
		      unsigned int flags, struct error *err)
{
	struct snapshot *snap = snapshots_get(obj->snapshots, name, err);
	struct snapshots *next;

	if (!snap)
		return -ENOENT;
	if (!(flags & METADATA_ONLY))
		return delete_with_files(obj, snap, err);
	next = snapshots_copy(obj->snapshots);
	unlink_snapshot(next, name);
	return snapshots_commit(obj, next, err);
}

/* ---- and those below it ---- */

/* The name of one that has no children; the caller's, NULL: none is left. */
static char *next_below(const struct dom_obj *obj, const char *name)
{
	const struct snapshots *s = obj->snapshots;

	for (unsigned int i = 0; i < s->n; i++) {
		const char *leaf = s->list[i]->def->name;
		bool has_child = false;

		for (unsigned int k = 0; k < s->n; k++)
			has_child |= snapshots_is_child(s->list[k], leaf);
		if (!has_child && snapshots_is_below(s, s->list[i], name))
			return xstrdup(leaf);
	}
	return NULL;
}

static int delete_below(struct dom_obj *obj, const char *name,
			unsigned int flags, struct error *err)
{
	int r = 0;

	while (r >= 0) {
		_cleanup_free_ char *leaf = next_below(obj, name);

		if (!leaf)
			break;
		r = delete_one(obj, leaf, flags, err);
	}
	return r;
}

static int delete(struct dom_obj *obj, const char *name, unsigned int flags,
		  struct error *err)
{
	int r = snapshots_get(obj->snapshots, name, err) ? 0 : -ENOENT;

	if (r >= 0 && flags & (CHILDREN | CHILDREN_ONLY))
		r = delete_below(obj, name, flags, err);
	return r < 0 || flags & CHILDREN_ONLY ?
		       r :
		       delete_one(obj, name, flags, err);
}

int snapshot_delete(struct registry *reg, const uint8_t uuid[UUID_LEN],
		    const char *name, unsigned int flags, struct error *err)
{
	struct dom_obj *obj;
	int r = check_flags(flags, CHILDREN | METADATA_ONLY | CHILDREN_ONLY,
			    __func__, err);

	if (r == 0 && flags & CHILDREN && flags & CHILDREN_ONLY)
		r = error_virt(err, VIR_ERR_INVALID_ARG,
			       "flags 'children' and 'children only' are mutually exclusive");
	if (r == 0)
		r = obj_begin(reg, uuid, "snapshot-delete", &obj, err);
	if (r < 0)
		return r;
	if (!(flags & METADATA_ONLY))
		r = checkpoints_refuse_images(obj, "delete snapshot", err);
	if (r == 0)
		r = delete(obj, name, flags, err);
	obj_end(obj);
	return r;
}
