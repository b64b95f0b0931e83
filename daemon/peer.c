/*
 * daemon/peer.c -- another daemon, called by us as its client.
 *
 * One call at a time; what the other side sends by itself (pings, events) is
 * answered or dropped while a reply is waited for.
 */
#include <errno.h>
#include <libvirt/virterror.h>
#include <libxml/uri.h>
#include <poll.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "daemon/domain.h"
#include "daemon/peer.h"
#include "rpc/errors.h"
#include "rpc/keepalive.h"
#include "rpc/procs.h"

enum { REPLY_MS = 180000, SEND_MS = 30000, LIBVIRT_PORT = 16509 };

struct peer {
	int fd;
	unsigned int serial;
	struct frame_reader in;
	/* Of a stream: */
	wire_header call;
	struct frame *taken; /* received, and read up to taken_at */
	size_t taken_at;
	struct packet *out; /* of out_len bytes, not yet sent */
	size_t out_len;
};

static int lost(struct error *err)
{
	return error_virt(err, VIR_ERR_OPERATION_FAILED,
			  "the connection to the destination's daemon is "
			  "lost");
}

/* ---- messages ---- */

static int wait_for(const struct peer *p, short events, int ms,
		    struct error *err)
{
	struct pollfd pfd = { p->fd, events, 0 };
	int n;

	do {
		n = poll(&pfd, 1, ms);
	} while (n < 0 && errno == EINTR);
	return n > 0 ? 0 :
		       error_virt(err, VIR_ERR_OPERATION_TIMEOUT,
				  "the destination's daemon does not answer");
}

/* Takes the packet over. */
static int put(struct peer *p, struct packet *packet, struct error *err)
{
	int r = packet ? packet_send(packet, p->fd) : -EMSGSIZE;

	while (r == 0) {
		r = wait_for(p, POLLOUT, SEND_MS, err);
		if (r < 0)
			break;
		r = packet_send(packet, p->fd);
	}
	packet_free(packet);
	return r == 1 ? 0 : r == -ETIMEDOUT ? r : lost(err);
}

static int get(struct peer *p, struct frame **ret_frame, struct error *err)
{
	int r;

	while ((r = frame_reader_next(&p->in, ret_frame)) == 0) {
		r = wait_for(p, POLLIN, REPLY_MS, err);
		if (r < 0)
			return r;
		r = frame_reader_fill(&p->in, p->fd);
		if (r <= 0 && r != -EAGAIN)
			return lost(err);
	}
	return r < 0 ? lost(err) : 0;
}

static bool answers(const struct frame *f, const wire_header *call)
{
	return f->header.type == FRAME_REPLY &&
	       f->header.serial == call->serial &&
	       f->header.proc == call->proc;
}

/* The reply to this call; the rest is looked after or dropped. */
static int get_reply(struct peer *p, const wire_header *call,
		     struct frame **ret_frame, struct error *err)
{
	for (;;) {
		struct frame *f;
		bool ping;
		int r = get(p, &f, err);

		if (r < 0)
			return r;
		if (answers(f, call)) {
			*ret_frame = f;
			return 0;
		}
		ping = keepalive_is(&f->header) &&
		       f->header.proc == KEEPALIVE_PING;
		frame_free(f);
		r = ping ? put(p, keepalive_packet(KEEPALIVE_PONG), err) : 0;
		if (r < 0)
			return r;
	}
}

static int read_reply(const struct frame *f, xdrproc_t type, void *ret,
		      struct error *err)
{
	if (f->header.status == FRAME_ERROR)
		return rpc_error_read(f, err);
	if (!ret || body_decode(f->body, f->len, type, ret))
		return 0;
	return error_virt(err, VIR_ERR_RPC,
			  "the destination's daemon answers in another "
			  "language");
}

int peer_call(struct peer *p, int proc, xdrproc_t args_type, const void *args,
	      xdrproc_t ret_type, void *ret, struct error *err)
{
	wire_header h = {
		.prog = RPC_PROGRAM,
		.vers = RPC_VERSION,
		.proc = proc,
		.type = FRAME_CALL,
		.serial = ++p->serial,
	};
	struct frame *f = NULL;
	int r = put(p,
		    args ? packet_create(&h, args_type, args) :
			   packet_create_raw(&h, NULL, 0),
		    err);

	p->call = h;
	if (r == 0)
		r = get_reply(p, &h, &f, err);
	if (r == 0)
		r = read_reply(f, ret_type, ret, err);
	frame_free(f);
	return r;
}

/* ---- a stream ---- */

static bool of_stream(const struct peer *p, const struct frame *f)
{
	return f->header.type == FRAME_STREAM &&
	       f->header.serial == p->call.serial &&
	       f->header.proc == p->call.proc;
}

/* 1: there is one, 0: not yet. */
static int take_frame(struct peer *p)
{
	int r = 1;

	while (!p->taken && (r = frame_reader_next(&p->in, &p->taken)) > 0) {
		if (of_stream(p, p->taken))
			continue;
		frame_free(steal_ptr(&p->taken));
	}
	return r;
}

static ssize_t read_taken(struct peer *p, void *data, size_t len)
{
	size_t n = MIN(len, p->taken->len - p->taken_at);

	if (p->taken->header.status == FRAME_ERROR)
		return -ECONNRESET;
	if (p->taken->header.status != FRAME_CONTINUE)
		return 0;
	if (n)
		memcpy(data, p->taken->body + p->taken_at, n);
	p->taken_at += n;
	if (n && p->taken_at == p->taken->len) {
		frame_free(steal_ptr(&p->taken));
		p->taken_at = 0;
	}
	return n;
}

ssize_t peer_stream_read(struct peer *p, void *data, size_t len)
{
	int r = take_frame(p);

	if (r == 0) {
		r = frame_reader_fill(&p->in, p->fd);
		if (r == 0)
			return -ECONNRESET;
		r = r < 0 ? r : take_frame(p);
		if (r == 0)
			r = -EAGAIN;
	}
	return r < 0 ? r : read_taken(p, data, len);
}

bool peer_stream_more(struct peer *p)
{
	return take_frame(p) != 0;
}

ssize_t peer_stream_write(struct peer *p, const void *data, size_t len)
{
	wire_header h = p->call;
	int r;

	if (!p->out) {
		h.type = FRAME_STREAM;
		h.status = FRAME_CONTINUE;
		p->out_len = MIN(len, (size_t)STREAM_CHUNK_MAX);
		p->out = packet_create_raw(&h, data, p->out_len);
	}
	r = p->out ? packet_send(p->out, p->fd) : -EMSGSIZE;
	if (r <= 0)
		return r < 0 ? r : -EAGAIN;
	packet_free(steal_ptr(&p->out));
	return p->out_len;
}

int peer_fd(const struct peer *p)
{
	return p->fd;
}

/* ---- opening ---- */

/* "qemu+unix" is driver "qemu" over transport "unix". */
struct address {
	char driver[16], transport[16];
	char *socket; /* of "?socket=", or NULL */
	const char *path, *host;
	unsigned int port;
};

static void split_scheme(const char *scheme, struct address *a)
{
	size_t n = strcspn(scheme, "+");

	snprintf(a->driver, sizeof(a->driver), "%.*s", (int)n, scheme);
	snprintf(a->transport, sizeof(a->transport), "%s",
		 scheme[n] ? scheme + n + 1 : "");
}

/* The value of one parameter of "a=b&c=d". */
static char *query_value(const char *query, const char *key)
{
	size_t len = strlen(key);

	for (const char *p = query; p && *p; p += strspn(p, "&;")) {
		size_t n = strcspn(p, "&;");

		if (n > len && p[len] == '=' && !strncmp(p, key, len)) {
			_cleanup_free_ char *raw =
				xstrndup(p + len + 1, n - len - 1);
			char *text = xmlURIUnescapeString(raw, 0, NULL);
			char *copy = xstrdup(text);

			xmlFree(text);
			return copy;
		}
		p += n;
	}
	return NULL;
}

static int connect_address(const struct migrate_net *net,
			   const struct address *a, const char *uri,
			   int *ret_fd, struct error *err)
{
	bool local = !a->transport[0] && !a->host;

	if (str_eq(a->transport, "unix") || local)
		return net->connect_unix(
			a->socket ? a->socket : "/run/vireo/virtvireod-sock",
			err, ret_fd);
	if (str_eq(a->transport, "tcp") && a->host)
		return net->connect_tcp(a->host,
					a->port ? a->port : LIBVIRT_PORT, err,
					ret_fd);
	return error_virt(err, VIR_ERR_ARGUMENT_UNSUPPORTED,
			  "the daemon connects to '+unix' and '+tcp' only, not "
			  "to '%s': let the client migrate (without "
			  "peer-to-peer)",
			  uri);
}

static int say_hello(struct peer *p, const struct address *a,
		     struct error *err)
{
	_cleanup_free_ char *name = xasprintf(
		"%s://%s", a->driver, a->path ? a->path : "/system");
	wire_optstr_flags open = { .str = &name };
	wire_auth_list auth = { 0 };
	int r = peer_call(p, PROC_AUTH_LIST, NULL, NULL,
			  (xdrproc_t)xdr_wire_auth_list, &auth, err);

	if (r == 0 && auth.types.types_len &&
	    auth.types.types_val[0] != 0)
		r = error_virt(err, VIR_ERR_AUTH_FAILED,
			       "the destination's daemon wants a password");
	body_free((xdrproc_t)xdr_wire_auth_list, &auth);
	return r < 0 ? r :
		       peer_call(p, PROC_CONNECT_OPEN,
				 (xdrproc_t)xdr_wire_optstr_flags, &open, NULL,
				 NULL, err);
}

static int open_address(const struct migrate_net *net, const struct address *a,
			const char *uri, struct peer **ret_peer,
			struct error *err)
{
	struct peer *p = xcalloc(1, sizeof(*p));
	int r;

	p->fd = -1;
	r = connect_address(net, a, uri, &p->fd, err);
	if (r == 0)
		r = say_hello(p, a, err);
	if (r < 0)
		peer_close(p);
	else
		*ret_peer = p;
	return r;
}

int peer_open(const struct migrate_net *net, const char *uri,
	      struct peer **ret_peer, struct error *err)
{
	xmlURIPtr x = xmlParseURI(uri);
	struct address a = { .path = NULL };
	int r;

	if (!x || !x->scheme) {
		xmlFreeURI(x);
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "unable to parse URI %s", uri);
	}
	split_scheme(x->scheme, &a);
	a.socket = query_value(x->query_raw, "socket");
	a.path = x->path;
	a.host = x->server && x->server[0] ? x->server : NULL;
	a.port = MAX(x->port, 0);
	r = open_address(net, &a, uri, ret_peer, err);
	free(a.socket);
	xmlFreeURI(x);
	return r;
}

void peer_close(struct peer *p)
{
	fd_close(p->fd);
	frame_free(p->taken);
	packet_free(p->out);
	frame_reader_finish(&p->in);
	free(p);
}
