/*
 * daemon/save.c -- guests that go to a file and come back: save and restore,
 * and the managed save, whose file is the daemon's own.
 *
 * Nothing is lost whenever the daemon is killed.  While a guest is being
 * written it is paused for that reason, which the store knows: the next daemon
 * lets it go on (save_recover()).  When the file has its name, the store is
 * told that the run is over (run_record_saved()); from then on the file is the
 * guest, and a machine that is still there is ended.  A managed save is
 * forgotten by the same transaction that records the started guest.
 */
#include <errno.h>
#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/definition.h"
#include "daemon/hostdev.h"
#include "daemon/registry.h"
#include "daemon/savefile.h"

#define LOG_MODULE "domain"
#include "base/log.h"

/* ---- where it goes ---- */

struct target {
	struct registry *reg;
	const char *path; /* a client's; NULL: the managed one */
	char *managed;	  /* its path */
	char *partial;	  /* ... while it is being written */
};

static char *managed_path(const struct dom_obj *obj, const char *suffix)
{
	char uuid[UUID_STR_LEN];

	uuid_format(obj->d.uuid, uuid);
	return xasprintf("%s/save/%s.%s", obj->reg->files->dir, uuid, suffix);
}

static int check_files(const struct registry *reg, struct error *err)
{
	if (reg->files)
		return 0;
	return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
			  "domains of '%s' cannot be saved", reg->path);
}

static void target_init(struct target *t, const struct dom_obj *obj,
			const char *path)
{
	*t = (struct target){ .reg = obj->reg, .path = path };
	if (path)
		return;
	t->managed = managed_path(obj, "save");
	t->partial = managed_path(obj, "partial");
}

static void target_finish(struct target *t)
{
	free(t->managed);
	free(t->partial);
}

static int begin_managed(struct target *t, int *ret_fd, struct error *err)
{
	_cleanup_free_ char *dir = xasprintf("%s/save", t->reg->files->dir);

	mkdir(dir, 0700);
	*ret_fd = open(t->partial, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC,
		       0600);
	return *ret_fd < 0 ? error_set(err, -errno, "cannot create '%s': %m",
				       t->partial) :
			     0;
}

static int sync_managed(struct target *t)
{
	_cleanup_free_ char *dir = xasprintf("%s/save", t->reg->files->dir);
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int target_begin(struct target *t, int *ret_fd, struct error *err)
{
	if (t->path)
		return t->reg->files->begin(t->path, err, ret_fd);
	return begin_managed(t, ret_fd, err);
}

static int target_keep(struct target *t, struct error *err)
{
	int r;

	if (t->path)
		return t->reg->files->end(t->path, true, err);
	r = rename(t->partial, t->managed) < 0 ? -errno : sync_managed(t);
	return r < 0 ? error_set(err, r, "cannot complete '%s': %m",
				 t->managed) :
		       0;
}

static void target_drop(struct target *t)
{
	struct error err;

	if (!t->path)
		unlink(t->partial);
	else if (t->reg->files->end(t->path, false, &err) < 0)
		log_warn("%s", err.message);
}

/* ---- definitions in files ---- */

/* What a guest that exists cannot have changed under it. */
int saved_guest_fits(const struct domain_def *saved,
		     const struct domain_def *def, struct error *err)
{
	const char *what = NULL;

	if (memcmp(saved->uuid, def->uuid, UUID_LEN))
		what = "uuid";
	else if (!str_eq(saved->name, def->name))
		what = "name";
	else if (saved->virt != def->virt)
		what = "type";
	else if (saved->memory != def->memory)
		what = "memory size";
	else if (saved->vcpus != def->vcpus ||
		 saved->max_vcpus != def->max_vcpus)
		what = "number of vCPUs";
	else if (!str_eq(saved->os.machine, def->os.machine))
		what = "machine";
	else if (saved->n_disks != def->n_disks)
		what = "number of disks";
	else if (saved->n_ifaces != def->n_ifaces)
		what = "number of network interfaces";
	return what ? error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				 "the guest's %s cannot be changed",
				 what) :
		      0;
}

/* The definition to go on with: the file's, or one that fits it. */
static int parse_saved(struct registry *reg, const char *xml,
		       const char *dxml, struct domain_def **ret_def,
		       struct error *err)
{
	struct domain_def *saved, *def;
	int r = config_parse(reg, xml, 0, &saved, err);

	if (r < 0 || !dxml) {
		*ret_def = saved;
		return r;
	}
	r = config_parse(reg, dxml, 0, &def, err);
	if (r == 0) {
		r = saved_guest_fits(saved, def, err);
		if (r < 0)
			domain_def_free(def);
		else
			*ret_def = def;
	}
	domain_def_free(saved);
	return r;
}

/* The text that goes into a file. */
static int xml_for_file(struct dom_obj *obj, const char *dxml, char **ret_xml,
			struct error *err)
{
	_cleanup_free_ char *own =
		domain_def_format(obj->d.live, DOMAIN_FORMAT_SECURE);
	struct domain_def *def = NULL;
	int r;

	if (!dxml) {
		*ret_xml = steal_ptr(&own);
		return 0;
	}
	r = parse_saved(obj->reg, own, dxml, &def, err);
	if (r == 0)
		*ret_xml = domain_def_format(def, DOMAIN_FORMAT_SECURE);
	if (r == 0)
		domain_def_free(def);
	return r;
}

static int check_run_flags(unsigned int flags, unsigned int more,
			   const char *function, struct error *err)
{
	int r = check_flags(flags,
			    VIR_DOMAIN_SAVE_RUNNING | VIR_DOMAIN_SAVE_PAUSED |
				    more,
			    function, err);

	if (r < 0)
		return r;
	if ((flags & VIR_DOMAIN_SAVE_RUNNING) &&
	    (flags & VIR_DOMAIN_SAVE_PAUSED))
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "running and paused flags are mutually "
				  "exclusive");
	return 0;
}

static bool runs_after(unsigned int flags, bool otherwise)
{
	if (flags & VIR_DOMAIN_SAVE_RUNNING)
		return true;
	return !(flags & VIR_DOMAIN_SAVE_PAUSED) && otherwise;
}

/* ---- saving ---- */

static void go_on(struct dom_obj *obj)
{
	struct error err = { 0 };

	if (driver_call(obj, &err, resume) < 0) {
		log_error("domain '%s' cannot go on: %s", obj->d.name,
			  err.message);
		return;
	}
	run_force_state(obj, VIR_DOMAIN_RUNNING,
			VIR_DOMAIN_RUNNING_SAVE_CANCELED);
	notify_lifecycle(obj, VIR_DOMAIN_EVENT_RESUMED,
			 VIR_DOMAIN_EVENT_RESUMED_UNPAUSED);
}

void save_recover(struct dom_obj *obj)
{
	struct error err;

	log_warn("domain '%s' was being saved when the daemon ended: it goes on",
		 obj->d.name);
	if (obj->driver->job_cancel)
		obj->driver->job_cancel(&obj->d, &err);
	/* The VMM refuses until it has given up the file. */
	for (unsigned int i = 0; i < 100; i++) {
		if (driver_call(obj, &err, resume) == 0) {
			run_force_state(obj, VIR_DOMAIN_RUNNING,
					VIR_DOMAIN_RUNNING_SAVE_CANCELED);
			return;
		}
		usleep(100000);
	}
	log_error("domain '%s' cannot go on: %s", obj->d.name, err.message);
}

static int pause_for_save(struct dom_obj *obj, struct error *err)
{
	int r = driver_call(obj, err, pause);

	if (r < 0)
		return r;
	run_force_state(obj, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_SAVE);
	notify_lifecycle(obj, VIR_DOMAIN_EVENT_SUSPENDED,
			 VIR_DOMAIN_EVENT_SUSPENDED_PAUSED);
	return 0;
}

int save_write(struct dom_obj *obj, int fd, const char *xml, bool running,
	       int operation, struct error *err)
{
	struct domain_saved to = { .fd = fd, .zstd = obj->reg->files->zstd };
	int r = savefile_write(fd, xml, running, &to.offset, err);

	if (r < 0)
		return r;
	async_begin(obj, operation);
	r = driver_call(obj, err, save, &to);
	async_end(obj, r == 0);
	if (r == -ECANCELED)
		r = error_virt(err, VIR_ERR_OPERATION_ABORTED,
			       "domain save job: canceled by client");
	if (r == 0 && fdatasync(fd) < 0)
		r = error_set(err, -errno, "cannot write the saved guest: %m");
	return r;
}

static void set_saved(struct dom_obj *obj, bool saved)
{
	pthread_mutex_lock(&obj->reg->lock);
	obj->saved = saved;
	pthread_mutex_unlock(&obj->reg->lock);
}

/* From here on the file is the guest, or it is not. */
static int commit(struct dom_obj *obj, struct target *t, struct error *err)
{
	bool before = obj->saved;
	int r = target_keep(t, err);

	if (r < 0)
		return r;
	set_saved(obj, before || !t->path);
	r = run_record_saved(obj, err);
	if (r < 0)
		set_saved(obj, before);
	return r;
}

static int save_to(struct dom_obj *obj, struct target *t, const char *xml,
		   bool running, struct error *err)
{
	_cleanup_close_ int fd = -1;
	int r = target_begin(t, &fd, err);

	if (r < 0)
		return r;
	r = save_write(obj, fd, xml, running, VIR_DOMAIN_JOB_OPERATION_SAVE,
		       err);
	if (r == 0)
		r = commit(obj, t, err);
	if (r < 0)
		target_drop(t);
	return r;
}

static int save_run(struct dom_obj *obj, const char *path, const char *dxml,
		    unsigned int flags, struct error *err)
{
	bool was_running = obj->state == VIR_DOMAIN_RUNNING;
	_cleanup_free_ char *xml = NULL;
	struct target t;
	int r = xml_for_file(obj, dxml, &xml, err);

	if (r == 0 && was_running)
		r = pause_for_save(obj, err);
	if (r < 0)
		return r;
	target_init(&t, obj, path);
	r = save_to(obj, &t, xml, runs_after(flags, was_running), err);
	target_finish(&t);
	if (r < 0) {
		if (was_running)
			go_on(obj);
		return r;
	}
	run_stop_quietly(obj);
	run_stopped(obj, VIR_DOMAIN_SHUTOFF_SAVED,
		    VIR_DOMAIN_EVENT_STOPPED_SAVED);
	return 0;
}

static int check_can_save(struct dom_obj *obj, struct error *err)
{
	int r = run_check_active(obj, err);

	if (r == 0)
		r = check_files(obj->reg, err);
	if (r == 0)
		r = hostdev_check_movable(obj, err);
	if (r == 0 && obj->state != VIR_DOMAIN_RUNNING &&
	    obj->state != VIR_DOMAIN_PAUSED)
		r = error_virt(err, VIR_ERR_OPERATION_INVALID,
			       "the domain is neither running nor paused");
	return r;
}

int domain_save(struct registry *reg, const uint8_t uuid[UUID_LEN],
		const char *path, const char *dxml, unsigned int flags,
		struct error *err)
{
	struct dom_obj *obj;
	int r = check_run_flags(flags, VIR_DOMAIN_SAVE_BYPASS_CACHE, __func__,
				err);

	if (r == 0)
		r = obj_begin(reg, uuid, "save", &obj, err);
	if (r < 0)
		return r;
	r = check_can_save(obj, err);
	if (r == 0)
		r = save_run(obj, path, dxml, flags, err);
	obj_unclaim(obj);
	return r;
}

int domain_managed_save(struct registry *reg, const uint8_t uuid[UUID_LEN],
			unsigned int flags, struct error *err)
{
	struct dom_obj *obj;
	int r = check_run_flags(flags, VIR_DOMAIN_SAVE_BYPASS_CACHE, __func__,
				err);

	if (r == 0)
		r = obj_begin(reg, uuid, "managed-save", &obj, err);
	if (r < 0)
		return r;
	r = check_can_save(obj, err);
	if (r == 0 && !obj->config)
		r = error_virt(err, VIR_ERR_OPERATION_INVALID,
			       "cannot do managed save for transient domain");
	if (r == 0)
		r = save_run(obj, NULL, NULL, flags, err);
	obj_end(obj);
	return r;
}

/* ---- going on ---- */

static int restore_opened(struct registry *reg, int fd,
			  const struct savefile *file, const char *dxml,
			  unsigned int flags, struct error *err)
{
	struct domain_saved from = { fd, file->offset };
	struct domain_def *def;
	struct dom_obj *obj;
	int r = parse_saved(reg, file->xml, dxml, &def, err);

	if (r < 0)
		return r;
	r = obj_claim(reg, def, "restore", &obj, err);
	if (r == 0) {
		if (obj->active)
			r = error_virt(err, VIR_ERR_OPERATION_INVALID,
				       "domain '%s' is already active",
				       def->name);
		else
			r = run_restore(obj, def, &from, false,
					!runs_after(flags, file->running),
					NULL, err);
		obj_unclaim(obj);
	}
	domain_def_free(def);
	return r;
}

int domain_restore(struct registry *reg, const char *path, const char *dxml,
		   unsigned int flags, struct error *err)
{
	struct savefile file = { 0 };
	_cleanup_close_ int fd = -1;
	int r = check_run_flags(flags,
				VIR_DOMAIN_SAVE_BYPASS_CACHE |
					VIR_DOMAIN_SAVE_RESET_NVRAM,
				__func__, err);

	if (r == 0)
		r = check_files(reg, err);
	if (r == 0)
		r = reg->files->open(path, true, err, &fd);
	if (r == 0)
		r = savefile_read(fd, &file, err);
	if (r == 0)
		r = restore_opened(reg, fd, &file, dxml, flags, err);
	savefile_finish(&file);
	return r;
}

static int open_managed(const struct dom_obj *obj, int mode, int *ret_fd,
			struct error *err)
{
	_cleanup_free_ char *path = managed_path(obj, "save");

	*ret_fd = open(path, mode | O_CLOEXEC);
	return *ret_fd < 0 ? error_set(err, -errno, "cannot open '%s': %m",
				       path) :
			     0;
}

static void remove_managed(const struct dom_obj *obj)
{
	_cleanup_free_ char *path = managed_path(obj, "save");

	if (unlink(path) < 0 && errno != ENOENT)
		log_warn("cannot remove '%s': %s", path, strerror(errno));
}

int save_forget(struct dom_obj *obj, struct error *err)
{
	int r;

	if (!obj->saved)
		return 0;
	r = store_domain_saved(obj->reg->store, obj->d.uuid, false, err);
	if (r < 0)
		return r;
	set_saved(obj, false);
	remove_managed(obj);
	return 0;
}

static int start_managed(struct dom_obj *obj, unsigned int flags, void *owner,
			 struct error *err)
{
	struct savefile file = { 0 };
	struct domain_def *def = NULL;
	_cleanup_close_ int fd = -1;
	int r = open_managed(obj, O_RDONLY, &fd, err);

	if (r == 0)
		r = savefile_read(fd, &file, err);
	if (r == 0)
		r = parse_saved(obj->reg, file.xml, NULL, &def, err);
	if (r == 0)
		r = run_restore(obj, def,
				&(struct domain_saved){ fd, file.offset }, true,
				(flags & VIR_DOMAIN_START_PAUSED) ||
					!file.running,
				owner, err);
	if (r == 0)
		remove_managed(obj);
	if (def)
		domain_def_free(def);
	savefile_finish(&file);
	return r;
}

int save_start(struct dom_obj *obj, unsigned int flags, void *owner,
	       struct error *err)
{
	int r = 0;

	if (obj->saved && (flags & VIR_DOMAIN_START_FORCE_BOOT))
		r = save_forget(obj, err);
	if (r < 0)
		return r;
	if (obj->saved)
		return start_managed(obj, flags, owner, err);
	return run_start(obj, obj->config, flags & VIR_DOMAIN_START_PAUSED,
			 owner, err);
}

/* ---- looking at files, and changing them ---- */

static char *xml_of(struct registry *reg, int fd, unsigned int flags,
		    struct error *err)
{
	struct savefile file = { 0 };
	struct domain_def *def = NULL;
	char *xml = NULL;

	if (savefile_read(fd, &file, err) == 0 &&
	    domain_def_parse(file.xml, 0, &def, err) == 0)
		xml = domain_def_format(
			def, flags & VIR_DOMAIN_SAVE_IMAGE_XML_SECURE ?
				     DOMAIN_FORMAT_SECURE :
				     0);
	domain_def_free(def);
	savefile_finish(&file);
	return xml;
}

static int change(struct registry *reg, int fd, const char *dxml,
		  unsigned int flags, struct error *err)
{
	_cleanup_free_ char *xml = NULL;
	struct savefile file = { 0 };
	struct domain_def *def = NULL;
	int r = savefile_read(fd, &file, err);

	if (r == 0)
		r = parse_saved(reg, file.xml, dxml, &def, err);
	if (r == 0) {
		if (dxml)
			xml = domain_def_format(def, DOMAIN_FORMAT_SECURE);
		r = savefile_change(fd, xml, runs_after(flags, file.running),
				    err);
		domain_def_free(def);
	}
	if (r == 0 && fdatasync(fd) < 0)
		r = error_set(err, -errno, "cannot write the saved guest: %m");
	savefile_finish(&file);
	return r;
}

char *domain_save_image_xml(struct registry *reg, const char *path,
			    unsigned int flags, struct error *err)
{
	_cleanup_close_ int fd = -1;

	if (check_flags(flags, VIR_DOMAIN_SAVE_IMAGE_XML_SECURE, __func__,
			err) < 0 ||
	    check_files(reg, err) < 0 ||
	    reg->files->open(path, true, err, &fd) < 0)
		return NULL;
	return xml_of(reg, fd, flags, err);
}

int domain_save_image_define(struct registry *reg, const char *path,
			     const char *dxml, unsigned int flags,
			     struct error *err)
{
	_cleanup_close_ int fd = -1;
	int r = check_run_flags(flags, 0, __func__, err);

	if (r == 0)
		r = check_files(reg, err);
	if (r == 0)
		r = reg->files->open(path, false, err, &fd);
	return r < 0 ? r : change(reg, fd, dxml, flags, err);
}

/* With the job: nobody starts it meanwhile. */
static int begin_managed_call(struct registry *reg,
			      const uint8_t uuid[UUID_LEN], const char *job,
			      struct dom_obj **ret_obj, struct error *err)
{
	int r = obj_begin(reg, uuid, job, ret_obj, err);

	if (r < 0)
		return r;
	if (!(*ret_obj)->saved) {
		obj_end(*ret_obj);
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "domain does not have managed save image");
	}
	return 0;
}

int domain_has_managed_save(struct registry *reg, const uint8_t uuid[UUID_LEN],
			    struct error *err)
{
	struct dom_obj *obj;
	int r = obj_look(reg, uuid, &obj, err);

	if (r < 0)
		return r;
	r = obj->saved;
	obj_looked(obj);
	return r;
}

int domain_managed_save_remove(struct registry *reg,
			       const uint8_t uuid[UUID_LEN], struct error *err)
{
	struct dom_obj *obj;
	int r = obj_begin(reg, uuid, "managed-save-remove", &obj, err);

	if (r < 0)
		return r;
	r = save_forget(obj, err);
	obj_end(obj);
	return r;
}

char *domain_managed_save_xml(struct registry *reg,
			      const uint8_t uuid[UUID_LEN], unsigned int flags,
			      struct error *err)
{
	struct dom_obj *obj;
	char *xml = NULL;
	int fd;

	if (check_flags(flags, VIR_DOMAIN_SAVE_IMAGE_XML_SECURE, __func__,
			err) < 0 ||
	    begin_managed_call(reg, uuid, "managed-save-xml", &obj, err) < 0)
		return NULL;
	if (open_managed(obj, O_RDONLY, &fd, err) == 0) {
		xml = xml_of(reg, fd, flags, err);
		fd_close(fd);
	}
	obj_end(obj);
	return xml;
}

int domain_managed_save_define(struct registry *reg,
			       const uint8_t uuid[UUID_LEN], const char *dxml,
			       unsigned int flags, struct error *err)
{
	struct dom_obj *obj;
	int fd, r = check_run_flags(flags, 0, __func__, err);

	if (r == 0)
		r = begin_managed_call(reg, uuid, "managed-save-define", &obj,
				       err);
	if (r < 0)
		return r;
	r = open_managed(obj, O_RDWR, &fd, err);
	if (r == 0) {
		r = change(reg, fd, dxml, flags, err);
		fd_close(fd);
	}
	obj_end(obj);
	return r;
}
