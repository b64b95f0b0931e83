/*
 * daemon/jobinfo.c -- the job that takes long: how far it is, and cancelling.
 *
 * These calls do not wait for the domain's job: they are about who holds it.
 * A user count keeps the driver's side of the domain there meanwhile.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "daemon/backup.h"
#include "daemon/registry.h"

void async_begin(struct dom_obj *obj, int operation)
{
	pthread_mutex_lock(&obj->reg->lock);
	obj->async.operation = operation;
	obj->async.done = (struct domain_job){ .type = VIR_DOMAIN_JOB_NONE };
	pthread_mutex_unlock(&obj->reg->lock);
}

static void note_done(struct dom_obj *obj)
{
	struct domain_job job = {
		.type = VIR_DOMAIN_JOB_COMPLETED,
		.operation = obj->async.operation,
	};
	struct domain_notice n = { .kind = DOMAIN_NOTIFY_JOB };
	struct error err;

	if (obj->driver->job_progress &&
	    obj->driver->job_progress(&obj->d, &job.progress, &err) < 0)
		return;
	pthread_mutex_lock(&obj->reg->lock);
	obj->async.done = job;
	pthread_mutex_unlock(&obj->reg->lock);
	n.job = job;
	notify(obj, &n);
}

void async_end(struct dom_obj *obj, bool ok)
{
	if (ok)
		note_done(obj);
	pthread_mutex_lock(&obj->reg->lock);
	obj->async.operation = 0;
	while (obj->async.users)
		pthread_cond_wait(&obj->async.idle, &obj->reg->lock);
	pthread_mutex_unlock(&obj->reg->lock);
}

/* The operation under way, which lasts until async_put(); 0: none. */
static int async_get(struct dom_obj *obj, bool *ret_active)
{
	int operation;

	pthread_mutex_lock(&obj->reg->lock);
	*ret_active = obj->active;
	operation = obj->async.operation;
	if (operation)
		obj->async.users++;
	pthread_mutex_unlock(&obj->reg->lock);
	return operation;
}

static void async_put(struct dom_obj *obj)
{
	pthread_mutex_lock(&obj->reg->lock);
	if (--obj->async.users == 0)
		pthread_cond_broadcast(&obj->async.idle);
	pthread_mutex_unlock(&obj->reg->lock);
}

static void completed_job(struct dom_obj *obj, bool keep,
			  struct domain_job *ret_job)
{
	pthread_mutex_lock(&obj->reg->lock);
	*ret_job = obj->async.done;
	if (!keep)
		obj->async.done =
			(struct domain_job){ .type = VIR_DOMAIN_JOB_NONE };
	pthread_mutex_unlock(&obj->reg->lock);
}

static int running_job(struct dom_obj *obj, struct domain_job *ret_job,
		       struct error *err)
{
	bool active;
	int operation = async_get(obj, &active), r = 0;

	if (!operation)
		return active ? MIN(backup_progress(obj, ret_job, err), 0) :
				error_virt(err, VIR_ERR_OPERATION_INVALID,
					   "domain is not running");
	ret_job->type = VIR_DOMAIN_JOB_UNBOUNDED;
	ret_job->operation = operation;
	if (obj->driver->job_progress)
		r = obj->driver->job_progress(&obj->d, &ret_job->progress, err);
	async_put(obj);
	return r;
}

int async_call(struct dom_obj *obj, int operation,
	       int (*fn)(struct dom_obj *obj, struct error *err),
	       struct error *err)
{
	bool active;
	int now = async_get(obj, &active), r = 1;

	if (now == operation)
		r = fn(obj, err);
	if (now)
		async_put(obj);
	return r;
}

int domain_job_info(struct registry *reg, const uint8_t uuid[UUID_LEN],
		    bool completed, bool keep, struct domain_job *ret_job,
		    struct error *err)
{
	struct dom_obj *obj;
	int r = obj_get(reg, uuid, &obj, err);

	if (r < 0)
		return r;
	*ret_job = (struct domain_job){ .type = VIR_DOMAIN_JOB_NONE };
	if (completed)
		completed_job(obj, keep, ret_job);
	else
		r = running_job(obj, ret_job, err);
	obj_unref(obj);
	return r;
}

/* In post-copy giving up means to stop sending. */
static int abort_out(struct dom_obj *obj, bool postcopy, struct error *err)
{
	if (obj->migration.follow != FOLLOW_GOING)
		return driver_call(obj, err, job_cancel);
	return postcopy ? driver_call(obj, err, follow_break) :
			  error_virt(err, VIR_ERR_OPERATION_INVALID,
				     "cannot abort migration in post-copy "
				     "mode");
}

static int abort_job(struct dom_obj *obj, bool postcopy, struct error *err)
{
	bool active;
	int r, operation = async_get(obj, &active);

	if (!operation && active) {
		r = backup_abort(obj, err);
		if (r <= 0)
			return r;
	}
	if (!operation)
		return error_virt(err, VIR_ERR_OPERATION_INVALID, "%s",
				  active ? "no job is active on the domain" :
					   "domain is not running");
	if (operation == VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN)
		r = error_virt(err, VIR_ERR_OPERATION_INVALID,
			       "cannot abort incoming migration; use "
			       "virDomainDestroy instead");
	else
		r = abort_out(obj, postcopy, err);
	async_put(obj);
	return r;
}

int domain_abort_job(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     unsigned int flags, struct error *err)
{
	struct dom_obj *obj;
	int r = check_flags(flags, VIR_DOMAIN_ABORT_JOB_POSTCOPY, __func__,
			    err);

	if (r == 0)
		r = obj_get(reg, uuid, &obj, err);
	if (r < 0)
		return r;
	r = abort_job(obj, flags & VIR_DOMAIN_ABORT_JOB_POSTCOPY, err);
	obj_unref(obj);
	return r;
}
