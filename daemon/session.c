/*
 * daemon/session.c -- one client's connection.
 */
#include <errno.h>
#include <sys/epoll.h>

#define LOG_MODULE "rpc"
#include "base/log.h"
#include "daemon/acl.h"
#include "daemon/dispatch.h"
#include "daemon/events.h"
#include "daemon/sasl.h"
#include "daemon/server_priv.h"
#include "daemon/session.h"
#include "daemon/stream.h"
#include "rpc/errors.h"

static bool session_backlogged(const struct session *s)
{
	return s->n_waiting >= SESSION_WAITING_MAX || s->n_holding ||
	       s->waiting_bytes > SESSION_WAITING_BYTES_MAX;
}

static void session_update_io(struct session *s)
{
	uint32_t events = 0;

	if (s->fd < 0)
		return;
	if (!s->closing && !session_backlogged(s))
		events |= EPOLLIN;
	if (s->out)
		events |= EPOLLOUT;
	(void)sd_event_source_set_io_events(s->io, events);
}

/* ---- output ---- */

static size_t packet_cost(const struct packet *p)
{
	return sizeof(*p) + p->len;
}

static void session_flush(struct session *s)
{
	while (s->out) {
		struct packet *p = s->out;
		int r = packet_send(p, s->fd);

		if (r < 0) {
			session_close(s, "cannot be written to");
			return;
		}
		if (r == 0)
			break;
		s->out = p->next;
		if (!s->out)
			s->out_tail = &s->out;
		s->out_bytes -= packet_cost(p);
		packet_free(p);
	}
	if (!s->out && s->closing)
		session_close(s, "asked for it");
}

/* Output went: what was held back because of it goes on. */
static void session_flushed(struct session *s)
{
	session_call_ended(s);
	stream_update(s);
	session_update_io(s);
}

void session_send(struct session *s, struct packet *p)
{
	if (s->fd < 0) {
		packet_free(p);
		return;
	}
	if (!p) {
		session_close(s, "needs a message that cannot be encoded");
		return;
	}
	session_ref(s);
	*s->out_tail = p;
	s->out_tail = &p->next;
	s->out_bytes += packet_cost(p);
	if (s->out == p)
		session_flush(s);
	if (s->out_bytes > SESSION_OUT_MAX)
		session_close(s, "does not read what it is sent");
	session_update_io(s);
	session_unref(s);
}

void session_send_error(struct session *s, const wire_header *to,
			const struct error *err, int domain)
{
	session_send(s, rpc_error_packet(to, err, domain));
}

/* ---- input ---- */

static void session_take_frames(struct session *s)
{
	struct frame *f;
	int r = 0;

	while (s->fd >= 0 && !s->closing && !session_backlogged(s)) {
		r = frame_reader_next(&s->in, &f);
		if (r <= 0)
			break;
		keepalive_heard(&s->keepalive);
		dispatch_frame(s, f);
	}
	if (r < 0)
		session_close(s, "sent what is no message");
}

static void session_read(struct session *s)
{
	int r = frame_reader_fill(&s->in, s->fd);

	if (r == -EAGAIN)
		return;
	if (r == 0)
		session_close(s, "hung up");
	else if (r < 0)
		session_close(s, "cannot be read");
	else
		session_take_frames(s);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct session *s = session_ref(arg);

	if (events & EPOLLOUT) {
		session_flush(s);
		session_flushed(s);
	}
	if (s->fd >= 0 && (events & EPOLLIN))
		session_read(s);
	else if (s->fd >= 0 && (events & (EPOLLHUP | EPOLLERR)))
		session_close(s, "hung up");
	session_update_io(s);
	session_unref(s);
	return 0;
}

/* ---- calls ---- */

static void session_start_waiting(struct session *s)
{
	struct call *c;

	while (s->waiting && s->n_running < SESSION_RUNNING_MAX &&
	       s->out_bytes < SESSION_OUT_HIGH) {
		c = container_of(s->waiting, struct call, work);
		s->waiting = c->work.next;
		if (!s->waiting)
			s->waiting_tail = &s->waiting;
		s->n_waiting--;
		s->waiting_bytes -= c->frame->len;
		s->n_running++;
		dispatch_start(c);
	}
}

static bool session_may_jump(const struct session *s, const struct call *call)
{
	return (call->proc->flags & PROC_URGENT) &&
	       s->n_running < SESSION_RUNNING_MAX + SESSION_URGENT_MAX;
}

void session_queue_call(struct session *s, struct call *call)
{
	if (session_may_jump(s, call)) {
		s->n_running++;
		dispatch_start(call);
		return;
	}
	call->work.next = NULL;
	*s->waiting_tail = &call->work;
	s->waiting_tail = &call->work.next;
	s->n_waiting++;
	s->waiting_bytes += call->frame->len;
	session_start_waiting(s);
}

void session_call_ended(struct session *s)
{
	bool was_backlogged = session_backlogged(s);

	session_start_waiting(s);
	/* What was received meanwhile has not been looked at. */
	if (was_backlogged && !session_backlogged(s))
		session_take_frames(s);
	session_update_io(s);
}

void session_hold_input(struct session *s, int by)
{
	bool was_backlogged = session_backlogged(s);

	s->n_holding += by;
	if (was_backlogged && !session_backlogged(s))
		session_take_frames(s);
	session_update_io(s);
}

/* ---- keepalive ---- */

static void session_tick(struct session *s)
{
	switch (keepalive_tick(&s->keepalive)) {
	case KEEPALIVE_DEAD:
		session_close(s, "shows no life");
		break;
	case KEEPALIVE_SEND:
		session_send(s, keepalive_packet(KEEPALIVE_PING));
		break;
	case KEEPALIVE_IDLE:
		break;
	}
}

static int on_tick(sd_event_source *source, uint64_t usec, void *arg)
{
	struct session *s = session_ref(arg);

	session_tick(s);
	if (s->fd >= 0) {
		(void)sd_event_source_set_time_relative(
			source, KEEPALIVE_INTERVAL * 1000000ull);
		(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	}
	session_unref(s);
	return 0;
}

void session_start_pings(struct session *s)
{
	if (s->pings || s->fd < 0)
		return;
	s->pings = true;
	keepalive_heard(&s->keepalive);
	if (sd_event_add_time_relative(
		    s->server->loop, &s->timer, CLOCK_MONOTONIC,
		    KEEPALIVE_INTERVAL * 1000000ull, 0, on_tick, s) < 0)
		session_close(s, "cannot have a timer");
}

/* ---- life and death ---- */

/* Root need not say more: a host whose polkit is broken can be mended. */
static enum auth_method session_auth(const struct server *server,
				     enum server_socket kind,
				     const struct peer *peer)
{
	enum auth_method auth = server->auth[kind];

	return auth == AUTH_POLKIT && peer->uid == 0 ? AUTH_NONE : auth;
}

void session_authenticated(struct session *s, char *user)
{
	if (s->authenticated) {
		free(user);
		return;
	}
	s->user = user;
	s->authenticated = true;
	s->in.max = 0;
	s->server->n_anonymous--;
	s->deadline = sd_event_source_disable_unref(s->deadline);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *arg)
{
	session_close(arg, "does not say who it is");
	return 0;
}

/* Whoever does not say who he is does not stay. */
static void session_expect_auth(struct session *s)
{
	s->server->n_anonymous++;
	if (sd_event_add_time_relative(
		    s->server->loop, &s->deadline, CLOCK_MONOTONIC,
		    SESSION_ANONYMOUS_SECONDS * 1000000ull, 0, on_deadline,
		    s) < 0)
		session_close(s, "cannot have a timer");
}

int session_create(struct server *server, int fd, enum server_socket kind,
		   struct peer *peer, struct error *err)
{
	struct session *s = xcalloc(1, sizeof(*s));
	int r;

	s->server = server;
	s->refs = 1;
	s->fd = fd;
	s->kind = kind;
	s->peer = *peer;
	s->readonly = kind == SERVER_RO;
	s->id = ++server->last_id;
	s->since = time(NULL);
	s->told_tail = &s->told;
	s->auth = session_auth(server, kind, peer);
	s->authenticated = s->auth == AUTH_NONE;
	if (s->auth == AUTH_SASL)
		s->sasl = sasl_login_create();
	s->in.max = s->authenticated ? 0 : SESSION_ANONYMOUS_FRAME_MAX;
	s->out_tail = &s->out;
	s->waiting_tail = &s->waiting;
	r = sd_event_add_io(server->loop, &s->io, fd, EPOLLIN, on_io, s);
	if (r < 0) {
		peer_finish(&s->peer);
		fd_close(fd);
		free(s);
		return error_set(err, r, "cannot watch a client: %m");
	}
	s->refused = server_is_full(server, kind);
	s->next = server->sessions;
	if (s->next)
		s->next->prev = s;
	server->sessions = s;
	server->n_sessions++;
	log_debug("session %p: pid %d, uid %u", (void *)s, (int)peer->pid,
		  (unsigned int)peer->uid);
	if (!s->authenticated)
		session_expect_auth(s);
	return 0;
}

struct session *session_ref(struct session *s)
{
	s->refs++;
	return s;
}

static void session_unlink(struct session *s)
{
	if (s->prev)
		s->prev->next = s->next;
	else
		s->server->sessions = s->next;
	if (s->next)
		s->next->prev = s->prev;
	s->server->n_sessions--;
	if (!s->authenticated)
		s->server->n_anonymous--;
}

void session_unref(struct session *s)
{
	struct server *server = s->server;

	if (--s->refs)
		return;
	peer_finish(&s->peer);
	sasl_login_free(s->sasl);
	free(s->user);
	free(s->uri);
	free(s);
	server_session_gone(server);
}

static void session_drop_output(struct session *s)
{
	struct packet *p, *next;

	for (p = s->out; p; p = next) {
		next = p->next;
		packet_free(p);
	}
	s->out = NULL;
	s->out_tail = &s->out;
	s->out_bytes = 0;
}

static void session_drop_waiting(struct session *s)
{
	struct work *work, *next;

	for (work = s->waiting; work; work = next) {
		next = work->next;
		call_free(container_of(work, struct call, work));
	}
	s->waiting = NULL;
	s->waiting_tail = &s->waiting;
	s->n_waiting = 0;
	s->waiting_bytes = 0;
}

void session_close(struct session *s, const char *why)
{
	if (s->fd < 0)
		return;
	log_debug("session %p: %s", (void *)s, why);
	s->io = sd_event_source_disable_unref(s->io);
	s->timer = sd_event_source_disable_unref(s->timer);
	s->deadline = sd_event_source_disable_unref(s->deadline);
	s->fd = fd_close(s->fd);
	session_unlink(s);
	stream_close_all(s);
	events_forget(s);
	acl_forget(s);
	session_drop_output(s);
	session_drop_waiting(s);
	frame_reader_finish(&s->in);
	dispatch_owner_gone(s);
	session_unref(s);
}
