/*
 * daemon/blockjob.c -- jobs on the images of a running domain's disks: their
 * beginning, what clients ask of them, and what becomes of the definitions.
 *
 * What a job leaves is in the images before it is in a definition: whoever is
 * killed in between finds the machine's word that it is over, and the images,
 * which say what they are based on.
 */
#include "daemon/blockjob.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <unistd.h>

#include "daemon/backup.h"
#include "daemon/checkpoint.h"
#include "daemon/definition.h"
#include "daemon/overlay.h"
#include "daemon/snapshot_take.h"

#define LOG_MODULE "blockjob"
#include "base/log.h"

enum { WAIT_US = 20000 };

static const int types[] = {
	[DOMAIN_BLOCKJOB_PULL] = VIR_DOMAIN_BLOCK_JOB_TYPE_PULL,
	[DOMAIN_BLOCKJOB_COMMIT] = VIR_DOMAIN_BLOCK_JOB_TYPE_COMMIT,
	[DOMAIN_BLOCKJOB_COPY] = VIR_DOMAIN_BLOCK_JOB_TYPE_COPY,
	[DOMAIN_BLOCKJOB_ACTIVE] = VIR_DOMAIN_BLOCK_JOB_TYPE_ACTIVE_COMMIT,
	[DOMAIN_BLOCKJOB_BACKUP] = VIR_DOMAIN_BLOCK_JOB_TYPE_BACKUP,
	[DOMAIN_BLOCKJOB_EXPORT] = VIR_DOMAIN_BLOCK_JOB_TYPE_BACKUP,
};

/* ---- definitions ---- */

static struct dom_disk *live_disk(struct dom_obj *obj, const char *alias)
{
	struct domain_def *def = obj->d.live;

	for (unsigned int i = 0; i < def->n_disks; i++)
		if (str_eq(def->disks[i].info.alias, alias))
			return &def->disks[i];
	return NULL;
}

static void record(struct dom_obj *obj)
{
	struct error err = { 0 };

	if (run_record(obj, &err) < 0)
		log_warn("domain '%s': %s", obj->d.name, err.message);
}

static void set_mirror(struct dom_obj *obj, struct dom_disk *disk,
		       const struct dom_mirror *mirror)
{
	pthread_mutex_lock(&obj->reg->lock);
	disk_set_mirror(disk, mirror);
	pthread_mutex_unlock(&obj->reg->lock);
}

/* What is below is what the images say from now on. */
static void set_images(struct dom_disk *disk, const struct dom_mirror *mirror)
{
	if (mirror) {
		struct image image = { mirror->image.source,
				       mirror->image.format,
				       mirror->image.is_device };

		snapshot_set_image(disk, &image);
	}
	disk_set_layers(disk, NULL, 0);
}

/* The next run has what this one has, if it had the same image before. */
static void change_config(struct dom_obj *obj, const char *target,
			  const char *source, const struct dom_mirror *mirror)
{
	struct domain_def *next;
	struct error err = { 0 };
	struct dom_disk *disk;

	if (!obj->config)
		return;
	next = domain_def_copy(obj->config);
	disk = snapshot_find_disk(next, target);
	if (disk && str_eq(disk->source, source)) {
		set_images(disk, mirror);
		if (config_replace(obj, next, &err) == 0)
			return;
		log_warn("domain '%s': %s", obj->d.name, err.message);
	}
	domain_def_free(next);
}

/* Shown as libvirt does: each image that the disk's is based on. */
static void show_chain(struct dom_obj *obj, struct dom_disk *disk)
{
	struct image_chain c;
	struct error err = { 0 };

	if (image_chain_read(obj->reg, disk, &c, &err) < 0) {
		log_warn("domain '%s': %s", obj->d.name, err.message);
		return;
	}
	pthread_mutex_lock(&obj->reg->lock);
	disk_set_layers(disk, c.layers + 1, c.n - 1);
	pthread_mutex_unlock(&obj->reg->lock);
	image_chain_finish(&c);
}

static void completed(struct dom_obj *obj, struct dom_disk *disk,
		      enum domain_blockjob_kind kind)
{
	_cleanup_free_ char *source = xstrdup(disk->source);
	bool copy = kind == DOMAIN_BLOCKJOB_COPY ||
		    kind == DOMAIN_BLOCKJOB_ACTIVE;
	struct dom_mirror mirror = { 0 };
	bool has = copy && disk_mirror(disk, &mirror) > 0;

	change_config(obj, disk->target_dev, source, has ? &mirror : NULL);
	pthread_mutex_lock(&obj->reg->lock);
	set_images(disk, has ? &mirror : NULL);
	disk_set_mirror(disk, NULL);
	pthread_mutex_unlock(&obj->reg->lock);
	show_chain(obj, disk);
	disk_mirror_finish(&mirror);
}

static void tell(struct dom_obj *obj, const char *source, const char *target,
		 enum domain_blockjob_kind kind, int status)
{
	struct domain_notice n = {
		.kind = DOMAIN_NOTIFY_BLOCK_JOB,
		.event = types[kind],
		.detail = status,
		.uri = source,
	};

	notify(obj, &n);
	n.kind = DOMAIN_NOTIFY_BLOCK_JOB_2;
	n.uri = target;
	notify(obj, &n);
}

static void ready(struct dom_obj *obj, struct dom_disk *disk,
		  enum domain_blockjob_kind kind)
{
	struct dom_mirror mirror = { 0 };
	bool news = disk_mirror(disk, &mirror) > 0 && !mirror.ready;

	mirror.ready = true;
	if (news) {
		set_mirror(obj, disk, &mirror);
		record(obj);
		tell(obj, disk->source, disk->target_dev, kind,
		     VIR_DOMAIN_BLOCK_JOB_READY);
	}
	disk_mirror_finish(&mirror);
}

/* The definitions are stored before the machine forgets it. */
void blockjob_over(struct dom_obj *obj, struct dom_disk *disk,
		   const struct domain_blockjob_info *info)
{
	_cleanup_free_ char *source = xstrdup(disk->source);
	struct error err = { 0 };
	int status = info->state == DOMAIN_BLOCKJOB_COMPLETED ?
			     VIR_DOMAIN_BLOCK_JOB_COMPLETED :
		     info->state == DOMAIN_BLOCKJOB_CANCELED ?
			     VIR_DOMAIN_BLOCK_JOB_CANCELED :
			     VIR_DOMAIN_BLOCK_JOB_FAILED;

	if (info->error[0])
		log_warn("domain '%s': %s", obj->d.name, info->error);
	if (info->state == DOMAIN_BLOCKJOB_COMPLETED)
		completed(obj, disk, info->kind);
	else
		set_mirror(obj, disk, NULL);
	record(obj);
	if (driver_call(obj, &err, blockjob_change, disk->info.alias,
			DOMAIN_BLOCKJOB_FORGET, 0) < 0)
		log_warn("domain '%s': %s", obj->d.name, err.message);
	tell(obj, source, disk->target_dev, info->kind, status);
}

static bool is_backup(const struct domain_blockjob_info *info)
{
	return info->kind == DOMAIN_BLOCKJOB_BACKUP ||
	       info->kind == DOMAIN_BLOCKJOB_EXPORT;
}

void blockjob_event(struct dom_obj *obj, const char *alias)
{
	struct dom_disk *disk = live_disk(obj, alias);
	struct domain_blockjob_info info;
	struct error err = { 0 };
	int r = disk ? driver_call(obj, &err, blockjob_info, alias, &info) : 0;

	if (r < 0)
		log_warn("domain '%s': %s", obj->d.name, err.message);
	if (r <= 0)
		return;
	if (is_backup(&info))
		backup_heard(obj, alias, &info);
	else if (info.state == DOMAIN_BLOCKJOB_READY)
		ready(obj, disk, info.kind);
	else if (info.state > DOMAIN_BLOCKJOB_READY)
		blockjob_over(obj, disk, &info);
}

/* ---- finding ---- */

static int find_disk(struct dom_obj *obj, const char *path,
		     struct dom_disk **ret, struct error *err)
{
	const struct dom_disk *disk;
	int r = run_check_active(obj, err);

	if (r < 0)
		return r;
	disk = block_find_disk(obj->d.live, path, err);
	if (!disk)
		return -EINVAL;
	*ret = live_disk(obj, disk->info.alias);
	return *ret ? 0 : -EINVAL;
}

/* The domain's job and the disk. */
static int enter(struct registry *reg, const uint8_t uuid[UUID_LEN],
		 const char *path, const char *what, struct dom_obj **ret_obj,
		 struct dom_disk **ret_disk, struct error *err)
{
	int r = obj_begin(reg, uuid, what, ret_obj, err);

	if (r < 0)
		return r;
	r = find_disk(*ret_obj, path, ret_disk, err);
	if (r < 0)
		obj_end(*ret_obj);
	return r;
}

static int no_job(const struct dom_disk *disk, struct error *err)
{
	return error_virt(err, VIR_ERR_INVALID_ARG,
			  "disk %s does not have an active block job",
			  disk->target_dev);
}

/* One that goes on. */
static int need_job(struct dom_obj *obj, struct dom_disk *disk,
		    struct domain_blockjob_info *ret, struct error *err)
{
	int r = driver_call(obj, err, blockjob_info, disk->info.alias, ret);

	if (r < 0)
		return r;
	return r && ret->state <= DOMAIN_BLOCKJOB_READY ? 0 :
							  no_job(disk, err);
}

/* ---- asking and changing ---- */

int domain_block_job_info(struct registry *reg, const uint8_t uuid[UUID_LEN],
			  const char *path, unsigned int flags,
			  struct domain_block_job *ret, struct error *err)
{
	bool bytes = flags & VIR_DOMAIN_BLOCK_JOB_INFO_BANDWIDTH_BYTES;
	struct domain_blockjob_info info;
	struct dom_disk *disk;
	struct dom_obj *obj;
	int r = check_flags(flags, VIR_DOMAIN_BLOCK_JOB_INFO_BANDWIDTH_BYTES,
			    __func__, err);

	if (r == 0)
		r = enter(reg, uuid, path, "block-job-info", &obj, &disk, err);
	if (r < 0)
		return r;
	r = driver_call(obj, err, blockjob_info, disk->info.alias, &info);
	obj_end(obj);
	if (r <= 0 || info.state > DOMAIN_BLOCKJOB_READY)
		return MIN(r, 0);
	*ret = (struct domain_block_job){
		.type = types[info.kind],
		.bandwidth = bytes ? info.speed : info.speed / MIB,
		.cur = info.current,
		.end = info.end,
	};
	/* Only what is ready looks so. */
	if (info.state == DOMAIN_BLOCKJOB_RUNNING && ret->cur &&
	    ret->cur == ret->end)
		ret->cur--;
	return 1;
}

static int to_bytes(uint64_t bandwidth, bool bytes, uint64_t *ret,
		    struct error *err)
{
	if (bandwidth > (bytes ? INT64_MAX : INT64_MAX >> 20))
		return error_virt(err, VIR_ERR_OVERFLOW,
				  "bandwidth must be less than %llu",
				  1ull + (bytes ? INT64_MAX : INT64_MAX >> 20));
	*ret = bytes ? bandwidth : bandwidth << 20;
	return 0;
}

int domain_block_job_speed(struct registry *reg, const uint8_t uuid[UUID_LEN],
			   const char *path, uint64_t bandwidth,
			   unsigned int flags, struct error *err)
{
	struct domain_blockjob_info info;
	struct dom_disk *disk;
	struct dom_obj *obj;
	int r = check_flags(flags, VIR_DOMAIN_BLOCK_JOB_SPEED_BANDWIDTH_BYTES,
			    __func__, err);

	if (r == 0)
		r = to_bytes(bandwidth, flags, &bandwidth, err);
	if (r == 0)
		r = enter(reg, uuid, path, "block-job-speed", &obj, &disk,
			  err);
	if (r < 0)
		return r;
	r = need_job(obj, disk, &info, err);
	if (r == 0)
		r = driver_call(obj, err, blockjob_change, disk->info.alias,
				DOMAIN_BLOCKJOB_SPEED, bandwidth);
	obj_end(obj);
	return r;
}

static int check_pivot(const struct dom_disk *disk,
		       const struct domain_blockjob_info *info,
		       struct error *err)
{
	if (info->kind != DOMAIN_BLOCKJOB_COPY &&
	    info->kind != DOMAIN_BLOCKJOB_ACTIVE)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "the block job of disk '%s' does not support pivot",
				  disk->target_dev);
	if (info->state != DOMAIN_BLOCKJOB_READY)
		return error_virt(err, VIR_ERR_BLOCK_COPY_ACTIVE,
				  "block copy of disk '%s' not ready for pivot yet",
				  disk->target_dev);
	return 0;
}

/* Until it is over; a machine that ends meanwhile does not answer. */
static int wait_over(struct dom_obj *obj, struct dom_disk *disk, bool pivot,
		     struct error *err)
{
	struct domain_blockjob_info info = { 0 };
	int r;

	for (;;) {
		r = driver_call(obj, err, blockjob_info, disk->info.alias,
				&info);
		if (r <= 0 || info.state > DOMAIN_BLOCKJOB_READY)
			break;
		usleep(WAIT_US);
	}
	if (r <= 0)
		return r;
	blockjob_over(obj, disk, &info);
	return pivot && info.state != DOMAIN_BLOCKJOB_COMPLETED ?
		       error_virt(err, VIR_ERR_OPERATION_FAILED,
				  "disk '%s' cannot change over: %s",
				  disk->target_dev, info.error) :
		       0;
}

static int end_job(struct dom_obj *obj, struct dom_disk *disk,
		   unsigned int flags, struct error *err)
{
	bool pivot = flags & VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT;
	struct domain_blockjob_info info;
	int r = need_job(obj, disk, &info, err);

	if (r == 0 && is_backup(&info))
		r = error_virt(err, VIR_ERR_OPERATION_INVALID,
			       "disk '%s' is part of a backup, which is aborted as a whole",
			       disk->target_dev);
	if (r == 0 && pivot)
		r = check_pivot(disk, &info, err);
	if (r == 0)
		r = driver_call(obj, err, blockjob_change, disk->info.alias,
				pivot ? DOMAIN_BLOCKJOB_PIVOT :
					DOMAIN_BLOCKJOB_ABORT,
				0);
	if (r < 0 || (flags & VIR_DOMAIN_BLOCK_JOB_ABORT_ASYNC))
		return r;
	return wait_over(obj, disk, pivot, err);
}

int domain_block_job_abort(struct registry *reg, const uint8_t uuid[UUID_LEN],
			   const char *path, unsigned int flags,
			   struct error *err)
{
	struct dom_disk *disk;
	struct dom_obj *obj;
	int r = check_flags(flags,
			    VIR_DOMAIN_BLOCK_JOB_ABORT_ASYNC |
				    VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT,
			    __func__, err);

	if (r == 0)
		r = enter(reg, uuid, path, "block-job-abort", &obj, &disk,
			  err);
	if (r < 0)
		return r;
	r = end_job(obj, disk, flags, err);
	obj_end(obj);
	return r;
}

/* ---- beginning ---- */

int blockjob_check_free(struct dom_obj *obj, struct dom_disk *disk,
			struct error *err)
{
	struct domain_blockjob_info info;
	int r = driver_call(obj, err, blockjob_info, disk->info.alias, &info);

	if (r < 0)
		return r;
	if (r && info.state <= DOMAIN_BLOCKJOB_READY)
		return error_virt(err,
				  info.kind == DOMAIN_BLOCKJOB_COPY ?
					  VIR_ERR_BLOCK_COPY_ACTIVE :
					  VIR_ERR_OPERATION_UNSUPPORTED,
				  "disk '%s' already in active block job",
				  disk->target_dev);
	if (r && is_backup(&info))
		backup_heard(obj, disk->info.alias, &info);
	else if (r)
		blockjob_over(obj, disk, &info);
	if (!disk->source || disk->readonly ||
	    disk->device != DISK_DEV_DISK || disk->type > DISK_BLOCK)
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "disk '%s' is no file or block device that the guest writes",
				  disk->target_dev);
	return 0;
}

/* As the disk will be: of the live definition's copy. */
struct future {
	struct domain_def *def;
	struct dom_disk *disk;
};

static void future_make(struct future *f, struct dom_obj *obj,
			const struct dom_disk *disk)
{
	f->def = domain_def_copy(obj->d.live);
	f->disk = &f->def->disks[disk - obj->d.live->disks];
}

/* A copy is in the definition before it is begun. */
static int begin(struct dom_obj *obj, struct dom_disk *disk,
		 const struct domain_blockjob *job,
		 const struct dom_mirror *mirror, struct error *err)
{
	int r = checkpoints_refuse_images(obj, "change images", err);

	if (r < 0)
		return r;
	if (mirror) {
		set_mirror(obj, disk, mirror);
		r = run_record(obj, err);
		if (r < 0)
			return set_mirror(obj, disk, NULL), r;
	}
	r = driver_call(obj, err, blockjob_begin, job);
	if (r < 0 && mirror) {
		set_mirror(obj, disk, NULL);
		record(obj);
	}
	return r;
}

static int pull(struct dom_obj *obj, struct dom_disk *disk,
		const struct image_chain *c, const char *base, uint64_t speed,
		struct error *err)
{
	struct domain_blockjob job = { .kind = DOMAIN_BLOCKJOB_PULL,
				       .bottom = c->n, .speed = speed };
	struct future f;
	int r = base ? image_chain_find(c, disk, base, &job.bottom, err) : 0;

	if (r < 0)
		return r;
	if (!job.bottom)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "image '%s' is the disk's own", base);
	if (job.bottom < 2)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "disk '%s' has nothing to pull",
				  disk->target_dev);
	future_make(&f, obj, disk);
	disk_set_layers(f.disk, c->layers + job.bottom, c->n - job.bottom);
	job.backing = job.bottom < c->n ? &c->layers[job.bottom] : NULL;
	job.after = f.disk;
	r = begin(obj, disk, &job, NULL, err);
	domain_def_free(f.def);
	return r;
}

int domain_block_pull(struct registry *reg, const uint8_t uuid[UUID_LEN],
		      const char *path, const char *base, uint64_t bandwidth,
		      unsigned int flags, struct error *err)
{
	struct image_chain c = { 0 };
	struct dom_disk *disk;
	struct dom_obj *obj;
	int r = check_flags(flags, VIR_DOMAIN_BLOCK_PULL_BANDWIDTH_BYTES,
			    __func__, err);

	if (r == 0)
		r = to_bytes(bandwidth, flags, &bandwidth, err);
	if (r == 0)
		r = enter(reg, uuid, path, "block-pull", &obj, &disk, err);
	if (r < 0)
		return r;
	r = blockjob_check_free(obj, disk, err);
	if (r == 0)
		r = image_chain_read(reg, disk, &c, err);
	if (r == 0)
		r = pull(obj, disk, &c, base, bandwidth, err);
	image_chain_finish(&c);
	obj_end(obj);
	return r;
}

/* ---- commit ---- */

static int find_range(const struct image_chain *c, const struct dom_disk *disk,
		      const char *base, const char *top, unsigned int flags,
		      struct domain_blockjob *job, struct error *err)
{
	bool active = flags & VIR_DOMAIN_BLOCK_COMMIT_ACTIVE;
	int r = top ? image_chain_find(c, disk, top, &job->top, err) : 0;

	if (r < 0)
		return r;
	if (!job->top && !active)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "commit of '%s' active layer requires active flag",
				  disk->target_dev);
	if (job->top && active)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "active commit requested but '%s' is not active",
				  c->layers[job->top].source);
	job->bottom = flags & VIR_DOMAIN_BLOCK_COMMIT_SHALLOW ? job->top + 1 :
								c->n - 1;
	if (base)
		r = image_chain_find(c, disk, base, &job->bottom, err);
	if (r == 0 && (job->bottom <= job->top || job->bottom >= c->n))
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "top '%s' in chain for '%s' has no backing file",
				  c->layers[job->top].source, disk->source);
	return r;
}

/* What is above the top, and from the bottom on. */
static void without_range(struct dom_disk *disk, const struct image_chain *c,
			  unsigned int top, unsigned int bottom)
{
	struct dom_layer *list = xcalloc(c->n, sizeof(*list));
	unsigned int n = 0;

	for (unsigned int i = 1; i < c->n; i++)
		if (i < top || i >= bottom)
			list[n++] = c->layers[i];
	disk_set_layers(disk, list, n);
	free(list);
}

int blockjob_commit(struct dom_obj *obj, struct dom_disk *disk,
		    const struct image_chain *c, struct domain_blockjob *job,
		    struct error *err)
{
	const struct dom_layer *into = &c->layers[job->bottom];
	struct dom_mirror mirror = { .image = *into, .job = "active-commit" };
	struct image image = { into->source, into->format, into->is_device };
	struct future f;
	int r;

	future_make(&f, obj, disk);
	job->into = job->backing = into;
	job->after = f.disk;
	job->kind = job->top ? DOMAIN_BLOCKJOB_COMMIT : DOMAIN_BLOCKJOB_ACTIVE;
	if (job->top > 1)
		job->above = &c->layers[job->top - 1];
	if (job->top) {
		without_range(f.disk, c, job->top, job->bottom);
	} else {
		snapshot_set_image(f.disk, &image);
		disk_set_layers(f.disk, into + 1, c->n - job->bottom - 1);
	}
	r = begin(obj, disk, job, job->top ? NULL : &mirror, err);
	domain_def_free(f.def);
	return r;
}

int domain_block_commit(struct registry *reg, const uint8_t uuid[UUID_LEN],
			const char *path, const char *base, const char *top,
			uint64_t bandwidth, unsigned int flags,
			struct error *err)
{
	struct domain_blockjob job = { 0 };
	struct image_chain c = { 0 };
	struct dom_disk *disk;
	struct dom_obj *obj;
	int r = check_flags(flags,
			    VIR_DOMAIN_BLOCK_COMMIT_SHALLOW |
				    VIR_DOMAIN_BLOCK_COMMIT_ACTIVE |
				    VIR_DOMAIN_BLOCK_COMMIT_BANDWIDTH_BYTES,
			    __func__, err);

	if (r == 0)
		r = to_bytes(bandwidth,
			     flags & VIR_DOMAIN_BLOCK_COMMIT_BANDWIDTH_BYTES,
			     &job.speed, err);
	if (r == 0)
		r = enter(reg, uuid, path, "block-commit", &obj, &disk, err);
	if (r < 0)
		return r;
	r = blockjob_check_free(obj, disk, err);
	if (r == 0)
		r = image_chain_read(reg, disk, &c, err);
	if (r == 0)
		r = find_range(&c, disk, base, top, flags, &job, err);
	if (r == 0)
		r = blockjob_commit(obj, disk, &c, &job, err);
	image_chain_finish(&c);
	obj_end(obj);
	return r;
}

/* ---- copy ---- */

static int make_image(struct dom_obj *obj, const struct dom_disk *disk,
		      const struct image_chain *c, const struct image *image,
		      unsigned int flags, struct error *err)
{
	bool shallow = flags & VIR_DOMAIN_BLOCK_COPY_SHALLOW;
	struct image own = image_of_disk(disk);
	struct image below;
	uint64_t size;
	int r;

	if (flags & VIR_DOMAIN_BLOCK_COPY_REUSE_EXT)
		return 0;
	if (shallow && c->n > 1) {
		below = (struct image){ c->layers[1].source,
					c->layers[1].format,
					c->layers[1].is_device };
		return overlay_create(obj->reg, image, &below, err);
	}
	r = overlay_size(obj->reg, &own, &size, err);
	return r < 0 ? r : overlay_create_alone(obj->reg, image, size, err);
}

static int copy(struct dom_obj *obj, struct dom_disk *disk,
		const struct image_chain *c, const struct domain_block_copy *to,
		unsigned int flags, struct error *err)
{
	const char *format = to->format ? to->format : disk->driver_type;
	struct image image = { (char *)to->file, (char *)format,
			       to->is_device };
	struct dom_mirror mirror = {
		.image = { image.path, image.format, image.is_device },
		.job = "copy",
	};
	struct domain_blockjob job = {
		.kind = DOMAIN_BLOCKJOB_COPY,
		.bottom = flags & VIR_DOMAIN_BLOCK_COPY_SHALLOW ? 1 : c->n,
		.synchronous = flags &
			       VIR_DOMAIN_BLOCK_COPY_SYNCHRONOUS_WRITES,
		.speed = to->speed,
	};
	struct error ignored = { 0 };
	struct future f;
	int r = make_image(obj, disk, c, &image, flags, err);

	if (r < 0)
		return r;
	future_make(&f, obj, disk);
	snapshot_set_image(f.disk, &image);
	disk_set_layers(f.disk, NULL, 0);
	job.after = f.disk;
	r = begin(obj, disk, &job, &mirror, err);
	if (r < 0 && !(flags & VIR_DOMAIN_BLOCK_COPY_REUSE_EXT) &&
	    !image.is_device)
		overlay_remove(obj->reg, image.path, &ignored);
	domain_def_free(f.def);
	return r;
}

static int check_copy(const struct domain_block_copy *to,
		      const struct image_chain *c, unsigned int flags,
		      struct error *err)
{
	const char *format = to->format ? to->format : c->layers[0].format;

	if (format && !str_eq(format, "raw") && !str_eq(format, "qcow2"))
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "format '%s' is not supported", format);
	if ((flags & VIR_DOMAIN_BLOCK_COPY_SHALLOW) && c->n > 1 &&
	    !str_eq(format, "qcow2"))
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "a shallow copy cannot be of format '%s'",
				  format ? format : "raw");
	return 0;
}

int domain_block_copy(struct registry *reg, const uint8_t uuid[UUID_LEN],
		      const char *path, const struct domain_block_copy *to,
		      unsigned int flags, struct error *err)
{
	struct image_chain c = { 0 };
	struct dom_disk *disk;
	struct dom_obj *obj;
	int r = check_flags(flags,
			    VIR_DOMAIN_BLOCK_COPY_SHALLOW |
				    VIR_DOMAIN_BLOCK_COPY_REUSE_EXT |
				    VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB |
				    VIR_DOMAIN_BLOCK_COPY_SYNCHRONOUS_WRITES,
			    __func__, err);

	if (r == 0)
		r = enter(reg, uuid, path, "block-copy", &obj, &disk, err);
	if (r < 0)
		return r;
	r = blockjob_check_free(obj, disk, err);
	if (r == 0)
		r = image_chain_read(reg, disk, &c, err);
	if (r == 0)
		r = check_copy(to, &c, flags, err);
	if (r == 0)
		r = copy(obj, disk, &c, to, flags, err);
	image_chain_finish(&c);
	obj_end(obj);
	return r;
}
