/*
 * vmm/control.c -- the control socket, vireo-vmm's side (vmm/control.h).
 *
 * The client is the daemon, but nothing it sends is believed: a message that
 * is no request is answered or dropped, and a client that does not read its
 * replies is let go.
 */
#include "config.h"

#include "vmm/control_priv.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/epoll.h>

#include "storage/format/block.h"
#include "vmm/announce.h"
#include "vmm/dirtyrate.h"
#include "vmm/hotplug.h"
#include "vmm/loop.h"
#include "vmm/missing.h"
#include "vmm/numa.h"
#include "vmm/run.h"
#include "vmm/sandbox.h"

/* #syscalls:vmm accept4 recvmsg sendto pwrite64 ftruncate close getpid */

enum { JSON_DEPTH = 16 };

/* Where a request makes sense: states, and these. */
#define STATES_BUILT (STATE_PAUSED | STATE_RUNNING)
#define STATES_ALL   (STATE_NEW | STATES_BUILT | STATE_STOPPED)
#define WHILE_BUSY   16 /* a request that a job does not refuse */
#define WHILE_AWAY   32 /* nor that the guest may be elsewhere */
#define WHILE_SPLIT  64 /* nor that memory does not come that is waited for */
#define NO_BLOCKJOBS 128 /* a job on a disk's images refuses it */

static const char *control_state(const struct control *c)
{
	switch (c->state) {
	case STATE_NEW:
		return "new";
	case STATE_PAUSED:
		return "paused";
	case STATE_RUNNING:
		return "running";
	default:
		return "stopped";
	}
}

static struct json_object *control_reason(const struct control *c)
{
	return c->reason == STOP_NONE ?
		       NULL :
		       json_object_new_string(machine_stop_name(c->reason));
}

/* ---- out ---- */

static void control_drop_client(struct control *c)
{
	if (c->client < 0)
		return;
	loop_remove(c->loop, c->client);
	c->client = fd_close(c->client);
	if (c->state == STATE_NEW)
		loop_quit(c->loop);
}

/* Takes the object over.  No room: a client that does not read is let go. */
void control_send(struct control *c, struct json_object *msg)
{
	size_t len;
	const char *text = json_object_to_json_string_length(
		msg, JSON_C_TO_STRING_PLAIN, &len);

	if (c->client >= 0 &&
	    send(c->client, text, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		control_drop_client(c);
	json_object_put(msg);
}

void control_add_str(struct json_object *o, const char *key, const char *s)
{
	json_object_object_add(o, key, s ? json_object_new_string(s) : NULL);
}

void control_add_u64(struct json_object *o, const char *key, uint64_t v)
{
	json_object_object_add(o, key, json_object_new_uint64(v));
}

static void control_greet(struct control *c)
{
	struct json_object *o = json_object_new_object();

	control_add_u64(o, "vireo-vmm", CONTROL_VERSION);
	control_add_str(o, "version", PACKAGE_VERSION);
	control_add_u64(o, "pid", getpid());
	control_add_str(o, "state", control_state(c));
	json_object_object_add(o, "reason", control_reason(c));
	control_send(c, o);
}

struct json_object *control_event(const char *name)
{
	struct json_object *o = json_object_new_object();

	control_add_str(o, "event", name);
	return o;
}

void control_set_state(struct control *c, enum state state,
		       enum machine_stop reason)
{
	char line[64];
	int n;

	c->state = state;
	c->reason = reason;
	if (c->status_fd < 0)
		return;
	n = snprintf(line, sizeof(line), "%s %s\n", control_state(c),
		     machine_stop_name(reason));
	if (pwrite(c->status_fd, line, n, 0) != n ||
	    ftruncate(c->status_fd, n) < 0)
		c->status_fd = -1; /* the disk is full: nothing to be done */
}

/* ---- requests ---- */

/* The guest's memory may come after it. */
static int control_open_missing(struct control *c, struct error *err)
{
	return c->spec.postcopy ? missing_open(c->spec.userfault_fd,
					       &c->missing_fd, err) :
				  0;
}

static int control_build(struct control *c, struct error *err)
{
	const char *variant;
	const struct engine *engine = engine_find(c->spec.engine, &variant);
	int r;

	if (!engine)
		return error_set(err, -ENOTSUP, "there is no engine '%s'",
				 c->spec.engine);
	r = machine_create(&c->spec, engine, variant, c->loop, &c->m, err);
	if (r == 0)
		r = control_open_missing(c, err);
	if (r == 0)
		r = sandbox_enter(false, err);
	if (r == 0)
		r = machine_prepare(c->m, err);
	if (r < 0) {
		machine_destroy(steal_ptr(&c->m));
		return r;
	}
	machine_listen(c->m, &control_listener, c);
	c->hotplug = hotplug_create(c->m, &c->spec);
	return 0;
}

static int control_create_machine(struct control *c, struct json_object *req,
				  struct json_object *ok, struct error *err)
{
	struct json_object *spec = json_object_object_get(req, "spec");
	unsigned int n = c->n_fds;
	int r;

	if (c->tried)
		return error_set(err, -EBUSY, "a VMM is given one machine");
	c->n_fds = 0; /* the spec's from here on */
	r = vmm_spec_from_json(spec, c->fds, n, &c->spec, err);
	if (r < 0)
		return r;
	c->tried = true;
	for (unsigned int i = 0; i < c->spec.n_disks; i++)
		c->spec.disks[i].unlocked = c->spec.incoming;
	r = control_build(c, err);
	if (r == 0)
		control_set_state(c, STATE_PAUSED, STOP_NONE);
	return r;
}

/* ---- whose the disks are ---- */

static void let_go_disk(const struct spec_disk *d)
{
	if (d->fd >= 0)
		block_unlock(d->fd);
	for (unsigned int i = 0; i < d->n_layers; i++)
		block_unlock(d->layers[i].fd);
}

void control_let_go_disks(struct control *c)
{
	const struct vmm_spec *s = NULL;

	while ((s = hotplug_next_spec(c->hotplug, s))) {
		for (unsigned int i = 0; i < s->n_disks; i++)
			let_go_disk(&s->disks[i]);
	}
}

int control_claim_disk(const struct spec_disk *d, struct error *err)
{
	int r = d->fd < 0 ? 0 : block_lock(d->fd, d->readonly || d->shareable,
					    err);

	for (unsigned int i = 0; i < d->n_layers && r == 0; i++)
		r = block_lock(d->layers[i].fd, true, err);
	if (r < 0)
		error_prefix(err, "disk '%s'", d->id);
	return r;
}

int control_claim_disks(struct control *c, struct error *err)
{
	const struct vmm_spec *s = NULL;
	int r = 0;

	while (r == 0 && (s = hotplug_next_spec(c->hotplug, s))) {
		for (unsigned int i = 0; i < s->n_disks && r == 0; i++)
			r = control_claim_disk(&s->disks[i], err);
	}
	if (r < 0)
		control_let_go_disks(c);
	return r;
}

/* A guest that was sent away or came: only if it is ours to run. */
static int control_own(struct control *c, struct error *err)
{
	int r = handover_revoke(c->handover, err);

	if (r == 0)
		r = control_claim_disks(c, err);
	if (r == 0)
		r = machine_activate_disks(c->m, err);
	if (r == 0) {
		handover_destroy(c->handover);
		c->handover = NULL;
		postcopy_out_destroy(steal_ptr(&c->out));
	}
	return r;
}

static int control_run(struct control *c, struct json_object *req,
		       struct json_object *ok, struct error *err)
{
	bool came = c->handover &&
		    handover_state(c->handover) == HANDOVER_TAKEN;
	int r = c->handover ? control_own(c, err) : 0;

	if (r == 0)
		r = machine_run(c->m);
	if (r == 0 && came)
		c->announce = announce_start(c->loop, c->hotplug);
	if (r == 0)
		control_set_state(c, STATE_RUNNING, STOP_NONE);
	return r;
}

static int control_keep(struct control *c, struct json_object *req,
			struct json_object *ok, struct error *err)
{
	return c->handover ? control_own(c, err) : 0;
}

static int control_pause(struct control *c, struct json_object *req,
			 struct json_object *ok, struct error *err)
{
	machine_pause(c->m);
	control_set_state(c, STATE_PAUSED, STOP_NONE);
	return 0;
}

static int control_reset(struct control *c, struct json_object *req,
			 struct json_object *ok, struct error *err)
{
	machine_request_reset(c->m);
	return 0;
}

static int control_powerbutton(struct control *c, struct json_object *req,
			       struct json_object *ok, struct error *err)
{
	struct json_object *reboot = NULL;

	json_object_object_get_ex(req, "reboot", &reboot);
	machine_power_button(c->m, json_object_get_boolean(reboot));
	return 0;
}

static int control_wake(struct control *c, struct json_object *req,
			struct json_object *ok, struct error *err)
{
	machine_request_wake(c->m);
	return 0;
}

static int control_nmi(struct control *c, struct json_object *req,
		       struct json_object *ok, struct error *err)
{
	machine_nmi(c->m);
	return 0;
}

static int control_quit(struct control *c, struct json_object *req,
			struct json_object *ok, struct error *err)
{
	c->leaving = true;
	return 0;
}

struct json_object *control_cpu_ns(struct control *c)
{
	struct json_object *list = json_object_new_array();

	for (unsigned int i = 0; c->m && i < c->spec.vcpus; i++)
		json_object_array_add(
			list,
			json_object_new_uint64(machine_vcpu_ns(c->m, i)));
	return list;
}

/* The source is not done before the memory that follows is there. */
static bool still_needed(const struct control *c)
{
	enum handover_state s = handover_state(c->handover);

	return c->out && postcopy_out_state(c->out) != POSTCOPY_DONE &&
	       (s == HANDOVER_OFFERED || s == HANDOVER_GIVEN ||
		s == HANDOVER_DONE);
}

const char *control_handover(const struct control *c)
{
	if (c->in && (!c->handover ||
		      handover_state(c->handover) == HANDOVER_TAKEN))
		return postcopy_in_state(c->in) == POSTCOPY_BROKEN ?
			       "broken" :
			       "copying";
	if (!c->handover || !still_needed(c))
		return handover_word(c->handover);
	return postcopy_out_state(c->out) == POSTCOPY_BROKEN &&
			       handover_state(c->handover) == HANDOVER_DONE ?
		       "broken" :
		       "copying";
}

static int control_status(struct control *c, struct json_object *req,
			  struct json_object *ok, struct error *err)
{
	uint64_t first = c->m ? machine_first_run(c->m) : 0;

	control_add_str(ok, "state", control_state(c));
	json_object_object_add(ok, "reason", control_reason(c));
	control_add_str(ok, "handover", control_handover(c));
	json_object_object_add(ok, "asleep", json_object_new_boolean(
					c->m && machine_asleep(c->m)));
	control_add_u64(ok, "balloon", c->m ? machine_balloon(c->m) : 0);
	json_object_object_add(ok, "cpu_ns", control_cpu_ns(c));
	control_add_u64(ok, "first_run_ns", first ? first - c->started : 0);
	return 0;
}

static const struct request {
	const char *name;
	unsigned int states; /* where it makes sense */
	control_request_fn *fn;
} requests[] = {
	{ "create", STATE_NEW, control_create_machine },
	{ "run", STATES_BUILT | WHILE_AWAY | WHILE_SPLIT, control_run },
	{ "pause", STATES_BUILT | WHILE_AWAY, control_pause },
	{ "reset", STATES_BUILT, control_reset },
	{ "powerbutton", STATES_BUILT, control_powerbutton },
	{ "wake", STATES_BUILT, control_wake },
	{ "nmi", STATES_BUILT, control_nmi },
	{ "quit", STATES_ALL | WHILE_BUSY, control_quit },
	{ "status", STATES_ALL | WHILE_BUSY, control_status },
	{ "stats", STATES_BUILT | STATE_STOPPED | WHILE_AWAY, control_stats },
	{ "balloon", STATES_BUILT, control_balloon },
	{ "memory", STATES_BUILT, control_memory },
	{ "nodes", STATES_BUILT, control_nodes },
	{ "balloon-period", STATES_BUILT, control_balloon_period },
	{ "dirtyrate", STATES_BUILT, control_dirtyrate },
	{ "link", STATES_BUILT, control_link },
	{ "insert", STATES_BUILT | NO_BLOCKJOBS, control_insert },
	{ "plug", STATES_BUILT, control_plug },
	{ "resize", STATES_BUILT | NO_BLOCKJOBS, control_resize },
	{ "limit", STATES_BUILT, control_limit },
	{ "switch", STATES_BUILT | NO_BLOCKJOBS, control_switch },
	{ "blockjob", STATES_BUILT, control_blockjob },
	{ "nbd-start", STATES_BUILT, control_nbd_start },
	{ "nbd-stop", STATES_ALL | WHILE_BUSY | WHILE_AWAY, control_nbd_stop },
	{ "blockjobs", STATES_ALL | WHILE_BUSY | WHILE_AWAY,
	  control_blockjobs },
	{ "blockjob-change", STATES_ALL | WHILE_BUSY | WHILE_AWAY,
	  control_blockjob_change },
	{ "bitmaps", STATES_BUILT, control_bitmaps },
	{ "bitmap-change", STATES_BUILT, control_bitmap_change },
	{ "peek", STATES_BUILT, control_peek },
	{ "unplug", STATES_BUILT, control_unplug },
	{ "devices", STATES_ALL | WHILE_BUSY, control_devices },
	{ "connect", STATES_BUILT | WHILE_BUSY, control_connect },
	{ "vcpus", STATES_BUILT, control_vcpus },
	{ "save", STATES_BUILT | NO_BLOCKJOBS, control_save },
	{ "dump", STATES_BUILT | STATE_STOPPED, control_dump },
	{ "migrate", STATES_BUILT | NO_BLOCKJOBS, control_migrate },
	{ "migrate-limits", STATES_BUILT | WHILE_BUSY, control_limits },
	{ "receive", STATE_PAUSED, control_receive },
	{ "keep", STATES_BUILT | WHILE_AWAY, control_keep },
	{ "take", STATE_PAUSED | WHILE_AWAY, control_take },
	{ "recover", STATES_BUILT | WHILE_AWAY | WHILE_SPLIT, control_recover },
	{ "break", STATES_BUILT | WHILE_AWAY | WHILE_SPLIT, control_break },
	{ "job", STATES_ALL | WHILE_BUSY, control_job },
	{ "cancel", STATES_ALL | WHILE_BUSY, control_cancel },
	{ "keys", STATES_BUILT, control_keys },
	{ "vnc-client", STATES_BUILT, control_vnc_client },
	{ "vnc-password", STATES_BUILT, control_vnc_password },
	{ "vsock-connected", STATES_ALL | WHILE_BUSY, control_vsock_connected },
	{ "screenshot", STATES_BUILT | STATE_STOPPED, control_screenshot },
};

/* ---- in ---- */

static const struct request *request_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		if (str_eq(requests[i].name, name))
			return &requests[i];
	}
	return NULL;
}

static int control_dispatch(struct control *c, struct json_object *req,
			    struct json_object *ok, struct error *err)
{
	struct json_object *v = json_object_object_get(req, "request");
	const char *name = json_object_is_type(v, json_type_string) ?
				   json_object_get_string(v) :
				   NULL;
	const struct request *r = request_find(name);
	int ret;

	if (!name || !r)
		return error_set(err, -EINVAL, "unknown request '%s'",
				 name ? name : "");
	if (!(r->states & c->state))
		return error_set(err, -EINVAL,
				 "'%s' makes no sense while the machine is %s",
				 name, control_state(c));
	if (c->job && !(r->states & WHILE_BUSY))
		return error_set(err, -EBUSY,
				 "'%s' has to wait: the machine is busy with "
				 "'%s'",
				 name, c->job_name);
	if ((r->states & NO_BLOCKJOBS) && control_has_blockjobs(c))
		return error_set(err, -EBUSY,
				 "'%s' has to wait: a block job is under way",
				 name);
	if (c->handover && handover_state(c->handover) != HANDOVER_TAKEN &&
	    !(r->states & (WHILE_BUSY | WHILE_AWAY)))
		return error_set(err, -EBUSY,
				 "'%s' has to wait: the guest is migrating",
				 name);
	if (c->in && postcopy_in_state(c->in) == POSTCOPY_BROKEN &&
	    !(r->states & (WHILE_BUSY | WHILE_SPLIT)))
		return error_set(err, -EBUSY,
				 "'%s' has to wait: the rest of the guest's "
				 "memory does not come",
				 name);
	ret = r->fn(c, req, ok, err);
	if (ret < 0 && !err->message[0])
		error_set(err, ret, "'%s' failed: %m", name);
	return ret;
}

static void control_leave(struct control *c)
{
	if (c->state != STATE_STOPPED)
		control_on_stopped(c, STOP_QUIT, NULL, false);
	loop_quit(c->loop);
}

/* Takes id and ok over. */
void control_reply(struct control *c, struct json_object *id, int r,
		   struct json_object *ok, const struct error *err)
{
	struct json_object *reply = json_object_new_object();

	json_object_object_add(reply, "id", id);
	if (r < 0) {
		control_add_str(reply, "error", err->message);
		json_object_object_add(reply, "errno",
				       json_object_new_int(-r));
		json_object_put(ok);
	} else {
		json_object_object_add(reply, "ok", ok);
	}
	control_send(c, reply);
}

static void control_answer(struct control *c, struct json_object *req)
{
	struct json_object *ok = json_object_new_object();
	struct json_object *id = json_object_object_get(req, "id");
	struct error err = { 0 };
	int r;

	if (json_object_is_type(id, json_type_int))
		r = control_dispatch(c, req, ok, &err);
	else
		r = error_set(&err, -EINVAL, "a request needs an \"id\"");
	if (r == REPLY_LATER)
		json_object_put(ok);
	else
		control_reply(c, json_object_get(id), r, ok, &err);
	if (c->leaving)
		control_leave(c);
}

static void control_close_fds(struct control *c)
{
	while (c->n_fds)
		fd_close(c->fds[--c->n_fds]);
}

static void control_message(struct control *c, size_t len)
{
	struct json_tokener *tok = json_tokener_new_ex(JSON_DEPTH);
	struct json_object *req = json_tokener_parse_ex(tok, c->msg, len + 1);

	if (req && json_object_is_type(req, json_type_object) &&
	    json_tokener_get_parse_end(tok) == len)
		control_answer(c, req);
	else
		control_drop_client(c); /* it does not speak our language */
	json_object_put(req);
	json_tokener_free(tok);
	control_close_fds(c);
}

/* Keeps the descriptors of every SCM_RIGHTS part, for closing too. */
static void control_take_fds(struct control *c, struct msghdr *mh)
{
	struct cmsghdr *cm;

	for (cm = CMSG_FIRSTHDR(mh); cm; cm = CMSG_NXTHDR(mh, cm)) {
		size_t n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (cm->cmsg_level != SOL_SOCKET ||
		    cm->cmsg_type != SCM_RIGHTS ||
		    n > CONTROL_FDS_MAX - c->n_fds)
			continue;
		memcpy(c->fds + c->n_fds, CMSG_DATA(cm), n * sizeof(int));
		c->n_fds += n;
	}
}

static void control_readable(void *arg, uint32_t events)
{
	struct control *c = arg;
	union {
		char space[CMSG_SPACE(CONTROL_FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} u;
	struct iovec iov = { c->msg, CONTROL_MSG_MAX };
	struct msghdr mh = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &u,
		.msg_controllen = sizeof(u.space),
	};
	ssize_t n = recvmsg(c->client, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		control_take_fds(c, &mh);
	if (n <= 0 || (mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		control_close_fds(c);
		control_drop_client(c);
		return;
	}
	c->msg[n] = 0;
	control_message(c, n);
}

/* The newest connection is the daemon's: it has been restarted. */
static void control_accept(void *arg, uint32_t events)
{
	struct control *c = arg;
	int fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (c->client >= 0) {
		loop_remove(c->loop, c->client);
		fd_close(c->client);
	}
	c->client = fd;
	loop_add(c->loop, fd, EPOLLIN, control_readable, c);
	control_greet(c);
}

/* ---- life ---- */

int control_create(struct loop *loop, int listen_fd, int status_fd,
		   struct control **ret_control, struct error *err)
{
	struct control *c = xcalloc(1, sizeof(*c));
	int r;

	c->loop = loop;
	c->listen_fd = listen_fd;
	c->status_fd = status_fd;
	c->client = c->job_fd = -1;
	c->page_fd = c->rescue_fd = c->missing_fd = -1;
	c->follower = (struct postcopy_listener){
		.loop = loop,
		.changed = control_on_follow,
		.arg = c,
	};
	c->started = process_start();
	c->msg = xmalloc(CONTROL_MSG_MAX + 1);
	vmm_spec_init(&c->spec);
	control_set_state(c, STATE_NEW, STOP_NONE);
	r = loop_add(loop, listen_fd, EPOLLIN, control_accept, c);
	if (r < 0) {
		control_destroy(c);
		return error_set(err, r, "cannot serve the control socket: "
				 "%m");
	}
	*ret_control = c;
	return 0;
}

void control_destroy(struct control *c)
{
	if (!c)
		return;
	job_destroy(c->job);
	numa_move_destroy(c->numa_move);
	dirtyrate_destroy(c->dirtyrate);
	control_forget_job(c);
	handover_destroy(c->handover);
	announce_stop(c->announce);
	postcopy_out_destroy(c->out);
	postcopy_in_destroy(c->in);
	control_end_blockjobs(c);
	fd_close(c->page_fd);
	fd_close(c->rescue_fd);
	fd_close(c->missing_fd);
	machine_destroy(c->m);
	hotplug_destroy(c->hotplug);
	loop_remove(c->loop, c->listen_fd);
	if (c->client >= 0) {
		loop_remove(c->loop, c->client);
		fd_close(c->client);
	}
	vmm_spec_finish(&c->spec);
	free(c->msg);
	free(c);
}
