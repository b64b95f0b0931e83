/*
 * daemon/snapshot_take.c -- taking a snapshot: new images on top of the
 * disks', and memory in a file.
 *
 * What was written until now stays in the images that there are; from now on
 * it goes into new ones.  That is in the store before the machine is asked to
 * change over: whoever is killed in between has an empty new image on top of
 * one that the guest still writes, which together is what the guest has.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <unistd.h>

#include "daemon/definition.h"
#include "daemon/registry.h"
#include "daemon/savefile.h"
#include "daemon/snapshot_take.h"

#define LOG_MODULE "snapshot"
#include "base/log.h"

static int check_kinds(const struct snapshot_def *def, struct error *err)
{
	const char *what = def->memory == SNAP_INTERNAL ? "memory" : NULL;

	for (unsigned int i = 0; i < def->n_disks; i++) {
		if (def->disks[i].where == SNAP_INTERNAL)
			what = def->disks[i].name;
		if (def->disks[i].where == SNAP_EXTERNAL &&
		    !str_eq(def->disks[i].format, "qcow2"))
			return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
					  "external snapshot format for disk %s is unsupported: %s",
					  def->disks[i].name,
					  def->disks[i].format);
	}
	return what ? error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				 "internal snapshots are not supported (%s): take an external one, of disks only or with a memory file",
				 what) :
		      0;
}

/* ---- files ---- */

static bool is_external(const struct snap_disk *d)
{
	return d->where == SNAP_EXTERNAL;
}

static int create_one(struct dom_obj *obj, const struct snapshot_def *def,
		      const struct snap_disk *d, bool reuse, struct error *err)
{
	const struct dom_disk *disk = snapshot_find_disk(def->domain, d->name);
	struct image top = image_of_snap_disk(d), base;

	if (!disk || !disk->source)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "disk '%s' has no image", d->name);
	if (disk->type != DISK_FILE && disk->type != DISK_BLOCK)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "external snapshots of disk '%s' are not supported: it is neither a file nor a block device",
				  d->name);
	base = image_of_disk(disk);
	if (!reuse)
		return overlay_create(obj->reg, &top, &base, err);
	return d->is_device || overlay_exists(obj->reg, d->file) ?
		       0 :
		       error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "missing existing file for disk %s: %s",
				  d->name, d->file);
}

static void remove_created(struct dom_obj *obj, const struct snapshot_def *def,
			   unsigned int n)
{
	struct error err = { 0 };

	for (unsigned int i = 0; i < n; i++)
		if (is_external(&def->disks[i]) && !def->disks[i].is_device &&
		    overlay_remove(obj->reg, def->disks[i].file, &err) < 0)
			log_warn("%s", err.message);
}

static int create_files(struct dom_obj *obj, const struct snapshot_def *def,
			bool reuse, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < def->n_disks && r >= 0; i++) {
		if (!is_external(&def->disks[i]))
			continue;
		r = create_one(obj, def, &def->disks[i], reuse, err);
		if (r < 0 && !reuse)
			remove_created(obj, def, i);
	}
	return r;
}

/* ---- definitions ---- */

/* The same with the new images, where it has the snapshot's. */
static struct domain_def *changed(const struct domain_def *from,
				  const struct snapshot_def *snap)
{
	struct domain_def *def = domain_def_copy(from);

	for (unsigned int i = 0; i < snap->n_disks; i++) {
		const struct snap_disk *d = &snap->disks[i];
		struct dom_disk *disk = snapshot_find_disk(def, d->name);
		const struct dom_disk *was =
			snapshot_find_disk(snap->domain, d->name);
		struct image image = image_of_snap_disk(d);

		if (is_external(d) && disk && was &&
		    str_eq(disk->source, was->source))
			snapshot_set_image(disk, &image);
	}
	return def;
}

static int set_config(struct dom_obj *obj, const struct domain_def *def,
		      struct error *err)
{
	struct domain_def *next = domain_def_copy(def);
	int r = config_replace(obj, next, err);

	if (r < 0)
		domain_def_free(next);
	return r;
}

/* The object stays where it is: its driver may be reading it. */
static void set_live(struct dom_obj *obj, const struct domain_def *def)
{
	struct domain_def *next = domain_def_copy(def), old;

	pthread_mutex_lock(&obj->reg->lock);
	old = *obj->d.live;
	*obj->d.live = *next;
	*next = old;
	pthread_mutex_unlock(&obj->reg->lock);
	domain_def_free(next);
}

/* What is changed, and what it was. */
struct change {
	struct domain_def *live, *config; /* before; NULL: there was none */
};

static int change_definitions(struct dom_obj *obj,
			      const struct snapshot_def *snap,
			      struct change *was, struct error *err)
{
	struct domain_def *next;
	int r = 0;

	*was = (struct change){ 0 };
	if (obj->config) {
		was->config = domain_def_copy(obj->config);
		next = changed(obj->config, snap);
		r = set_config(obj, next, err);
		domain_def_free(next);
	}
	if (r < 0 || !obj->active)
		return r;
	was->live = domain_def_copy(obj->d.live);
	next = changed(obj->d.live, snap);
	set_live(obj, next);
	domain_def_free(next);
	return run_record(obj, err);
}

static void change_back(struct dom_obj *obj, const struct change *was)
{
	struct error err = { 0 };

	if (was->live) {
		set_live(obj, was->live);
		if (run_record(obj, &err) < 0)
			log_warn("%s", err.message);
	}
	if (was->config && set_config(obj, was->config, &err) < 0)
		log_warn("%s", err.message);
}

static void change_finish(struct change *was)
{
	domain_def_free(was->live);
	domain_def_free(was->config);
}

static int switch_over(struct dom_obj *obj, const struct snapshot_def *def,
		       struct error *err)
{
	struct change was;
	int r = change_definitions(obj, def, &was, err);

	if (r == 0 && obj->active)
		r = driver_call(obj, err, switch_disks, was.live);
	if (r < 0)
		change_back(obj, &was);
	change_finish(&was);
	return r;
}

/* ---- memory ---- */

static int pause_guest(struct dom_obj *obj, struct error *err)
{
	int r = driver_call(obj, err, pause);

	if (r < 0)
		return r;
	run_force_state(obj, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_SNAPSHOT);
	notify_lifecycle(obj, VIR_DOMAIN_EVENT_SUSPENDED,
			 VIR_DOMAIN_EVENT_SUSPENDED_PAUSED);
	return 0;
}

static void go_on(struct dom_obj *obj)
{
	struct error err = { 0 };

	if (driver_call(obj, &err, resume) < 0) {
		log_error("domain '%s' cannot go on: %s", obj->d.name,
			  err.message);
		return;
	}
	run_force_state(obj, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_UNPAUSED);
	notify_lifecycle(obj, VIR_DOMAIN_EVENT_RESUMED,
			 VIR_DOMAIN_EVENT_RESUMED_UNPAUSED);
}

static int write_memory(struct dom_obj *obj, const struct snapshot_def *def,
			bool running, struct error *err)
{
	_cleanup_free_ char *xml =
		domain_def_format(obj->d.live, DOMAIN_FORMAT_SECURE);
	struct error ignored = { 0 };
	_cleanup_close_ int fd = -1;
	int r = obj->reg->files->begin(def->memory_file, err, &fd);

	if (r < 0)
		return r;
	r = save_write(obj, fd, xml, running,
		       VIR_DOMAIN_JOB_OPERATION_SNAPSHOT, err);
	if (r == 0)
		return obj->reg->files->end(def->memory_file, true, err);
	obj->reg->files->end(def->memory_file, false, &ignored);
	return r;
}

/* Memory and disks at one moment: the guest is paused for both. */
static int take_with_memory(struct dom_obj *obj,
			    const struct snapshot_def *def, bool halt,
			    struct error *err)
{
	bool running = obj->state == VIR_DOMAIN_RUNNING;
	struct error ignored = { 0 };
	int r = running ? pause_guest(obj, err) : 0;

	if (r < 0)
		return r;
	r = write_memory(obj, def, running, err);
	if (r == 0) {
		r = switch_over(obj, def, err);
		if (r < 0)
			overlay_remove(obj->reg, def->memory_file, &ignored);
	}
	if (running && (r < 0 || !halt))
		go_on(obj);
	return r;
}

/* ---- all of it ---- */

static int check_host(const struct dom_obj *obj,
		      const struct snapshot_def *def, bool reuse,
		      struct error *err)
{
	if (!obj->reg->files || !obj->reg->net)
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "no snapshots can be taken of domains of '%s'",
				  obj->reg->path);
	if (def->memory_file && !reuse &&
	    overlay_exists(obj->reg, def->memory_file))
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "memory snapshot file '%s' already exists",
				  def->memory_file);
	return def->memory == SNAP_EXTERNAL ? pm_check_awake(obj, err) : 0;
}

static void halt(struct dom_obj *obj)
{
	run_stop_quietly(obj);
	run_stopped(obj, VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT,
		    VIR_DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT);
}

int snapshot_take(struct dom_obj *obj, const struct snapshot_def *def,
		  unsigned int flags, struct error *err)
{
	bool reuse = flags & VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT;
	bool ends = flags & VIR_DOMAIN_SNAPSHOT_CREATE_HALT;
	int r = check_kinds(def, err);

	if (r == 0)
		r = check_host(obj, def, reuse, err);
	if (r == 0)
		r = create_files(obj, def, reuse, err);
	if (r < 0)
		return r;
	r = def->memory == SNAP_EXTERNAL ?
		    take_with_memory(obj, def, ends, err) :
		    switch_over(obj, def, err);
	if (r < 0) {
		if (!reuse)
			remove_created(obj, def, def->n_disks);
		return r;
	}
	if (!(flags & VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA))
		r = snapshot_record(obj, def, true, err);
	if (ends && obj->active)
		halt(obj);
	return r;
}
