/*
 * daemon/dispatch.h -- from a message to a handler and back.
 *
 * Handlers (handlers_*.c) are called on a worker, or on the loop where
 * rpc/procedures says so; their prototypes are made from that file.  What they
 * put into the reply is allocated and freed by dispatch.
 */
#ifndef DAEMON_DISPATCH_H
#define DAEMON_DISPATCH_H

#include "base/error.h"
#include "daemon/domain.h"
#include "daemon/session.h"
#include "daemon/stream.h"
#include "rpc/procs.h"

struct call {
	struct work work;
	struct session *session; /* a reference; handlers on workers use it
				    only as an address */
	const struct procedure *proc;
	struct frame *frame;

	/* The session's as the call arrived. */
	struct registry *reg;
	enum session_scheme scheme;
	bool readonly;
	enum auth_method auth;
	const char *uri;
	const struct hostinfo *host;

	/* The outcome. */
	struct packet *reply;
	int stream_fd; /* a stream procedure's; -1 */
	int reply_fd;  /* goes with the reply; -1 */
	struct stream_options stream; /* how */
	bool authenticated; /* from now on the session is ... */
	char *user;	    /* ... whose, if that is known by name */
	struct tls_keys *tls; /* what clients are shown from now on */
};

typedef int handler(struct call *call, const void *args, void *reply,
		    struct error *err);
extern handler *const handlers[PROC_COUNT]; /* NULL: not implemented */

/* A message came in; takes over the frame. */
void dispatch_frame(struct session *s, struct frame *f);
/* Starts a waiting call. */
void dispatch_start(struct call *call);
void call_free(struct call *call);
/*
 * The session ended: once none of its calls runs, destroys the domains that
 * were to live no longer than it.
 */
void dispatch_owner_gone(struct session *s);

/* The virErrorDomain of errors from this call that name none. */
int call_error_domain(const struct call *call);

/* Refuses flags beyond those allowed, naming them. */
int call_flags(const struct call *call, unsigned int flags,
	       unsigned int allowed, struct error *err);

#endif
