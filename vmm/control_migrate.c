/*
 * vmm/control_migrate.c -- the control socket's requests about migration.
 */
#include "vmm/control_priv.h"

#include <errno.h>

#include "vmm/dirtyrate.h"

static int migrate_work(void *arg, struct progress *p, struct error *err)
{
	struct control *c = arg;

	return migrate_send(c->m, c->job_fd, &c->migrate, &c->limits, p,
			    &c->job_paused, &c->out, err);
}

static void control_tell_handover(struct control *c, const char *word)
{
	struct json_object *o = control_event("handover");

	control_add_str(o, "state", word);
	control_send(c, o);
}

/* Memory that followed the guest has come, or does not come any more. */
void control_on_follow(void *arg)
{
	struct control *c = arg;

	if (c->in && postcopy_in_state(c->in) == POSTCOPY_DONE) {
		postcopy_in_destroy(steal_ptr(&c->in));
		control_tell_handover(c, "complete");
	} else if (c->in || c->handover) {
		control_tell_handover(c, control_handover(c));
	}
}

/* The destination was asked for its guest. */
static void control_taken(struct control *c, bool ours)
{
	struct error err = { 0 };
	int r = 0;

	if (!ours) {
		control_let_go_disks(c);
		r = error_set(&err, -ECANCELED,
			      "the source of the migration keeps its guest");
	}
	control_reply(c, json_object_new_int64(c->take_id), r,
		      json_object_new_object(), &err);
}

static void control_on_handover(void *arg, enum handover_state state)
{
	struct control *c = arg;

	if (state == HANDOVER_TAKEN || state == HANDOVER_REFUSED)
		control_taken(c, state == HANDOVER_TAKEN);
	else
		control_tell_handover(c, control_handover(c));
}

/* Both have it now: the stream goes on as where that is settled. */
static void control_offer(struct control *c, bool source)
{
	/* A guest whose memory did not come needs more than its source's end. */
	bool trusted = c->job_trusted && !c->in;

	handover_destroy(c->handover);
	c->handover = handover_create(c->loop, steal_fd(&c->job_fd), source,
				      trusted, control_on_handover, c);
}

static void control_on_round(void *arg)
{
	struct control *c = arg;
	struct json_object *o = control_event("iteration");

	control_add_u64(o, "n", atomic_load(&c->progress.iterations));
	control_send(c, o);
}

/* A guest that was not handed over goes on here. */
static void migrate_done(void *arg, int result, const struct error *err)
{
	struct control *c = arg;

	if (c->job_paused && result < 0)
		machine_run(c->m);
	if (result == 0) {
		control_set_state(c, STATE_PAUSED, STOP_NONE);
		control_let_go_disks(c);
		control_offer(c, true);
	}
	control_save_done(c, result, err);
}

static int receive_work(void *arg, struct progress *p, struct error *err)
{
	struct control *c = arg;

	struct migrate_follow follow = {
		.page_fd = &c->page_fd,
		.rescue_fd = &c->rescue_fd,
		.missing_fd = &c->missing_fd,
		.listener = &c->follower,
	};

	return migrate_receive(c->m, c->job_fd, c->more, c->n_more, &follow, p,
			       &c->in, err);
}

static void receive_done(void *arg, int result, const struct error *err)
{
	struct control *c = arg;

	if (result == 0)
		control_offer(c, false);
	control_save_done(c, result, err);
}

static uint64_t member_u64(struct json_object *o, const char *key,
			   uint64_t otherwise)
{
	struct json_object *v = json_object_object_get(o, key);

	return json_object_is_type(v, json_type_int) ?
		       json_object_get_uint64(v) :
		       otherwise;
}

static bool member_bool(struct json_object *o, const char *key)
{
	return json_object_get_boolean(json_object_object_get(o, key));
}

static void set_limits(struct control *c, struct json_object *req)
{
	struct migrate_limits *l = &c->limits;

	atomic_store(&l->bandwidth,
		     member_u64(req, "bandwidth", atomic_load(&l->bandwidth)));
	atomic_store(&l->downtime,
		     member_u64(req, "downtime_ns", atomic_load(&l->downtime)));
	atomic_store(&l->postcopy_bandwidth,
		     member_u64(req, "postcopy_bandwidth",
				atomic_load(&l->postcopy_bandwidth)));
	atomic_store(&l->now, member_bool(req, "now"));
	if (member_bool(req, "postcopy_now"))
		atomic_store(&l->postcopy, true);
}

static int take_stream(struct control *c, struct json_object *req,
		       struct error *err)
{
	unsigned int postcopy = member_bool(req, "postcopy");

	if (c->n_fds < 1 + postcopy ||
	    c->n_fds > 1 + MIGRATE_MORE_MAX + postcopy)
		return error_set(err, -EINVAL, "one to %d sockets are wanted",
				 1 + MIGRATE_MORE_MAX);
	c->job_trusted = !member_bool(req, "carried");
	c->page_fd = fd_close(c->page_fd);
	if (postcopy)
		c->page_fd = c->fds[--c->n_fds];
	while (c->n_fds > 1)
		c->more[c->n_more++] = c->fds[--c->n_fds];
	c->job_fd = c->fds[--c->n_fds];
	return 0;
}

int control_migrate(struct control *c, struct json_object *req,
		    struct json_object *ok, struct error *err)
{
	int r = take_stream(c, req, err);

	if (r < 0)
		return r;
	c->job_paused = false;
	dirtyrate_give_up(c->dirtyrate);
	c->migrate = (struct migrate_options){
		.more = c->more,
		.n_more = c->n_more,
		.zstd = member_bool(req, "zstd"),
		.auto_converge = member_bool(req, "auto_converge"),
		.throttle_first = member_u64(req, "throttle_first", 0),
		.throttle_step = member_u64(req, "throttle_step", 0),
		.round = control_on_round,
		.arg = c,
		.page_fd = &c->page_fd,
		.listener = &c->follower,
	};
	atomic_store(&c->limits.postcopy, false);
	atomic_store(&c->limits.postcopy_bandwidth, 0);
	atomic_store(&c->limits.bandwidth, 0);
	atomic_store(&c->limits.downtime, MIGRATE_DOWNTIME);
	set_limits(c, req);
	return control_start_job(c, req, "migrate", migrate_work, migrate_done,
				 err);
}

int control_limits(struct control *c, struct json_object *req,
		   struct json_object *ok, struct error *err)
{
	set_limits(c, req);
	return 0;
}

int control_receive(struct control *c, struct json_object *req,
		    struct json_object *ok, struct error *err)
{
	int r = c->spec.incoming ? 0 :
				   error_set(err, -EINVAL,
					     "the machine has a guest");

	if (r == 0 && member_bool(req, "rescue") && c->n_fds)
		c->rescue_fd = c->fds[--c->n_fds];
	if (r == 0)
		r = take_stream(c, req, err);

	return r < 0 ? r :
		       control_start_job(c, req, "receive", receive_work,
					 receive_done, err);
}

int control_take(struct control *c, struct json_object *req,
		 struct json_object *ok, struct error *err)
{
	int r;

	if (!c->handover)
		return error_set(err, -EINVAL, "no guest has come");
	r = control_claim_disks(c, err);
	if (r == 0 && c->in && postcopy_in_state(c->in) == POSTCOPY_BROKEN)
		r = error_set(err, -ECONNRESET,
			      "the rest of the guest's memory does not come");
	if (r == 0)
		r = handover_take(c->handover, err);
	if (r < 0) {
		control_let_go_disks(c);
		return r;
	}
	c->take_id = json_object_get_int64(json_object_object_get(req, "id"));
	return REPLY_LATER;
}

/* Memory that follows: another stream for it, or none any more. */
int control_recover(struct control *c, struct json_object *req,
		    struct json_object *ok, struct error *err)
{
	int fd;

	if (c->n_fds != 1 || (!c->in && !c->out))
		return error_set(err, -EINVAL,
				 "no memory follows the guest, or there is no "
				 "socket for it");
	fd = c->fds[--c->n_fds];
	return c->in ? postcopy_in_recover(c->in, fd, err) :
		       postcopy_out_recover(c->out, fd, err);
}

int control_break(struct control *c, struct json_object *req,
		  struct json_object *ok, struct error *err)
{
	if (!c->in && !c->out)
		return error_set(err, -EINVAL, "no memory follows the guest");
	if (c->in)
		postcopy_in_break(c->in);
	else
		postcopy_out_break(c->out);
	return 0;
}
