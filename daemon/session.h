/*
 * daemon/session.h -- one client's connection.
 *
 * Everything here belongs to the event loop's thread.  A worker that runs a
 * call sees only what dispatch.h copies into it, and the session's address,
 * which a reference keeps valid.
 *
 * Bounds, so that no client costs another anything: so many calls run at once
 * and so many more may wait (then its socket is not read); a client that lets
 * more than one full message of output pile up is dropped.
 */
#ifndef DAEMON_SESSION_H
#define DAEMON_SESSION_H

#include <systemd/sd-event.h>
#include <time.h>

#include "daemon/access.h"
#include "daemon/workers.h"
#include "rpc/frame.h"
#include "rpc/keepalive.h"

struct call;
struct error;
struct registry;
struct stream;
struct subscription;
struct sasl_login;
struct told;

enum {
	SESSION_RUNNING_MAX = 8,   /* calls on workers */
	SESSION_URGENT_MAX = 4,	   /* urgent ones beside them */
	SESSION_WAITING_MAX = 512, /* calls behind those */
	SESSION_WAITING_BYTES_MAX = FRAME_MAX,
	SESSION_OUT_HIGH = 1024 * 1024, /* start no more work above this */
	SESSION_OUT_MAX = FRAME_MAX + 8 * 1024 * 1024,
	SESSION_STREAMS_MAX = 64,
	/* Before it has said who it is; a SASL step is the longest. */
	SESSION_ANONYMOUS_FRAME_MAX = 320 * 1024,
	SESSION_ANONYMOUS_SECONDS = 240,
	SESSION_SUBSCRIPTIONS_MAX = 1024,
	SESSION_TOLD_MAX = 4096, /* events about which somebody is asked */
};

enum session_scheme { SCHEME_NONE, SCHEME_VIREO, SCHEME_QEMU };

struct session {
	struct session *prev, *next; /* in the server's list */
	struct server *server;
	unsigned int refs;
	int fd; /* -1: closed */
	sd_event_source *io, *timer;
	sd_event_source *deadline; /* by which it is to be authenticated */
	enum server_socket kind;
	struct peer peer;
	bool closing; /* when the output is sent */
	uint64_t id;  /* no two are alike */
	time_t since;
	char *user;   /* SASL's name; NULL */
	bool refused; /* one too many: it gets an error and no more */
	enum auth_method auth; /* what is asked of it ... */
	bool authenticated;    /* ... and was answered */
	struct sasl_login *sasl; /* AUTH_SASL */

	/* From CONNECT_OPEN on. */
	enum session_scheme scheme;
	bool readonly;
	char *uri;
	struct registry *reg; /* NULL before OPEN */
	bool owner_told;

	struct frame_reader in;
	struct packet *out, **out_tail;
	size_t out_bytes;

	unsigned int n_running;
	struct work *waiting, **waiting_tail; /* calls */
	unsigned int n_waiting;
	size_t waiting_bytes;

	bool pings;
	struct keepalive keepalive;

	struct stream *streams;
	unsigned int n_streams, n_holding; /* those that can take no more */

	struct subscription *subscriptions;
	unsigned int n_subscriptions;
	int last_callback;
	struct told *told, **told_tail; /* acl_events.c: to be told */
	unsigned int n_told;
};

/* Takes over fd and the peer. */
int session_create(struct server *server, int fd, enum server_socket kind,
		   struct peer *peer, struct error *err);
struct session *session_ref(struct session *s);
void session_unref(struct session *s);
/* Ends the connection; calls in progress end by themselves. */
void session_close(struct session *s, const char *why);

/* It has said who it is; user: taken over, may be NULL. */
void session_authenticated(struct session *s, char *user);

/* Queues a packet, sends what the socket takes; NULL closes the session. */
void session_send(struct session *s, struct packet *p);
/* One more (1) or less (-1) for which nothing of the client's is read. */
void session_hold_input(struct session *s, int by);
void session_send_error(struct session *s, const wire_header *to,
			const struct error *err, int domain);
/* From now on the server sends PINGs as well. */
void session_start_pings(struct session *s);
/* Puts a call behind those that wait, or starts it. */
void session_queue_call(struct session *s, struct call *call);
/* A call has ended: start what waits behind it. */
void session_call_ended(struct session *s);

#endif
