/*
 * daemon/backup.c -- a backup of a running domain's disks, as they are at one
 * moment: into files, or for clients to read.
 *
 * The machine does the work, a job a disk (vmm/blockjob_backup.c), and serves
 * the clients, at a socket that is made here.  What a disk was, of what the
 * guest has changed since, is in a file that has no name any more once the
 * machine has it.
 */
#include "daemon/backup.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <time.h>

#include "daemon/blockjob.h"
#include "daemon/checkpoint.h"
#include "daemon/overlay.h"
#include "daemon/snapshot_take.h"
#include "model/backup.h"

#define LOG_MODULE "backup"
#include "base/log.h"

struct backup {
	struct backup_def *def;
	uint64_t started; /* now_ns() */
	bool canceled, failed;
};

void backup_free(struct backup *b)
{
	if (!b)
		return;
	backup_def_free(b->def);
	free(b);
}

static struct backup *take_backup(struct dom_obj *obj)
{
	struct backup *b;

	pthread_mutex_lock(&obj->reg->lock);
	b = steal_ptr(&obj->backup);
	pthread_mutex_unlock(&obj->reg->lock);
	return b;
}

static struct dom_disk *disk_of(struct dom_obj *obj,
				const struct backup_disk *d)
{
	return snapshot_find_disk(obj->d.live, d->name);
}

static void warn(struct dom_obj *obj, const struct error *err)
{
	log_warn("domain '%s': %s", obj->d.name, err->message);
}

/* ---- its disks' jobs ---- */

static void change(struct dom_obj *obj, const char *alias,
		   enum domain_blockjob_what what)
{
	struct error err = { 0 };

	if (driver_call(obj, &err, blockjob_change, alias, what, 0) < 0)
		warn(obj, &err);
}

struct sum {
	uint64_t total, done;
	bool running, failed;
};

/* The job of each of the first n disks; error: as of one that failed. */
static void look(struct dom_obj *obj, const struct backup_def *def,
		 struct sum *ret)
{
	struct domain_blockjob_info info;
	struct error err = { 0 };

	*ret = (struct sum){ 0 };
	for (unsigned int i = 0; i < def->n_disks; i++) {
		struct dom_disk *disk = disk_of(obj, &def->disks[i]);
		int r = disk ? driver_call(obj, &err, blockjob_info,
					   disk->info.alias, &info) :
			       0;

		if (r <= 0) {
			ret->failed = true;
			continue;
		}
		ret->total += info.end;
		ret->done += info.current;
		ret->running |= info.state <= DOMAIN_BLOCKJOB_READY;
		ret->failed |= info.state == DOMAIN_BLOCKJOB_FAILED;
		if (info.state == DOMAIN_BLOCKJOB_FAILED)
			log_warn("domain '%s': %s", obj->d.name, info.error);
	}
}

/* Of all that (still) have one. */
static void change_all(struct dom_obj *obj, const struct backup_def *def,
		       enum domain_blockjob_what what)
{
	struct domain_blockjob_info info;
	struct error err = { 0 };

	for (unsigned int i = 0; i < def->n_disks; i++) {
		struct dom_disk *disk = disk_of(obj, &def->disks[i]);

		if (disk &&
		    driver_call(obj, &err, blockjob_info, disk->info.alias,
				&info) > 0 &&
		    (info.state <= DOMAIN_BLOCKJOB_READY) ==
			    (what != DOMAIN_BLOCKJOB_FORGET))
			change(obj, disk->info.alias, what);
	}
}

static void stop_clients(struct dom_obj *obj)
{
	struct error err = { 0 };

	if (driver_call(obj, &err, nbd_stop) < 0)
		warn(obj, &err);
}

/* ---- the end ---- */

static struct domain_job job_of(const struct backup *b, const struct sum *sum)
{
	return (struct domain_job){
		.operation = VIR_DOMAIN_JOB_OPERATION_BACKUP,
		.of_disks = true,
		.progress = {
			.elapsed_ns = now_ns() - b->started,
			.total = sum->total,
			.done = sum->done,
		},
	};
}

static void finish(struct dom_obj *obj, const struct sum *sum)
{
	struct domain_notice n = { .kind = DOMAIN_NOTIFY_JOB };
	struct backup *b = take_backup(obj);

	if (b->def->pull)
		stop_clients(obj);
	change_all(obj, b->def, DOMAIN_BLOCKJOB_FORGET);
	n.job = job_of(b, sum);
	n.job.ended_badly = b->failed || (b->canceled && !b->def->pull);
	n.job.type = b->failed	       ? VIR_DOMAIN_JOB_FAILED :
		     n.job.ended_badly ? VIR_DOMAIN_JOB_CANCELLED :
					 VIR_DOMAIN_JOB_COMPLETED;
	pthread_mutex_lock(&obj->reg->lock);
	obj->async.done = n.job;
	pthread_mutex_unlock(&obj->reg->lock);
	notify(obj, &n);
	backup_free(b);
}

/* One that an earlier daemon began, and told nobody about. */
static void give_up(struct dom_obj *obj, const char *alias,
		    const struct domain_blockjob_info *info)
{
	if (info->state > DOMAIN_BLOCKJOB_READY) {
		change(obj, alias, DOMAIN_BLOCKJOB_FORGET);
		return;
	}
	log_warn("domain '%s': the backup of %s ends, as the daemon did that began it",
		 obj->d.name, alias);
	stop_clients(obj);
	change(obj, alias, DOMAIN_BLOCKJOB_ABORT);
}

/* When one of several fails the others are of no use. */
void backup_heard(struct dom_obj *obj, const char *alias,
		  const struct domain_blockjob_info *info)
{
	struct backup *b = obj->backup;
	struct sum sum;

	if (!b) {
		give_up(obj, alias, info);
		return;
	}
	look(obj, b->def, &sum);
	if (sum.failed && !b->failed)
		change_all(obj, b->def, DOMAIN_BLOCKJOB_ABORT);
	b->failed |= sum.failed;
	if (!sum.running)
		finish(obj, &sum);
}

int backup_abort(struct dom_obj *obj, struct error *err)
{
	int r = job_begin(obj, "abort-backup", err);

	if (r < 0)
		return r;
	r = obj->backup ? 0 : 1;
	if (r == 0) {
		obj->backup->canceled = true;
		change_all(obj, obj->backup->def, DOMAIN_BLOCKJOB_ABORT);
	}
	job_end(obj);
	return r;
}

int backup_progress(struct dom_obj *obj, struct domain_job *ret,
		    struct error *err)
{
	struct sum sum;
	int r = job_begin(obj, "job-info", err);

	if (r < 0)
		return r;
	r = obj->backup ? 1 : 0;
	if (r) {
		look(obj, obj->backup->def, &sum);
		*ret = job_of(obj->backup, &sum);
		ret->type = VIR_DOMAIN_JOB_UNBOUNDED;
	}
	job_end(obj);
	return r;
}

/* ---- the beginning ---- */

static struct image image_of(const struct backup_disk *d)
{
	return (struct image){ d->file, d->format, d->is_device };
}

static int create_one(struct dom_obj *obj, const struct backup_disk *d,
		      struct error *err)
{
	struct dom_disk *disk = disk_of(obj, d);
	struct image own = image_of_disk(disk), image = image_of(d);
	uint64_t size;
	int r = overlay_size(obj->reg, &own, &size, err);

	return r < 0 ? r : overlay_create_alone(obj->reg, &image, size, err);
}

static void remove_files(struct dom_obj *obj, const struct backup_def *def,
			 unsigned int n)
{
	struct error err = { 0 };

	for (unsigned int i = 0; i < n; i++)
		if (!def->disks[i].is_device &&
		    overlay_remove(obj->reg, def->disks[i].file, &err) < 0)
			warn(obj, &err);
}

static int create_files(struct dom_obj *obj, const struct backup_def *def,
			struct error *err)
{
	for (unsigned int i = 0; i < def->n_disks; i++) {
		int r = create_one(obj, &def->disks[i], err);

		if (r >= 0)
			continue;
		remove_files(obj, def, i);
		return r;
	}
	return 0;
}

static int begin_one(struct dom_obj *obj, const struct backup_def *def,
		     const struct backup_disk *d, struct error *err)
{
	_cleanup_free_ char *context =
		d->export_bitmap ?
			xasprintf("qemu:dirty-bitmap:%s", d->export_bitmap) :
			NULL;
	struct domain_def *copy = domain_def_copy(obj->d.live);
	struct dom_disk *disk = snapshot_find_disk(copy, d->name);
	struct domain_blockjob job = {
		.kind = def->pull ? DOMAIN_BLOCKJOB_EXPORT :
				    DOMAIN_BLOCKJOB_BACKUP,
		.after = disk,
		.export = d->export,
		.bitmap = d->incremental,
		.context = context,
	};
	struct image image = image_of(d);
	int r;

	snapshot_set_image(disk, &image);
	r = driver_call(obj, err, blockjob_begin, &job);
	domain_def_free(copy);
	return r;
}

/* What is written from here on is marked by the checkpoint, first: so it is in
 * this backup or in the next, or in both. */
static int begin_paused(struct dom_obj *obj, const struct backup_def *def,
			const struct checkpoint_def *checkpoint,
			struct error *err)
{
	struct error ignored = { 0 };
	int r = checkpoint ? checkpoint_mark(obj, checkpoint, err) : 0;

	if (r < 0)
		return r;
	for (unsigned int i = 0; i < def->n_disks && r >= 0; i++)
		r = begin_one(obj, def, &def->disks[i], err);
	if (r < 0 && checkpoint)
		checkpoint_unmark(obj, checkpoint, &ignored);
	return r;
}

/* All at one moment: the guest does nothing between the first and the last. */
static int begin_all(struct dom_obj *obj, const struct backup_def *def,
		     const struct checkpoint_def *checkpoint,
		     struct error *err)
{
	bool stop = obj->state == VIR_DOMAIN_RUNNING &&
		    (def->n_disks > 1 || checkpoint);
	struct error ignored = { 0 };
	int r = stop ? driver_call(obj, err, pause) : 0;

	if (r < 0)
		return r;
	r = begin_paused(obj, def, checkpoint, err);
	if (stop && driver_call(obj, r < 0 ? &ignored : err, resume) < 0 &&
	    r >= 0)
		r = -EIO;
	return r;
}

/* The port is any, if it was 0. */
static int listen_for(struct dom_obj *obj, struct backup_def *def, int *ret_fd,
		      struct error *err)
{
	const char *address = def->address ? def->address : "127.0.0.1";

	if (def->socket)
		return obj->reg->net->listen_unix(def->socket, err, ret_fd);
	if (str_eq(address, "localhost"))
		address = "127.0.0.1";
	return obj->reg->net->listen_tcp(
		address, def->port ? def->port : 1024,
		def->port ? def->port : UINT16_MAX, err, &def->port, ret_fd);
}

static int serve(struct dom_obj *obj, struct backup_def *def,
		 struct error *err)
{
	_cleanup_close_ int fd = -1;
	int r = listen_for(obj, def, &fd, err);

	return r < 0 ? r : driver_call(obj, err, nbd_start, fd);
}

/* The jobs and their clients; a checkpoint is taken over on success. */
static int begin_work(struct dom_obj *obj, struct backup_def *def,
		      struct checkpoint_def *checkpoint, struct error *err)
{
	struct error ignored = { 0 };
	int r = begin_all(obj, def, checkpoint, err);

	if (r < 0)
		return r;
	if (def->pull)
		r = serve(obj, def, err);
	if (r >= 0 && checkpoint)
		r = checkpoint_record(obj, checkpoint, err);
	if (r < 0 && checkpoint)
		checkpoint_unmark(obj, checkpoint, &ignored);
	return r;
}

static int start(struct dom_obj *obj, struct backup *b,
		 struct checkpoint_def *checkpoint, bool reuse,
		 struct error *err)
{
	int r = reuse ? 0 : create_files(obj, b->def, err);

	if (r < 0)
		return r;
	b->started = now_ns();
	r = begin_work(obj, b->def, checkpoint, err);
	if (r < 0)
		change_all(obj, b->def, DOMAIN_BLOCKJOB_ABORT);
	if (!reuse && (r < 0 || b->def->pull))
		remove_files(obj, b->def, b->def->n_disks);
	return r;
}

/* The checkpoint is there, and so is the bitmap. */
static int check_since(struct dom_obj *obj, const struct backup_disk *d,
		       struct error *err)
{
	const struct checkpoint *c;
	uint64_t size;

	if (!d->incremental)
		return 0;
	c = checkpoints_get(obj->checkpoints, d->incremental, err);
	return c ? checkpoint_measure(obj, c->def, d->name, &size, err) :
		   -ENOENT;
}

static int check(struct dom_obj *obj, const struct backup_def *def,
		 struct checkpoint_def *checkpoint, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < def->n_disks && r >= 0; i++) {
		r = blockjob_check_free(obj, disk_of(obj, &def->disks[i]),
					err);
		if (r >= 0)
			r = check_since(obj, &def->disks[i], err);
	}
	return r < 0 || !checkpoint ? r :
				      checkpoint_prepare(obj, checkpoint, err);
}

static int begin(struct dom_obj *obj, struct backup_def *def,
		 struct checkpoint_def *checkpoint, bool reuse,
		 struct error *err)
{
	_cleanup_free_ char *suffix =
		xasprintf("%lld%s", (long long)time(NULL),
			  def->pull ? ".scratch" : "");
	struct backup *b;
	int r = run_check_active(obj, err);

	if (r == 0 && obj->backup)
		r = error_virt(err, VIR_ERR_OPERATION_INVALID,
			       "a backup of the domain is under way");
	if (r == 0 && (!obj->reg->files || !obj->reg->net))
		r = error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
			       "there are no disks here");
	if (r == 0)
		r = backup_align(def, obj->d.live, suffix, err);
	if (r == 0)
		r = check(obj, def, checkpoint, err);
	if (r < 0)
		return r;
	b = xcalloc(1, sizeof(*b));
	b->def = def;
	r = start(obj, b, checkpoint, reuse, err);
	if (r < 0) {
		free(b);
		return r;
	}
	pthread_mutex_lock(&obj->reg->lock);
	obj->backup = b;
	pthread_mutex_unlock(&obj->reg->lock);
	return 0;
}

int domain_backup_begin(struct registry *reg, const uint8_t uuid[UUID_LEN],
			const char *xml, const char *checkpoint,
			unsigned int flags, struct error *err)
{
	struct checkpoint_def *mark = NULL;
	struct backup_def *def = NULL;
	struct dom_obj *obj;
	int r = check_flags(flags, VIR_DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL,
			    __func__, err);

	if (r == 0)
		r = backup_def_parse(xml, &def, err);
	if (r == 0 && checkpoint)
		r = checkpoint_def_parse(checkpoint,
					 CHECKPOINT_PARSE_VALIDATE, &mark,
					 err);
	if (r == 0)
		r = obj_begin(reg, uuid, "backup", &obj, err);
	if (r == 0) {
		r = begin(obj, def, mark, flags, err);
		obj_end(obj);
	}
	if (r < 0) {
		checkpoint_def_free(mark);
		backup_def_free(def);
	}
	return r;
}

char *domain_backup_xml(struct registry *reg, const uint8_t uuid[UUID_LEN],
			unsigned int flags, struct error *err)
{
	struct dom_obj *obj;
	char *xml = NULL;

	if (check_flags(flags, 0, __func__, err) < 0 ||
	    obj_look(reg, uuid, &obj, err) < 0)
		return NULL;
	if (obj->backup)
		xml = backup_def_format(obj->backup->def);
	else
		error_virt(err, VIR_ERR_NO_DOMAIN_BACKUP,
			   "no domain backup job present");
	obj_looked(obj);
	return xml;
}
