/*
 * daemon/snapshot_revert.c -- going back to a snapshot.
 *
 * Its images stay as they are: the domain gets new ones on top of them.  What
 * it wrote since the last snapshot goes away with the images that it was
 * written to, once nothing names them.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <time.h>

#include "daemon/checkpoint.h"
#include "daemon/definition.h"
#include "daemon/registry.h"
#include "daemon/savefile.h"
#include "daemon/snapshot_take.h"

#define LOG_MODULE "snapshot"
#include "base/log.h"

enum {
	RUNNING = VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING,
	PAUSED = VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED,
	FORCE = VIR_DOMAIN_SNAPSHOT_REVERT_FORCE,
	NAMES_MAX = 1000,
};

/* ---- is it possible? ---- */

static int check_flag_set(unsigned int flags, struct error *err)
{
	int r = check_flags(flags, RUNNING | PAUSED | FORCE, "snapshot_revert",
			    err);

	if (r == 0 && flags & RUNNING && flags & PAUSED)
		r = error_virt(err, VIR_ERR_INVALID_ARG,
			       "flags 'running' and 'paused' are mutually exclusive");
	return r;
}

static bool will_run(const struct snapshot_def *def, unsigned int flags)
{
	return flags & (RUNNING | PAUSED) || def->memory == SNAP_EXTERNAL;
}

static int check_possible(const struct dom_obj *obj,
			  const struct snapshot_def *def, unsigned int flags,
			  struct error *err)
{
	if (!obj->reg->files || !obj->reg->net)
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "domains of '%s' cannot go back to snapshots",
				  obj->reg->path);
	if (!def->domain)
		return error_virt(err, VIR_ERR_SNAPSHOT_REVERT_RISKY,
				  "snapshot '%s' lacks domain '%s' rollback info",
				  def->name, obj->d.name);
	if (def->memory == SNAP_INTERNAL)
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "internal snapshots are not supported");
	for (unsigned int i = 0; i < def->n_disks; i++)
		if (def->disks[i].where == SNAP_INTERNAL)
			return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
					  "internal snapshots are not supported (%s)",
					  def->disks[i].name);
	if (!obj->config && !will_run(def, flags))
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "transient domain needs to request run or pause to revert to inactive snapshot");
	return 0;
}

/* ---- new images ---- */

/* Beside the snapshot's: the caller's. */
static char *choose_name(struct registry *reg, const char *image,
			 const char *snapshot)
{
	for (unsigned int i = 1; i < NAMES_MAX; i++) {
		_cleanup_free_ char *suffix =
			xasprintf("%s-%u", snapshot, i);
		char *path = snapshot_image_name(image, suffix);

		if (!overlay_exists(reg, path))
			return path;
		free(path);
	}
	return NULL;
}

static int add_image(struct dom_obj *obj, struct snapshot_def *def,
		     const struct snap_disk *d, struct error *err)
{
	const struct dom_disk *disk = snapshot_find_disk(def->domain, d->name);
	struct image base, top = { .format = (char *)"qcow2" };
	int r;

	if (d->where != SNAP_EXTERNAL || !disk)
		return 0;
	base = image_of_disk(disk);
	if (base.is_device)
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "disk '%s' is a block device: a new image beside it cannot be named",
				  d->name);
	top.path = choose_name(obj->reg, base.path, def->name);
	if (!top.path)
		return error_virt(err, VIR_ERR_OPERATION_FAILED,
				  "there is no free name beside '%s'",
				  base.path);
	r = overlay_create(obj->reg, &top, &base, err);
	if (r < 0) {
		free(top.path);
		return r;
	}
	def->reverted = xrealloc(def->reverted, def->n_reverted + 1,
				 sizeof(*def->reverted));
	def->reverted[def->n_reverted++] = (struct snap_disk){
		.name = xstrdup(d->name),
		.where = SNAP_EXTERNAL,
		.file = top.path,
		.format = xstrdup("qcow2"),
	};
	return 0;
}

static void remove_file(struct dom_obj *obj, const char *path)
{
	struct error err = { 0 };

	if (overlay_exists(obj->reg, path) &&
	    overlay_remove(obj->reg, path, &err) < 0)
		log_warn("%s", err.message);
}

static void forget_reverted(struct snapshot_def *def, unsigned int i)
{
	free(def->reverted[i].name);
	free(def->reverted[i].file);
	free(def->reverted[i].format);
	def->reverted[i] = def->reverted[--def->n_reverted];
}

static int add_images(struct dom_obj *obj, struct snapshot_def *def,
		      struct error *err)
{
	unsigned int before = def->n_reverted;
	int r = 0;

	for (unsigned int i = 0; i < def->n_disks && r >= 0; i++)
		r = add_image(obj, def, &def->disks[i], err);
	while (r < 0 && def->n_reverted > before) {
		remove_file(obj, def->reverted[def->n_reverted - 1].file);
		forget_reverted(def, def->n_reverted - 1);
	}
	return r;
}

/* The snapshot's definition with those images: first is the first new one. */
static struct domain_def *with_images(const struct domain_def *from,
				      const struct snapshot_def *def,
				      unsigned int first)
{
	struct domain_def *next = domain_def_copy(from);

	for (unsigned int i = first; i < def->n_reverted; i++) {
		struct dom_disk *disk =
			snapshot_find_disk(next, def->reverted[i].name);
		struct image image = image_of_snap_disk(&def->reverted[i]);

		if (disk)
			snapshot_set_image(disk, &image);
	}
	return next;
}

/* ---- going there ---- */

static int stop(struct dom_obj *obj, struct error *err)
{
	if (!obj->active)
		return 0;
	run_stop_quietly(obj);
	run_stopped(obj, VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT,
		    VIR_DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT);
	return 0;
}

static int restore(struct dom_obj *obj, const struct snapshot_def *snap,
		   const struct domain_def *def, unsigned int flags,
		   struct error *err)
{
	struct savefile file = { 0 };
	_cleanup_close_ int fd = -1;
	int r = obj->reg->files->open(snap->memory_file, true, err, &fd);

	if (r >= 0)
		r = savefile_read(fd, &file, err);
	if (r >= 0) {
		struct domain_saved from = { .fd = fd, .offset = file.offset };
		bool paused = flags & PAUSED ||
			      (!(flags & RUNNING) && !file.running);

		r = run_restore(obj, def, &from, false, paused, NULL, err);
	}
	savefile_finish(&file);
	return r;
}

static int start(struct dom_obj *obj, const struct snapshot_def *snap,
		 const struct domain_def *def, unsigned int flags,
		 struct error *err)
{
	if (snap->memory == SNAP_EXTERNAL)
		return restore(obj, snap, def, flags, err);
	return flags & (RUNNING | PAUSED) ?
		       run_start(obj, def, flags & PAUSED, NULL, err) :
		       0;
}

static int set_config(struct dom_obj *obj, const struct snapshot_def *snap,
		      unsigned int first, struct error *err)
{
	struct domain_def *next = with_images(
		snap->inactive ? snap->inactive : snap->domain, snap, first);
	int r = config_replace(obj, next, err);

	if (r < 0)
		domain_def_free(next);
	return r;
}

/* ---- what is left over ---- */

/* The images that the domain had on top, by their names; the caller's. */
static struct image_list list_tops(const struct dom_obj *obj)
{
	const struct domain_def *def = obj->active ? obj->d.live : obj->config;
	struct image_list l = { 0 };

	l.list = xcalloc(def->n_disks, sizeof(*l.list));
	for (unsigned int i = 0; i < def->n_disks; i++)
		if (def->disks[i].source)
			l.list[l.n++].path = xstrdup(def->disks[i].source);
	return l;
}

static void forget_everywhere(struct snapshots *s, const char *path)
{
	for (unsigned int i = 0; i < s->n; i++) {
		struct snapshot_def *def = snapshot_def_copy(s->list[i]->def);

		for (unsigned int k = def->n_reverted; k--;)
			if (str_eq(def->reverted[k].file, path))
				forget_reverted(def, k);
		snapshots_put(s, def);
	}
}

static bool is_left_over(const struct dom_obj *obj, const char *path)
{
	return snapshot_made(obj->snapshots, path) &&
	       !snapshot_uses(obj, obj->snapshots, NULL, path);
}

static void drop_left_over(struct dom_obj *obj, const struct image_list *tops)
{
	struct snapshots *next;
	struct error err = { 0 };

	for (unsigned int i = 0; i < tops->n; i++) {
		if (!is_left_over(obj, tops->list[i].path))
			continue;
		remove_file(obj, tops->list[i].path);
		next = snapshots_copy(obj->snapshots);
		forget_everywhere(next, tops->list[i].path);
		if (snapshots_commit(obj, next, &err) < 0)
			log_warn("%s", err.message);
	}
}

/* ---- all of it ---- */

static int record(struct dom_obj *obj, struct snapshot_def *def,
		  struct error *err)
{
	return snapshot_record(obj, def, true, err);
}

/* From here on the domain is what the snapshot was. */
static int go_back(struct dom_obj *obj, struct snapshot_def *def,
		   unsigned int first, unsigned int flags, struct error *err)
{
	struct domain_def *run = with_images(def->domain, def, first);
	int r = record(obj, def, err);

	if (r == 0)
		r = stop(obj, err);
	if (r == 0 && obj->config)
		r = set_config(obj, def, first, err);
	if (r == 0)
		r = start(obj, def, run, flags, err);
	domain_def_free(run);
	return r;
}

static int revert(struct dom_obj *obj, const char *name, unsigned int flags,
		  struct error *err)
{
	struct snapshot *snap = snapshots_get(obj->snapshots, name, err);
	struct image_list tops;
	struct snapshot_def *def;
	unsigned int first;
	int r;

	if (!snap)
		return -ENOENT;
	r = check_possible(obj, snap->def, flags, err);
	if (r < 0)
		return r;
	def = snapshot_def_copy(snap->def);
	first = def->n_reverted;
	tops = list_tops(obj);
	r = add_images(obj, def, err);
	if (r >= 0)
		r = go_back(obj, def, first, flags, err);
	if (r >= 0)
		drop_left_over(obj, &tops);
	image_list_finish(&tops);
	snapshot_def_free(def);
	return r;
}

int snapshot_revert(struct registry *reg, const uint8_t uuid[UUID_LEN],
		    const char *name, unsigned int flags, struct error *err)
{
	struct dom_obj *obj;
	int r = check_flag_set(flags, err);

	if (r == 0)
		r = obj_begin(reg, uuid, "snapshot-revert", &obj, err);
	if (r < 0)
		return r;
	r = checkpoints_refuse_images(obj, "revert to snapshot", err);
	if (r == 0)
		r = revert(obj, name, flags, err);
	obj_unclaim(obj);
	return r;
}
