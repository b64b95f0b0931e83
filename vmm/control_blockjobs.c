/*
 * vmm/control_blockjobs.c -- the control socket's requests about jobs on disks'
 * images (vmm/blockjob.h).
 *
 * A job that has ended stays in the list until the client has been told and
 * says so: a client that was away finds out what came of it.
 */
#include "vmm/control_priv.h"

#include <errno.h>

#include "vmm/blockjob.h"
#include "vmm/hotplug.h"
#include "vmm/nbd/nbd.h"

struct blockjobs {
	struct blockjobs *next;
	struct blockjob *job;
};

struct control_nbd {
	struct nbd_server *server;
	struct nbd_export *list;
};

static void end_nbd(struct control *c)
{
	struct control_nbd *nbd = steal_ptr(&c->nbd);

	if (!nbd)
		return;
	nbd_server_destroy(nbd->server);
	free(nbd->list);
	free(nbd);
}

static struct blockjobs **find(struct control *c, const char *disk)
{
	struct blockjobs **link = &c->blockjobs;

	while (*link && !str_eq(blockjob_disk((*link)->job), disk))
		link = &(*link)->next;
	return link;
}

/* Clients may be at its export. */
static void forget(struct control *c, struct blockjobs **link)
{
	struct blockjobs *entry = *link;

	end_nbd(c);
	*link = entry->next;
	blockjob_destroy(entry->job);
	free(entry);
}

void control_end_blockjobs(struct control *c)
{
	while (c->blockjobs)
		forget(c, &c->blockjobs);
}

bool control_has_blockjobs(const struct control *c)
{
	for (const struct blockjobs *b = c->blockjobs; b; b = b->next)
		if (!blockjob_is_over(b->job))
			return true;
	return false;
}

bool control_moves_images(struct control *c, const char *disk)
{
	const struct blockjobs *b = *find(c, disk);

	return b && !blockjob_is_over(b->job) &&
	       blockjob_kind(b->job) != BLOCKJOB_BACKUP &&
	       blockjob_kind(b->job) != BLOCKJOB_EXPORT;
}

static void describe(struct json_object *o, const struct blockjob *job)
{
	struct blockjob_progress p;

	blockjob_progress(job, &p);
	control_add_str(o, "drive", blockjob_disk(job));
	control_add_str(o, "kind", blockjob_kinds[blockjob_kind(job)]);
	control_add_str(o, "state", blockjob_states[blockjob_state(job)]);
	control_add_str(o, "error", p.error);
	control_add_u64(o, "current", p.current);
	control_add_u64(o, "end", p.end);
	control_add_u64(o, "speed", p.speed);
}

/* The images that the disk has now are those that are kept, and ours. */
static void adopt(struct control *c, struct blockjob *job)
{
	struct spec_disk *disk = blockjob_result(job);

	if (!disk)
		return;
	control_claim_disk(disk, NULL);
	hotplug_take_images(c->hotplug, disk);
}

static void on_changed(void *arg, struct blockjob *job)
{
	struct json_object *o = control_event("blockjob");
	struct control *c = arg;

	if (blockjob_state(job) == BLOCKJOB_COMPLETED)
		adopt(c, job);
	describe(o, job);
	control_send(c, o);
}

/* ---- requests ---- */

const char *control_text(struct json_object *req, const char *key)
{
	struct json_object *v = json_object_object_get(req, key);

	return json_object_is_type(v, json_type_string) ?
		       json_object_get_string(v) :
		       NULL;
}

static int64_t number(struct json_object *req, const char *key)
{
	struct json_object *v = json_object_object_get(req, key);

	return json_object_is_type(v, json_type_int) ?
		       json_object_get_int64(v) :
		       0;
}

static int read_plan(struct json_object *req, struct blockjob_plan *p,
		     struct error *err)
{
	const char *kind = control_text(req, "kind");
	int64_t top = number(req, "top"), bottom = number(req, "bottom");
	int64_t speed = number(req, "speed");
	unsigned int i = 0;

	while (blockjob_kinds[i] && !str_eq(blockjob_kinds[i], kind))
		i++;
	if (!blockjob_kinds[i] || top < 0 || top > UINT32_MAX || bottom < 0 ||
	    bottom > UINT32_MAX || speed < 0)
		return error_set(err, -EINVAL,
				 "\"kind\", \"top\", \"bottom\" or \"speed\" is not right");
	*p = (struct blockjob_plan){
		.kind = i,
		.top = top,
		.bottom = bottom,
		.backing = control_text(req, "backing"),
		.backing_format = control_text(req, "backing_format"),
		.synchronous = json_object_get_boolean(
			json_object_object_get(req, "synchronous")),
		.speed = speed,
		.export = control_text(req, "export"),
		.bitmap = control_text(req, "bitmap"),
		.context = control_text(req, "context"),
	};
	return 0;
}

static const struct spec_disk *kept_disk(struct control *c, const char *id)
{
	const struct vmm_spec *s = NULL;

	while ((s = hotplug_next_spec(c->hotplug, s)))
		for (unsigned int i = 0; i < s->n_disks; i++)
			if (str_eq(s->disks[i].id, id))
				return &s->disks[i];
	return NULL;
}

/* One that is over and was not asked about any more gives way. */
static int make_room(struct control *c, const char *id, struct error *err)
{
	struct blockjobs **link = find(c, id);

	if (*link && !blockjob_is_over((*link)->job))
		return error_set(err, -EBUSY,
				 "disk '%s': a block job is under way", id);
	if (*link)
		forget(c, link);
	return 0;
}

/* Takes the description over. */
static int begin(struct control *c, struct vmm_spec *spec,
		 struct blockjob_plan *plan, struct error *err)
{
	const char *id = spec->n_disks ? spec->disks[0].id : "";
	struct drive *d = machine_drive(c->m, id, err);
	struct blockjobs *entry;
	struct blockjob *job;
	int r = d ? make_room(c, id, err) : -ENOENT;

	plan->now = kept_disk(c, id);
	if (r == 0 && !plan->now)
		r = error_set(err, -ENOENT, "there is no disk '%s'", id);
	if (r < 0) {
		vmm_spec_finish(spec);
		return r;
	}
	r = blockjob_begin(c->loop, d, spec, plan, on_changed, c, &job, err);
	if (r < 0)
		return r;
	entry = xcalloc(1, sizeof(*entry));
	*entry = (struct blockjobs){ c->blockjobs, job };
	c->blockjobs = entry;
	return 0;
}

int control_blockjob(struct control *c, struct json_object *req,
		     struct json_object *ok, struct error *err)
{
	struct json_object *devices = json_object_object_get(req, "devices");
	struct blockjob_plan plan;
	unsigned int n = c->n_fds;
	struct vmm_spec spec;
	int r = read_plan(req, &plan, err);

	if (r < 0)
		return r;
	c->n_fds = 0; /* the description's from here on */
	r = vmm_spec_devices_from_json(devices, c->fds, n, &spec, err);
	return r < 0 ? r : begin(c, &spec, &plan, err);
}

int control_blockjobs(struct control *c, struct json_object *req,
		      struct json_object *ok, struct error *err)
{
	struct json_object *list = json_object_new_array();

	for (const struct blockjobs *b = c->blockjobs; b; b = b->next) {
		struct json_object *o = json_object_new_object();

		describe(o, b->job);
		json_object_array_add(list, o);
	}
	json_object_object_add(ok, "blockjobs", list);
	return 0;
}

static int change(struct control *c, struct blockjobs **link,
		  const char *what, struct json_object *req,
		  struct error *err)
{
	struct blockjob *job = (*link)->job;

	if (str_eq(what, "forget")) {
		if (!blockjob_is_over(job))
			return error_set(err, -EBUSY, "the job goes on");
		return forget(c, link), 0;
	}
	if (blockjob_is_over(job))
		return error_set(err, -ESRCH, "the job is over");
	if (str_eq(what, "pivot"))
		return blockjob_pivot(job, err);
	if (str_eq(what, "abort"))
		return blockjob_abort(job), 0;
	if (!str_eq(what, "speed") || number(req, "speed") < 0)
		return error_set(err, -EINVAL, "\"what\" is not right");
	blockjob_set_speed(job, number(req, "speed"));
	return 0;
}

int control_blockjob_change(struct control *c, struct json_object *req,
			    struct json_object *ok, struct error *err)
{
	const char *id = control_text(req, "drive"), *what = control_text(req, "what");
	struct blockjobs **link = find(c, id ? id : "");

	if (!*link)
		return error_set(err, -ESRCH, "disk '%s' has no block job",
				 id ? id : "");
	return change(c, link, what ? what : "", req, err);
}

/* ---- clients of exports ---- */

static struct control_nbd *collect_exports(struct control *c,
					   struct nbd_exports *ret)
{
	struct control_nbd *nbd = xcalloc(1, sizeof(*nbd));
	const struct nbd_export *e;

	*ret = (struct nbd_exports){ 0 };
	for (const struct blockjobs *b = c->blockjobs; b; b = b->next) {
		e = blockjob_export(b->job);
		if (!e)
			continue;
		nbd->list = xrealloc(nbd->list, ret->n + 1, sizeof(*e));
		nbd->list[ret->n++] = *e;
	}
	ret->list = nbd->list;
	return nbd;
}

/* All exports that there are, at the socket that comes with it. */
int control_nbd_start(struct control *c, struct json_object *req,
		      struct json_object *ok, struct error *err)
{
	struct control_nbd *nbd;
	struct nbd_exports e;
	int r;

	if (c->n_fds != 1 || c->nbd)
		return error_set(err, c->nbd ? -EBUSY : -EINVAL,
				 c->nbd ? "clients are served already" :
					  "\"nbd-start\" needs a socket");
	nbd = collect_exports(c, &e);
	r = e.n ? nbd_server_create(c->fds[0], &e, &nbd->server, err) :
		  error_set(err, -ENOENT, "there is nothing to serve");
	if (r < 0) {
		free(nbd->list);
		free(nbd);
		return r;
	}
	c->n_fds = 0;
	c->nbd = nbd;
	return 0;
}

int control_nbd_stop(struct control *c, struct json_object *req,
		     struct json_object *ok, struct error *err)
{
	end_nbd(c);
	return 0;
}
