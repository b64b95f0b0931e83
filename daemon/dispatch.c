/*
 * daemon/dispatch.c -- from a message to a handler and back.
 */
#include <errno.h>
#include <string.h>

#include <libvirt/virterror.h>

#define LOG_MODULE "rpc"
#include "base/log.h"
#include "daemon/acl.h"
#include "daemon/carrier_tls.h"
#include "daemon/dispatch.h"
#include "daemon/server_priv.h"
#include "daemon/stream.h"
#include "rpc/errors.h"

void call_free(struct call *call)
{
	if (!call)
		return;
	frame_free(call->frame);
	packet_free(call->reply);
	fd_close(call->stream_fd);
	free(call->user);
	tls_keys_unref(call->tls);
	session_unref(call->session);
	free(call);
}

static int scheme_error_domain(const struct call *call)
{
	return call->scheme == SCHEME_QEMU ? VIR_FROM_QEMU : VIR_FROM_DOM;
}

int call_error_domain(const struct call *call)
{
	static const struct {
		const char *class;
		int domain;
	} classes[] = {
		{ "network", VIR_FROM_NETWORK },
		{ "storage_", VIR_FROM_STORAGE },
		{ "interface:", VIR_FROM_INTERFACE },
		{ "node_device:", VIR_FROM_NODEDEV },
		{ "secret:", VIR_FROM_SECRET },
		/* Clients renumber codes 61 to 63 from other domains. */
		{ "nwfilter", VIR_FROM_NWFILTER },
	};

	if (call->proc - procedures > PROC_ADMIN_BASE)
		return VIR_FROM_ADMIN;
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		if (str_startswith(call->proc->access, classes[i].class))
			return classes[i].domain;
	return scheme_error_domain(call);
}

int call_flags(const struct call *call, unsigned int flags,
	       unsigned int allowed, struct error *err)
{
	if (!(flags & ~allowed))
		return 0;
	return error_virt(err, VIR_ERR_INVALID_ARG,
			  "unsupported flags (0x%x) in function %s",
			  flags & ~allowed, call->proc->api);
}

/* Those that say who the client is. */
static bool proc_before_auth(const struct procedure *proc)
{
	int n = proc - procedures;

	return n >= PROC_AUTH_LIST && n <= PROC_AUTH_POLKIT;
}

/* Before CONNECT_OPEN only these make sense. */
static bool proc_before_open(const struct procedure *proc)
{
	int n = proc - procedures;

	return n == PROC_CONNECT_OPEN || n == PROC_CONNECT_SUPPORTS_FEATURE ||
	       n == PROC_CONNECT_CLOSE || n > PROC_ADMIN_BASE ||
	       proc_before_auth(proc);
}

static int call_check(struct call *call, struct error *err)
{
	const struct procedure *proc = call->proc;

	if (call->session->refused) {
		call->session->closing = true;
		err->domain = VIR_FROM_RPC;
		return error_virt(err, VIR_ERR_OPERATION_FAILED,
				  "the daemon serves %u clients, which is all it is to serve",
				  call->session->server->limits[0].clients);
	}
	if (!call->session->authenticated && !proc_before_auth(proc)) {
		err->domain = VIR_FROM_RPC;
		return error_virt(err, VIR_ERR_AUTH_FAILED, "%s",
				  "authentication required");
	}
	if (!call->reg && !proc_before_open(proc)) {
		err->domain = VIR_FROM_RPC;
		return error_virt(err, VIR_ERR_INTERNAL_ERROR, "%s",
				  "connection not open");
	}
	if (!handlers[proc - procedures])
		return error_virt(err, VIR_ERR_NO_SUPPORT, "%s", proc->api);
	return access_call(&call->session->peer, call->readonly, proc, err);
}

/* On the loop nothing waits: what it runs was checked before. */
static int call_handle_checked(struct call *call, void *args, void *reply,
			       struct error *err)
{
	handler *handle = handlers[call->proc - procedures];
	bool drop;
	int r;

	if (call->proc->flags & PROC_LOOP)
		return handle(call, args, reply, err);
	r = acl_check(call, args, err);
	if (r < 0)
		return r;
	acl_prepare(call, args, &drop);
	r = handle(call, args, reply, err);
	return r < 0 ? r : acl_filter(call, reply, drop, err);
}

static int call_handle(struct call *call, void *args, void *reply,
		       struct error *err)
{
	const struct procedure *proc = call->proc;
	int r;

	if (!body_decode(call->frame->body, call->frame->len, proc->args,
			 args)) {
		err->domain = VIR_FROM_RPC;
		return error_virt(err, VIR_ERR_RPC,
				  "cannot decode the arguments of %s",
				  proc->name);
	}
	r = call_handle_checked(call, args, reply, err);
	body_free(proc->args, args);
	return r;
}

static struct packet *call_reply(struct call *call, const void *reply,
				 struct error *err)
{
	const struct procedure *proc = call->proc;
	wire_header h = call->frame->header;
	int fd = call->reply_fd;
	struct packet *p;

	h.type = call->reply_fd < 0 ? FRAME_REPLY : FRAME_REPLY_WITH_FDS;
	h.status = FRAME_OK;
	reply = proc->reply_size ? reply : NULL;
	if (call->reply_fd < 0)
		p = packet_create(&h, proc->reply, reply);
	else
		p = packet_create_fds(&h, proc->reply, reply, &fd, 1);
	if (!p) {
		err->domain = VIR_FROM_RPC;
		error_virt(err, VIR_ERR_RPC,
			   "the reply to %s is beyond the protocol's limits",
			   proc->name);
	}
	return p;
}

/* Runs the handler and makes the reply, an error included. */
static void call_run(struct call *call)
{
	_cleanup_free_ void *args = xcalloc(1, call->proc->args_size + 1);
	_cleanup_free_ void *reply = xcalloc(1, call->proc->reply_size + 1);
	struct error err = { 0 };

	if (call_handle(call, args, reply, &err) >= 0)
		call->reply = call_reply(call, reply, &err);
	call->reply_fd = -1; /* the packet's, or closed */
	body_free(call->proc->reply, reply);
	if (call->reply)
		return;
	call->stream_fd = fd_close(call->stream_fd);
	call->reply = rpc_error_packet(&call->frame->header, &err,
				       call_error_domain(call));
}

static void call_finish(struct call *call)
{
	struct session *s = call->session;
	struct error err = { 0 };
	int fd = steal_fd(&call->stream_fd);

	if (call->authenticated)
		session_authenticated(s, steal_ptr(&call->user));
	if (call->tls)
		server_set_tls(s->server, steal_ptr(&call->tls));
	if (fd >= 0 && stream_open(s, &call->frame->header, fd,
				   &call->stream, &err) < 0) {
		session_send_error(s, &call->frame->header, &err,
				   VIR_FROM_STREAMS);
		return;
	}
	session_send(s, steal_ptr(&call->reply));
	stream_update(s);
}

static void call_run_work(struct work *work)
{
	call_run(container_of(work, struct call, work));
}

static void call_done_work(struct work *work)
{
	struct call *call = container_of(work, struct call, work);
	struct session *s = session_ref(call->session);

	call_finish(call);
	call_free(call);
	s->n_running--;
	if (s->fd >= 0)
		session_call_ended(s);
	else
		dispatch_owner_gone(s);
	session_unref(s);
}

void dispatch_start(struct call *call)
{
	call->work.run = call_run_work;
	call->work.done = call_done_work;
	workers_submit(call->session->server->workers, &call->work,
		       call->proc->flags & PROC_URGENT);
}

/* ---- quick calls that somebody else has to permit ---- */

static void check_run(struct work *work)
{
	struct call *call = container_of(work, struct call, work);
	struct error err = { 0 };

	if (acl_check(call, NULL, &err) < 0)
		call->reply = rpc_error_packet(&call->frame->header, &err,
					       call_error_domain(call));
}

static void check_done(struct work *work)
{
	struct call *call = container_of(work, struct call, work);
	struct session *s = session_ref(call->session);

	if (s->fd >= 0 && !call->reply)
		call_run(call);
	if (s->fd >= 0)
		call_finish(call);
	call_free(call);
	session_hold_input(s, -1);
	session_unref(s);
}

/* Nothing else of the client's is looked at meanwhile. */
static void dispatch_check(struct call *call)
{
	call->work.run = check_run;
	call->work.done = check_done;
	session_hold_input(call->session, 1);
	workers_submit(call->session->server->workers, &call->work, false);
}

static struct call *call_create(struct session *s, struct frame *f,
				const struct procedure *proc)
{
	struct call *call = xcalloc(1, sizeof(*call));

	call->session = session_ref(s);
	call->proc = proc;
	call->frame = f;
	call->reg = s->reg;
	call->scheme = s->scheme;
	call->readonly = s->readonly;
	call->auth = s->auth;
	call->uri = s->uri;
	call->host = s->server->host;
	call->stream_fd = call->reply_fd = -1;
	return call;
}

/* A procedure we know the name of. */
static void dispatch_known(struct session *s, struct frame *f,
			   const struct procedure *proc)
{
	struct call *call = call_create(s, f, proc);
	struct error err = { 0 };

	if (call_check(call, &err) < 0) {
		session_send_error(s, &f->header, &err,
				   call_error_domain(call));
		call_free(call);
	} else if (proc->flags & PROC_LOOP && s->authenticated &&
		   acl_session_checked(s)) {
		dispatch_check(call);
	} else if (proc->flags & PROC_LOOP) {
		call_run(call);
		call_finish(call);
		call_free(call);
	} else {
		session_queue_call(s, call);
	}
}

static void dispatch_call(struct session *s, struct frame *f)
{
	const struct procedure *proc = procedure_find(f->header.prog,
						     f->header.proc);
	struct error err = { .code = VIR_ERR_RPC, .domain = VIR_FROM_RPC };

	if (proc && !(proc->flags & PROC_EVENT)) {
		dispatch_known(s, f, proc);
		return;
	}
	/* Clients know these words and make VIR_ERR_NO_SUPPORT of them. */
	err.domain = VIR_FROM_REMOTE;
	snprintf(err.message, sizeof(err.message), "unknown procedure: %d",
		 f->header.proc);
	session_send_error(s, &f->header, &err, 0);
	frame_free(f);
}

static void dispatch_keepalive(struct session *s, const struct frame *f)
{
	if (f->header.vers == KEEPALIVE_VERSION &&
	    f->header.proc == KEEPALIVE_PING)
		session_send(s, keepalive_packet(KEEPALIVE_PONG));
}

static void dispatch_refuse(struct session *s, const struct frame *f,
			    const char *what, unsigned int value)
{
	struct error err = { .code = VIR_ERR_RPC, .domain = VIR_FROM_RPC };

	snprintf(err.message, sizeof(err.message), "%s 0x%x version %u", what,
		 value, f->header.vers);
	session_send_error(s, &f->header, &err, 0);
}

static bool program_served(const struct session *s, const wire_header *h)
{
	if (h->vers != RPC_VERSION) /* both programs' */
		return false;
	if (s->kind == SERVER_ADMIN)
		return h->prog == ADMIN_PROGRAM;
	return h->prog == RPC_PROGRAM || h->prog == QEMU_PROGRAM;
}

void dispatch_frame(struct session *s, struct frame *f)
{
	const wire_header *h = &f->header;

	if (keepalive_is(h)) {
		dispatch_keepalive(s, f);
	} else if (!program_served(s, h)) {
		dispatch_refuse(s, f, "no such program:", h->prog);
	} else if (h->type == FRAME_CALL || h->type == FRAME_CALL_WITH_FDS) {
		dispatch_call(s, f);
		return;
	} else if (h->type == FRAME_STREAM || h->type == FRAME_STREAM_HOLE) {
		stream_input(s, f);
	} else {
		dispatch_refuse(s, f, "unexpected message type", h->type);
	}
	frame_free(f);
}

/* ---- what a session leaves behind ---- */

struct owner_work {
	struct work work;
	struct session *owner;
	struct registry *reg;
};

static void owner_run(struct work *work)
{
	struct owner_work *o = container_of(work, struct owner_work, work);

	domain_owner_gone(o->reg, o->owner);
}

static void owner_done(struct work *work)
{
	struct owner_work *o = container_of(work, struct owner_work, work);

	session_unref(o->owner);
	free(o);
}

void dispatch_owner_gone(struct session *s)
{
	struct owner_work *o;

	if (!s->reg || s->n_running || s->owner_told)
		return;
	s->owner_told = true;
	o = xcalloc(1, sizeof(*o));
	o->work.run = owner_run;
	o->work.done = owner_done;
	o->owner = session_ref(s);
	o->reg = s->reg;
	workers_submit(s->server->workers, &o->work, false);
}
