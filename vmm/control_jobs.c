/*
 * vmm/control_jobs.c -- the control socket's requests that take long: saving
 * and core dumps.
 */
#include "vmm/control_priv.h"

#include <errno.h>
#include <string.h>

#include "vmm/coredump.h"
#include "vmm/ram.h"

/* ---- saving ---- */

static int save_work(void *arg, struct progress *p, struct error *err)
{
	struct control *c = arg;

	return image_save(c->m->ram, &c->job_state, c->job_fd, c->job_offset,
			  c->job_format, p, err);
}

void control_forget_job(struct control *c)
{
	c->job = NULL;
	if (c->job_froze)
		ram_freeze(c->m->ram, false);
	c->job_froze = false;
	c->job_fd = fd_close(c->job_fd);
	while (c->n_more)
		fd_close(c->more[--c->n_more]);
	buf_free(&c->job_state);
	free(c->job_cpus);
	c->job_cpus = NULL;
}

void control_save_done(void *arg, int result, const struct error *err)
{
	struct control *c = arg;

	control_forget_job(c);
	control_reply(c, json_object_new_int64(c->job_id), result,
		      json_object_new_object(), err);
}

int control_start_job(struct control *c, struct json_object *req,
		      const char *name, job_work_fn *work,
		      job_done_fn *done, struct error *err)
{
	struct json_object *id = json_object_object_get(req, "id");
	int r;

	memset(&c->progress, 0, sizeof(c->progress));
	c->job_id = json_object_get_int64(id);
	c->job_name = name;
	ram_freeze(c->m->ram, true);
	c->job_froze = true;
	r = job_start(c->loop, name, work, done, c, &c->progress, &c->job, err);
	if (r < 0)
		control_forget_job(c);
	return r < 0 ? r : REPLY_LATER;
}

static int control_save_args(struct control *c, struct json_object *req,
			     struct error *err)
{
	struct json_object *offset = json_object_object_get(req, "offset");
	struct json_object *format = json_object_object_get(req, "format");

	if (c->n_fds != 1 || !json_object_is_type(offset, json_type_int) ||
	    json_object_get_int64(offset) < 0 ||
	    !json_object_is_type(format, json_type_string) ||
	    image_format_find(json_object_get_string(format),
			      &c->job_format) < 0)
		return error_set(err, -EINVAL,
				 "\"save\" wants a file, an offset and a "
				 "format");
	c->job_offset = json_object_get_int64(offset);
	return 0;
}

int control_save(struct control *c, struct json_object *req,
		 struct json_object *ok, struct error *err)
{
	int r = control_save_args(c, req, err);

	if (r < 0)
		return r;
	machine_pause(c->m);
	control_set_state(c, STATE_PAUSED, STOP_NONE);
	r = machine_get_state(c->m, &c->job_state, err);
	if (r < 0) {
		buf_free(&c->job_state);
		return r;
	}
	c->job_fd = c->fds[--c->n_fds];
	return control_start_job(c, req, "save", save_work, control_save_done,
				 err);
}

/* ---- core dumps ---- */

static int dump_work(void *arg, struct progress *p, struct error *err)
{
	struct control *c = arg;

	return coredump_write(c->m, c->job_cpus, c->n_job_cpus, c->job_fd, p,
			      err);
}

static void dump_done(void *arg, int result, const struct error *err)
{
	struct control *c = arg;

	if (c->job_paused)
		machine_run(c->m);
	control_save_done(c, result, err);
}

int control_dump(struct control *c, struct json_object *req,
		 struct json_object *ok, struct error *err)
{
	bool live = json_object_get_boolean(
		json_object_object_get(req, "live"));
	bool running = c->state == STATE_RUNNING;
	int r;

	if (c->n_fds != 1)
		return error_set(err, -EINVAL, "\"dump\" wants a file");
	if (running)
		machine_pause(c->m);
	r = machine_get_cpus(c->m, &c->job_cpus, &c->n_job_cpus, err);
	c->job_paused = running && !live && r == 0;
	if (running && !c->job_paused)
		machine_run(c->m);
	if (r < 0)
		return r;
	c->job_fd = c->fds[--c->n_fds];
	r = control_start_job(c, req, "dump", dump_work, dump_done, err);
	if (r < 0 && c->job_paused)
		machine_run(c->m);
	return r;
}

/* ---- any job ---- */

int control_job(struct control *c, struct json_object *req,
		struct json_object *ok, struct error *err)
{
	const struct progress *p = &c->progress;
	uint64_t end = atomic_load(&p->finished);

	control_add_str(ok, "job", c->job ? c->job_name : NULL);
	control_add_u64(ok, "total", atomic_load(&p->total));
	control_add_u64(ok, "done", atomic_load(&p->done));
	control_add_u64(ok, "written", atomic_load(&p->written));
	control_add_u64(ok, "zero", atomic_load(&p->zero));
	control_add_u64(ok, "normal", atomic_load(&p->normal));
	control_add_u64(ok, "remaining", atomic_load(&p->remaining));
	control_add_u64(ok, "iterations", atomic_load(&p->iterations));
	control_add_u64(ok, "dirty_rate", atomic_load(&p->dirty_rate));
	control_add_u64(ok, "bps", atomic_load(&p->bps));
	control_add_u64(ok, "downtime_ns", atomic_load(&p->downtime));
	control_add_u64(ok, "throttle", atomic_load(&p->throttle));
	if (atomic_load(&p->started))
		control_add_u64(ok, "elapsed_ns",
				(end ? end : now_ns()) - atomic_load(&p->started));
	return 0;
}

int control_cancel(struct control *c, struct json_object *req,
		   struct json_object *ok, struct error *err)
{
	if (!c->job)
		return error_set(err, -EINVAL, "there is nothing to cancel");
	job_cancel(c->job);
	return 0;
}
