/*
 * vmm/control.c -- the control socket, vireo-vmm's side (vmm/control.h).
 *
 * The client is the daemon, but nothing it sends is believed: a message that
 * is no request is answered or dropped, and a client that does not read its
 * replies is let go.
 */
#include "config.h"

#include "vmm/control.h"

#include <errno.h>
#include <json-c/json.h>
#include <netdb.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "storage/format/block.h"
#include "vmm/coredump.h"
#include "vmm/display.h"
#include "vmm/announce.h"
#include "vmm/handover.h"
#include "vmm/hotplug.h"
#include "vmm/image.h"
#include "vmm/input.h"
#include "vmm/job.h"
#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/migrate.h"
#include "vmm/missing.h"
#include "vmm/postcopy.h"
#include "vmm/numa.h"
#include "vmm/outflow.h"
#include "vmm/peek.h"
#include "vmm/ram.h"
#include "vmm/run.h"
#include "vmm/sandbox.h"
#include "vmm/spec.h"
#include "vmm/vnc/vnc.h"

/* #syscalls:vmm accept4 recvmsg sendto pwrite64 ftruncate close getpid */

enum { JSON_DEPTH = 16, HOLD_MS_MAX = 60000 };

enum state { STATE_NEW = 1, STATE_PAUSED = 2, STATE_RUNNING = 4,
	     STATE_STOPPED = 8 };
#define STATES_BUILT (STATE_PAUSED | STATE_RUNNING)
#define STATES_ALL   (STATE_NEW | STATES_BUILT | STATE_STOPPED)
#define WHILE_BUSY   16 /* a request that a job does not refuse */
#define WHILE_AWAY   32 /* nor that the guest may be elsewhere */
#define WHILE_SPLIT  64 /* nor that memory does not come that is waited for */

enum { REPLY_LATER = 1 };

struct control {
	struct loop *loop;
	int listen_fd, status_fd;
	int client; /* -1: nobody */
	uint64_t started;
	enum state state;
	enum machine_stop reason;
	bool tried; /* one "create" a process: the sandbox stays */
	bool leaving; /* after the reply */
	struct vmm_spec spec;
	struct machine *m;
	struct hotplug *hotplug;

	/* What takes long, and which request is answered at its end. */
	struct job *job;
	struct progress progress; /* of the last one, too */
	int64_t job_id;
	int job_fd;
	int more[MIGRATE_MORE_MAX]; /* streams beside job_fd */
	unsigned int n_more;
	uint64_t job_offset;
	enum image_format job_format;
	const char *job_name;
	struct migrate_options migrate;
	struct migrate_limits limits;
	bool job_paused; /* the job paused it */
	bool job_froze;	 /* its memory: none comes or goes */
	bool job_trusted; /* its stream is the other VMM's own */
	struct handover *handover; /* the guest was sent or came, or NULL */
	/* Memory that follows it: one of the two at most. */
	struct postcopy_out *out;
	struct postcopy_in *in;
	struct postcopy_listener follower;
	int page_fd, rescue_fd, missing_fd;
	struct announce *announce;
	struct numa_move *numa_move; /* its memory moves among nodes */
	int64_t take_id;
	struct buf job_state;
	struct x86_state *job_cpus;
	unsigned int n_job_cpus;

	/* The request at hand. */
	int fds[CONTROL_FDS_MAX];
	unsigned int n_fds;
	char *msg; /* CONTROL_MSG_MAX + 1 bytes */
};

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
static void control_send(struct control *c, struct json_object *msg)
{
	size_t len;
	const char *text = json_object_to_json_string_length(
		msg, JSON_C_TO_STRING_PLAIN, &len);

	if (c->client >= 0 &&
	    send(c->client, text, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		control_drop_client(c);
	json_object_put(msg);
}

static void add_str(struct json_object *o, const char *key, const char *s)
{
	json_object_object_add(o, key, s ? json_object_new_string(s) : NULL);
}

static void add_u64(struct json_object *o, const char *key, uint64_t v)
{
	json_object_object_add(o, key, json_object_new_uint64(v));
}

static void control_greet(struct control *c)
{
	struct json_object *o = json_object_new_object();

	add_u64(o, "vireo-vmm", CONTROL_VERSION);
	add_str(o, "version", PACKAGE_VERSION);
	add_u64(o, "pid", getpid());
	add_str(o, "state", control_state(c));
	json_object_object_add(o, "reason", control_reason(c));
	control_send(c, o);
}

static struct json_object *control_event(const char *name)
{
	struct json_object *o = json_object_new_object();

	add_str(o, "event", name);
	return o;
}

static void control_set_state(struct control *c, enum state state,
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

/* ---- what the machine tells ---- */

static void control_on_reset(void *arg)
{
	control_send(arg, control_event("reset"));
}

static void control_on_stopped(void *arg, enum machine_stop why,
			       const char *detail, bool preserved)
{
	struct control *c = arg;
	struct json_object *o = control_event("stopped");

	control_set_state(c, STATE_STOPPED, why);
	add_str(o, "reason", machine_stop_name(why));
	add_str(o, "detail", detail);
	control_send(c, o);
	if (!preserved)
		loop_quit(c->loop);
}

static void control_on_shutdown(void *arg)
{
	control_send(arg, control_event("shutdown"));
}

static void control_on_balloon(void *arg, uint64_t actual)
{
	struct json_object *o = control_event("balloon");

	add_u64(o, "actual", actual);
	control_send(arg, o);
}

static void control_on_panicked(void *arg)
{
	control_send(arg, control_event("panicked"));
}

/* {"family": "ipv4", "node": "127.0.0.1", "service": "5900"} */
static struct json_object *control_address(const struct sockaddr_storage *ss)
{
	struct json_object *o = json_object_new_object();
	char node[NI_MAXHOST] = "", service[NI_MAXSERV] = "";

	if (ss->ss_family != AF_UNIX)
		getnameinfo((const struct sockaddr *)ss, sizeof(*ss), node,
			    sizeof(node), service, sizeof(service),
			    NI_NUMERICHOST | NI_NUMERICSERV);
	add_str(o, "family", ss->ss_family == AF_INET  ? "ipv4" :
			     ss->ss_family == AF_INET6 ? "ipv6" :
							 "unix");
	add_str(o, "node", node);
	add_str(o, "service", service);
	return o;
}

static void control_on_vnc(void *arg, const struct vnc_event *e)
{
	struct json_object *o = control_event("vnc");

	add_str(o, "phase", e->phase);
	add_str(o, "auth", e->auth);
	add_u64(o, "index", e->index);
	json_object_object_add(o, "local", control_address(&e->local));
	json_object_object_add(o, "remote", control_address(&e->remote));
	control_send(arg, o);
}

static void control_on_watchdog(void *arg, enum spec_watchdog action)
{
	struct control *c = arg;
	struct json_object *o = control_event("watchdog");

	if (action == WATCHDOG_PAUSE) {
		machine_pause(c->m);
		control_set_state(c, STATE_PAUSED, STOP_NONE);
	}
	add_str(o, "action", vmm_spec_watchdog_name(action));
	control_send(c, o);
}

static void control_on_tray(void *arg, const char *id, bool open)
{
	struct json_object *o = control_event("tray");

	add_str(o, "drive", id);
	json_object_object_add(o, "open", json_object_new_boolean(open));
	control_send(arg, o);
}

static void control_on_vsock(void *arg, uint32_t port)
{
	struct control *c = arg;
	struct json_object *o;

	if (c->client < 0) { /* nobody there who could connect */
		machine_vsock_connected(c->m, port, -1);
		return;
	}
	o = control_event("vsock");
	add_u64(o, "port", port);
	control_send(c, o);
}

static void control_tell_device(struct control *c, const char *event,
				const char *id)
{
	struct json_object *o = control_event(event);

	add_str(o, "device", id);
	control_send(c, o);
}

static void control_on_unplugged(void *arg, unsigned int bus, bool gone)
{
	struct control *c = arg;
	char *id;

	while ((id = hotplug_on_bus(c->hotplug, bus, gone))) {
		control_tell_device(c, gone ? "unplugged" : "kept", id);
		free(id);
		if (!gone)
			break;
	}
}

static void control_on_port(void *arg, const char *id, bool open)
{
	struct json_object *o = control_event("port");

	add_str(o, "port", id);
	json_object_object_add(o, "open", json_object_new_boolean(open));
	control_send(arg, o);
}

static void control_on_memory(void *arg, const char *id,
			      enum machine_memory what, uint64_t bytes)
{
	struct control *c = arg;
	struct json_object *o;

	if (what == MEMORY_GONE)
		hotplug_forget(c->hotplug, id);
	if (what != MEMORY_IN_USE) {
		control_tell_device(c, what == MEMORY_GONE ? "unplugged" :
							      "kept", id);
		return;
	}
	o = control_event("memory");
	add_str(o, "device", id);
	add_u64(o, "size", bytes);
	control_send(c, o);
}

static void control_on_vcpus(void *arg, unsigned int n)
{
	struct json_object *o = control_event("vcpus");

	add_u64(o, "count", n);
	control_send(arg, o);
}

static void control_on_rtc(void *arg, int64_t offset)
{
	struct json_object *o = control_event("rtc");

	json_object_object_add(o, "offset", json_object_new_int64(offset));
	control_send(arg, o);
}

static const struct machine_listener control_listener = {
	.rtc = control_on_rtc,
	.vcpus = control_on_vcpus,
	.memory = control_on_memory,
	.reset = control_on_reset,
	.stopped = control_on_stopped,
	.shutdown = control_on_shutdown,
	.balloon = control_on_balloon,
	.panicked = control_on_panicked,
	.watchdog = control_on_watchdog,
	.tray = control_on_tray,
	.unplugged = control_on_unplugged,
	.port = control_on_port,
	.vnc = control_on_vnc,
	.vsock = control_on_vsock,
};

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

static void let_go_disks(struct control *c)
{
	const struct vmm_spec *s = NULL;

	while ((s = hotplug_next_spec(c->hotplug, s))) {
		for (unsigned int i = 0; i < s->n_disks; i++)
			let_go_disk(&s->disks[i]);
	}
}

static int claim_disk(const struct spec_disk *d, struct error *err)
{
	int r = d->fd < 0 ? 0 : block_lock(d->fd, d->readonly || d->shareable,
					    err);

	for (unsigned int i = 0; i < d->n_layers && r == 0; i++)
		r = block_lock(d->layers[i].fd, true, err);
	if (r < 0)
		error_prefix(err, "disk '%s'", d->id);
	return r;
}

static int claim_disks(struct control *c, struct error *err)
{
	const struct vmm_spec *s = NULL;
	int r = 0;

	while (r == 0 && (s = hotplug_next_spec(c->hotplug, s))) {
		for (unsigned int i = 0; i < s->n_disks && r == 0; i++)
			r = claim_disk(&s->disks[i], err);
	}
	if (r < 0)
		let_go_disks(c);
	return r;
}

/* A guest that was sent away or came: only if it is ours to run. */
static int control_own(struct control *c, struct error *err)
{
	int r = handover_revoke(c->handover, err);

	if (r == 0)
		r = claim_disks(c, err);
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

static struct json_object *control_cpu_ns(struct control *c)
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

static const char *control_handover(const struct control *c)
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

	add_str(ok, "state", control_state(c));
	json_object_object_add(ok, "reason", control_reason(c));
	add_str(ok, "handover", control_handover(c));
	add_u64(ok, "balloon", c->m ? machine_balloon(c->m) : 0);
	json_object_object_add(ok, "cpu_ns", control_cpu_ns(c));
	add_u64(ok, "first_run_ns", first ? first - c->started : 0);
	return 0;
}

static struct json_object *member_object(struct json_object *o,
					 const char *key)
{
	struct json_object *v = json_object_object_get(o, key);

	if (!v) {
		v = json_object_new_object();
		json_object_object_add(o, key, v);
	}
	return v;
}

static void control_emit(void *arg, const char *group, const char *id,
			 const char *name, uint64_t value)
{
	struct json_object *o = member_object(arg, group);

	add_u64(id ? member_object(o, id) : o, name, value);
}

static void control_emit_engine(void *arg, const char *name, uint64_t value)
{
	add_u64(member_object(arg, "engine"), name, value);
}

static int control_stats(struct control *c, struct json_object *req,
			 struct json_object *ok, struct error *err)
{
	static const char *const groups[] = { "disks", "nics", "balloon",
					      "memory", "engine" };

	json_object_object_add(ok, "cpu_ns", control_cpu_ns(c));
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		member_object(ok, groups[i]);
	machine_stats(c->m, control_emit, ok);
	if (c->m->engine->stats)
		c->m->engine->stats(c->m->vm, control_emit_engine, ok);
	return 0;
}

static int control_balloon(struct control *c, struct json_object *req,
			   struct json_object *ok, struct error *err)
{
	struct json_object *v = json_object_object_get(req, "target");
	int r;

	if (!json_object_is_type(v, json_type_int) ||
	    json_object_get_int64(v) <= 0)
		return error_set(err, -EINVAL, "\"target\" is not a size");
	r = machine_set_balloon(c->m, json_object_get_int64(v));
	if (r == -ENOENT)
		return error_set(err, r, "the machine has no balloon");
	return r;
}

static int control_memory(struct control *c, struct json_object *req,
			  struct json_object *ok, struct error *err)
{
	struct json_object *id = json_object_object_get(req, "device");
	struct json_object *v = json_object_object_get(req, "requested");

	if (!json_object_is_type(id, json_type_string) ||
	    !json_object_is_type(v, json_type_int) ||
	    json_object_get_int64(v) < 0)
		return error_set(err, -EINVAL,
				 "\"device\" or \"requested\" is missing");
	return machine_set_memory(c->m, json_object_get_string(id),
				  json_object_get_int64(v), err);
}

static int control_nodes(struct control *c, struct json_object *req,
			 struct json_object *ok, struct error *err)
{
	struct json_object *v = json_object_object_get(req, "nodes");
	struct numa_move *move = NULL;
	int r;

	if (!json_object_is_type(v, json_type_string))
		return error_set(err, -EINVAL, "\"nodes\" is missing");
	numa_move_destroy(steal_ptr(&c->numa_move));
	r = numa_move_begin(c->m, json_object_get_string(v), &move, err);
	if (r < 0)
		return r;
	c->numa_move = move;
	/* For memory devices that come. */
	c->spec.mem_policy = SPEC_NUMA_STRICT;
	free(c->spec.mem_nodes);
	c->spec.mem_nodes = xstrdup(json_object_get_string(v));
	return 0;
}

static int control_balloon_period(struct control *c, struct json_object *req,
				  struct json_object *ok, struct error *err)
{
	struct json_object *v = json_object_object_get(req, "seconds");
	int r;

	if (!json_object_is_type(v, json_type_int) ||
	    json_object_get_int64(v) < 0 ||
	    json_object_get_int64(v) > INT32_MAX)
		return error_set(err, -EINVAL, "\"seconds\" is not a number");
	r = machine_set_balloon_period(c->m, json_object_get_int64(v));
	return r < 0 ? error_set(err, r, "the machine has no balloon") : 0;
}

static int control_link(struct control *c, struct json_object *req,
			struct json_object *ok, struct error *err)
{
	struct json_object *nic = json_object_object_get(req, "nic");
	struct json_object *up = json_object_object_get(req, "up");
	int r;

	if (!json_object_is_type(nic, json_type_string) ||
	    !json_object_is_type(up, json_type_boolean))
		return error_set(err, -EINVAL,
				 "\"nic\" or \"up\" is missing");
	r = machine_set_link(c->m, json_object_get_string(nic),
			     json_object_get_boolean(up));
	if (r == -ENOENT)
		return error_set(err, r, "there is no network card '%s'",
				 json_object_get_string(nic));
	return r;
}

/* Linux codes; libvirt allows sixteen at once. */
static int control_keys(struct control *c, struct json_object *req,
			struct json_object *ok, struct error *err)
{
	struct json_object *codes = json_object_object_get(req, "codes");
	struct json_object *hold = json_object_object_get(req, "hold_ms");
	unsigned int code[INPUT_KEYS_MAX], n;

	if (!json_object_is_type(codes, json_type_array) ||
	    !json_object_is_type(hold, json_type_int) ||
	    json_object_array_length(codes) > INPUT_KEYS_MAX)
		return error_set(err, -EINVAL,
				 "\"codes\" or \"hold_ms\" is not right");
	n = json_object_array_length(codes);
	for (unsigned int i = 0; i < n; i++)
		code[i] = json_object_get_int(
			json_object_array_get_idx(codes, i));
	input_send_keys(c->m->input, code, n,
			MIN(MAX(json_object_get_int64(hold), 0), HOLD_MS_MAX));
	return 0;
}

/* ---- what takes long ---- */

static void control_reply(struct control *c, struct json_object *id, int r,
			  struct json_object *ok, const struct error *err);

static int save_work(void *arg, struct progress *p, struct error *err)
{
	struct control *c = arg;

	return image_save(c->m->ram, &c->job_state, c->job_fd, c->job_offset,
			  c->job_format, p, err);
}

static void control_forget_job(struct control *c)
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

static void save_done(void *arg, int result, const struct error *err)
{
	struct control *c = arg;

	control_forget_job(c);
	control_reply(c, json_object_new_int64(c->job_id), result,
		      json_object_new_object(), err);
}

static int control_start_job(struct control *c, struct json_object *req,
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

static int control_save(struct control *c, struct json_object *req,
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
	return control_start_job(c, req, "save", save_work, save_done, err);
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
	save_done(c, result, err);
}

static int control_dump(struct control *c, struct json_object *req,
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

/* ---- migration ---- */

static int migrate_work(void *arg, struct progress *p, struct error *err)
{
	struct control *c = arg;

	return migrate_send(c->m, c->job_fd, &c->migrate, &c->limits, p,
			    &c->job_paused, &c->out, err);
}

static void control_tell_handover(struct control *c, const char *word)
{
	struct json_object *o = control_event("handover");

	add_str(o, "state", word);
	control_send(c, o);
}

/* Memory that followed the guest has come, or does not come any more. */
static void control_on_follow(void *arg)
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
		let_go_disks(c);
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

	add_u64(o, "n", atomic_load(&c->progress.iterations));
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
		let_go_disks(c);
		control_offer(c, true);
	}
	save_done(c, result, err);
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
	save_done(c, result, err);
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

static int control_migrate(struct control *c, struct json_object *req,
			   struct json_object *ok, struct error *err)
{
	int r = take_stream(c, req, err);

	if (r < 0)
		return r;
	c->job_paused = false;
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

static int control_limits(struct control *c, struct json_object *req,
			  struct json_object *ok, struct error *err)
{
	set_limits(c, req);
	return 0;
}

static int control_receive(struct control *c, struct json_object *req,
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

static int control_take(struct control *c, struct json_object *req,
			struct json_object *ok, struct error *err)
{
	int r;

	if (!c->handover)
		return error_set(err, -EINVAL, "no guest has come");
	r = claim_disks(c, err);
	if (r == 0 && c->in && postcopy_in_state(c->in) == POSTCOPY_BROKEN)
		r = error_set(err, -ECONNRESET,
			      "the rest of the guest's memory does not come");
	if (r == 0)
		r = handover_take(c->handover, err);
	if (r < 0) {
		let_go_disks(c);
		return r;
	}
	c->take_id = json_object_get_int64(json_object_object_get(req, "id"));
	return REPLY_LATER;
}

/* Memory that follows: another stream for it, or none any more. */
static int control_recover(struct control *c, struct json_object *req,
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

static int control_break(struct control *c, struct json_object *req,
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

static int control_job(struct control *c, struct json_object *req,
		       struct json_object *ok, struct error *err)
{
	const struct progress *p = &c->progress;
	uint64_t end = atomic_load(&p->finished);

	add_str(ok, "job", c->job ? c->job_name : NULL);
	add_u64(ok, "total", atomic_load(&p->total));
	add_u64(ok, "done", atomic_load(&p->done));
	add_u64(ok, "written", atomic_load(&p->written));
	add_u64(ok, "zero", atomic_load(&p->zero));
	add_u64(ok, "normal", atomic_load(&p->normal));
	add_u64(ok, "remaining", atomic_load(&p->remaining));
	add_u64(ok, "iterations", atomic_load(&p->iterations));
	add_u64(ok, "dirty_rate", atomic_load(&p->dirty_rate));
	add_u64(ok, "bps", atomic_load(&p->bps));
	add_u64(ok, "downtime_ns", atomic_load(&p->downtime));
	add_u64(ok, "throttle", atomic_load(&p->throttle));
	if (atomic_load(&p->started))
		add_u64(ok, "elapsed_ns",
			(end ? end : now_ns()) - atomic_load(&p->started));
	return 0;
}

static int control_cancel(struct control *c, struct json_object *req,
			  struct json_object *ok, struct error *err)
{
	if (!c->job)
		return error_set(err, -EINVAL, "there is nothing to cancel");
	job_cancel(c->job);
	return 0;
}

/* The descriptor that came along takes the picture. */
static int control_screenshot(struct control *c, struct json_object *req,
			      struct json_object *ok, struct error *err)
{
	size_t len;
	char *ppm;

	if (c->n_fds != 1)
		return error_set(err, -EINVAL, "a screenshot needs somewhere "
				 "to go");
	if (!display_exists(c->m->display))
		return error_set(err, -ENODEV,
				 "the machine has no graphics card");
	ppm = display_ppm(c->m->display, &len);
	if (!ppm)
		return error_set(err, -EAGAIN,
				 "the guest shows no picture yet");
	add_str(ok, "mime", "image/x-portable-pixmap");
	outflow_start(c->loop, c->fds[--c->n_fds], ppm, len);
	return 0;
}

static int control_index(struct json_object *req, unsigned int *ret)
{
	struct json_object *v = json_object_object_get(req, "index");

	if (!json_object_is_type(v, json_type_int))
		return -EINVAL;
	*ret = json_object_get_int(v);
	return 0;
}

static int control_vnc_client(struct control *c, struct json_object *req,
			      struct json_object *ok, struct error *err)
{
	unsigned int index;
	int r;

	if (c->n_fds != 1 || control_index(req, &index) < 0)
		return error_set(err, -EINVAL,
				 "\"index\" or the client's socket is missing");
	r = machine_vnc_client(
		c->m, index, c->fds[--c->n_fds],
		json_object_get_boolean(json_object_object_get(req, "trusted")));
	return r < 0 ? error_set(err, r, "no VNC server takes it: %m") : 0;
}

/* The guest's connection to a port of the host's, or none. */
static int control_vsock_connected(struct control *c, struct json_object *req,
				   struct json_object *ok, struct error *err)
{
	struct json_object *port = json_object_object_get(req, "port");

	if (!c->m || !json_object_is_type(port, json_type_int) ||
	    json_object_get_int64(port) < 0 ||
	    json_object_get_int64(port) > UINT32_MAX)
		return error_set(err, -EINVAL, "\"port\" is not one");
	machine_vsock_connected(c->m, json_object_get_int64(port),
				c->n_fds ? c->fds[--c->n_fds] : -1);
	return 0;
}

static int set_vnc_password(struct control *c, unsigned int index,
			    struct json_object *req, struct json_object *password,
			    struct error *err)
{
	static const char *const words[] = { "keep", "fail", "disconnect" };
	struct json_object *until = json_object_object_get(req, "valid_to");
	const char *word = json_object_get_string(
		json_object_object_get(req, "viewers"));
	unsigned int viewers = VIEWERS_KEEP;
	int r;

	while (word && viewers < ARRAY_SIZE(words) &&
	       !str_eq(word, words[viewers]))
		viewers++;
	if (viewers == ARRAY_SIZE(words))
		return error_set(err, -EINVAL, "\"viewers\" is not right");
	r = machine_vnc_password(
		c->m, index, password ? json_object_get_string(password) : NULL,
		json_object_get_int64(until), viewers);
	if (r == -EBUSY)
		return error_set(err, r, "somebody looks at VNC server %u",
				 index);
	if (r == -EOPNOTSUPP)
		return error_set(err, r,
				 "the module for VNC's passwords was not loaded");
	return r < 0 ? error_set(err, r, "there is no VNC server %u", index) :
		       0;
}

static int control_vnc_password(struct control *c, struct json_object *req,
				struct json_object *ok, struct error *err)
{
	struct json_object *password = json_object_object_get(req, "password");
	unsigned int index;

	if (control_index(req, &index) < 0 ||
	    (password && !json_object_is_type(password, json_type_string)))
		return error_set(err, -EINVAL,
				 "\"index\" or \"password\" is not right");
	return set_vnc_password(c, index, req, password, err);
}

static int control_vcpus(struct control *c, struct json_object *req,
			 struct json_object *ok, struct error *err)
{
	struct json_object *count = json_object_object_get(req, "count");
	int r = 0;

	if (json_object_is_type(count, json_type_int))
		r = machine_set_vcpus(c->m, json_object_get_int(count), err);
	add_u64(ok, "count", machine_vcpus(c->m));
	return r;
}

/* Without a descriptor the drive is empty then. */
static int control_insert(struct control *c, struct json_object *req,
			  struct json_object *ok, struct error *err)
{
	struct json_object *id = json_object_object_get(req, "drive");
	struct json_object *format = json_object_object_get(req, "format");
	bool force = json_object_get_boolean(
		json_object_object_get(req, "force"));
	int r;

	if (c->n_fds > 1 || !json_object_is_type(id, json_type_string) ||
	    !json_object_is_type(format, json_type_string))
		return error_set(err, -EINVAL,
				 "\"drive\" or \"format\" is not right");
	r = machine_insert(c->m, json_object_get_string(id),
			   json_object_get_string(format),
			   c->n_fds ? c->fds[0] : -1, force, err);
	if (r == 0)
		c->n_fds = 0; /* the drive's */
	return r;
}

static int control_resize(struct control *c, struct json_object *req,
			  struct json_object *ok, struct error *err)
{
	struct json_object *id = json_object_object_get(req, "drive");
	struct json_object *size = json_object_object_get(req, "size");

	if (!json_object_is_type(id, json_type_string) ||
	    !json_object_is_type(size, json_type_int) ||
	    json_object_get_int64(size) < 0)
		return error_set(err, -EINVAL,
				 "\"drive\" or \"size\" is not right");
	return machine_resize_disk(c->m, json_object_get_string(id),
				   json_object_get_int64(size), err);
}

/* Guest memory, to a file. */
static int control_peek(struct control *c, struct json_object *req,
			struct json_object *ok, struct error *err)
{
	struct json_object *at = json_object_object_get(req, "address");
	int64_t len = json_object_get_int64(
		json_object_object_get(req, "length"));

	if (c->n_fds != 1 || !json_object_is_type(at, json_type_int) ||
	    len < 0 || len > CONTROL_PEEK_MAX)
		return error_set(err, -EINVAL,
				 "\"address\" or \"length\" is not right");
	return peek_memory(c->m, json_object_get_uint64(at), len,
			   json_object_get_boolean(
				   json_object_object_get(req, "linear")),
			   c->fds[0], err);
}

static int control_plug(struct control *c, struct json_object *req,
			struct json_object *ok, struct error *err)
{
	struct json_object *devices = json_object_object_get(req, "devices");
	unsigned int n = c->n_fds;
	struct vmm_spec spec;
	int r;

	c->n_fds = 0; /* the description's from here on */
	r = vmm_spec_devices_from_json(devices, c->fds, n, &spec, err);
	return r < 0 ? r : hotplug_plug(c->hotplug, &spec, err);
}

/* The new images are ours to write from here on. */
static void adopt_images(struct control *c, struct vmm_spec *spec)
{
	for (unsigned int i = 0; i < spec->n_disks; i++) {
		claim_disk(&spec->disks[i], NULL);
		hotplug_take_images(c->hotplug, &spec->disks[i]);
	}
}

static int control_switch(struct control *c, struct json_object *req,
			  struct json_object *ok, struct error *err)
{
	struct json_object *devices = json_object_object_get(req, "devices");
	bool running = c->state == STATE_RUNNING;
	unsigned int n = c->n_fds;
	struct vmm_spec spec;
	int r;

	c->n_fds = 0; /* the description's from here on */
	r = vmm_spec_devices_from_json(devices, c->fds, n, &spec, err);
	if (r < 0)
		return r;
	if (running)
		machine_pause(c->m);
	r = machine_switch_disks(c->m, &spec, err);
	if (r == 0)
		adopt_images(c, &spec);
	if (running)
		machine_run(c->m);
	vmm_spec_finish(&spec);
	return r;
}

/* Other limits for disks that are there. */
static int control_limit(struct control *c, struct json_object *req,
			 struct json_object *ok, struct error *err)
{
	struct json_object *devices = json_object_object_get(req, "devices");
	struct vmm_spec spec;
	int r = vmm_spec_devices_from_json(devices, NULL, 0, &spec, err);

	if (r < 0)
		return r;
	r = machine_limit_disks(c->m, &spec, err);
	vmm_spec_finish(&spec);
	return r;
}

static int control_unplug(struct control *c, struct json_object *req,
			  struct json_object *ok, struct error *err)
{
	struct json_object *id = json_object_object_get(req, "device");
	bool gone;
	int r;

	if (!json_object_is_type(id, json_type_string))
		return error_set(err, -EINVAL, "\"device\" is missing");
	r = hotplug_unplug(c->hotplug, json_object_get_string(id), &gone, err);
	if (r == 0 && gone)
		control_tell_device(c, "unplugged", json_object_get_string(id));
	return r;
}

static int control_devices(struct control *c, struct json_object *req,
			   struct json_object *ok, struct error *err)
{
	json_object_object_add(ok, "devices", hotplug_present(c->hotplug));
	return 0;
}

/* Another client for a port of the console. */
static int control_connect(struct control *c, struct json_object *req,
			   struct json_object *ok, struct error *err)
{
	struct json_object *id = json_object_object_get(req, "port");
	bool force = json_object_get_boolean(
		json_object_object_get(req, "force"));
	int r;

	if (c->n_fds != 1 || !json_object_is_type(id, json_type_string))
		return error_set(err, -EINVAL,
				 "\"port\" or the client's socket is missing");
	r = machine_connect(c->m, json_object_get_string(id), c->fds[0], force);
	if (r == 0)
		c->n_fds = 0; /* the port's */
	else if (r == -EBUSY)
		error_set(err, r, "another client uses port '%s'",
			  json_object_get_string(id));
	else
		error_set(err, r, "there is no port '%s' for clients",
			  json_object_get_string(id));
	return r;
}

static const struct request {
	const char *name;
	unsigned int states; /* where it makes sense */
	int (*fn)(struct control *c, struct json_object *req,
		  struct json_object *ok, struct error *err);
} requests[] = {
	{ "create", STATE_NEW, control_create_machine },
	{ "run", STATES_BUILT | WHILE_AWAY | WHILE_SPLIT, control_run },
	{ "pause", STATES_BUILT | WHILE_AWAY, control_pause },
	{ "reset", STATES_BUILT, control_reset },
	{ "powerbutton", STATES_BUILT, control_powerbutton },
	{ "nmi", STATES_BUILT, control_nmi },
	{ "quit", STATES_ALL | WHILE_BUSY, control_quit },
	{ "status", STATES_ALL | WHILE_BUSY, control_status },
	{ "stats", STATES_BUILT | STATE_STOPPED | WHILE_AWAY, control_stats },
	{ "balloon", STATES_BUILT, control_balloon },
	{ "memory", STATES_BUILT, control_memory },
	{ "nodes", STATES_BUILT, control_nodes },
	{ "balloon-period", STATES_BUILT, control_balloon_period },
	{ "link", STATES_BUILT, control_link },
	{ "insert", STATES_BUILT, control_insert },
	{ "plug", STATES_BUILT, control_plug },
	{ "resize", STATES_BUILT, control_resize },
	{ "limit", STATES_BUILT, control_limit },
	{ "switch", STATES_BUILT, control_switch },
	{ "peek", STATES_BUILT, control_peek },
	{ "unplug", STATES_BUILT, control_unplug },
	{ "devices", STATES_ALL | WHILE_BUSY, control_devices },
	{ "connect", STATES_BUILT | WHILE_BUSY, control_connect },
	{ "vcpus", STATES_BUILT, control_vcpus },
	{ "save", STATES_BUILT, control_save },
	{ "dump", STATES_BUILT | STATE_STOPPED, control_dump },
	{ "migrate", STATES_BUILT, control_migrate },
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
static void control_reply(struct control *c, struct json_object *id, int r,
			  struct json_object *ok, const struct error *err)
{
	struct json_object *reply = json_object_new_object();

	json_object_object_add(reply, "id", id);
	if (r < 0) {
		add_str(reply, "error", err->message);
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
	control_forget_job(c);
	handover_destroy(c->handover);
	announce_stop(c->announce);
	postcopy_out_destroy(c->out);
	postcopy_in_destroy(c->in);
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
