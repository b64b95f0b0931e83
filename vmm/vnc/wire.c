/*
 * vmm/vnc/wire.c -- the bytes between a viewer and the VNC server.
 */
#include "vmm/vnc/wire.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/util.h"
#include "vmm/vnc/crypto.h"
#include "vmm/vnc/websocket.h"

/* #syscalls:vmm recvfrom sendto close */

struct vnc_wire {
	int fd;
	bool shaking; /* the handshake of TLS */
	struct vnc_tls_session *tls; /* NULL: as they are */
	struct websocket *ws;	     /* NULL: none; inside of TLS */
};

struct vnc_wire *vnc_wire_create(int fd)
{
	struct vnc_wire *w = xcalloc(1, sizeof(*w));

	w->fd = fd;
	return w;
}

void vnc_wire_destroy(struct vnc_wire *w)
{
	if (!w)
		return;
	if (w->tls)
		vnc_crypto()->close(w->tls);
	websocket_destroy(w->ws);
	fd_close(w->fd);
	free(w);
}

int vnc_wire_fd(const struct vnc_wire *w)
{
	return w->fd;
}

/* ---- below a websocket ---- */

static ssize_t lower_read(void *arg, void *to, size_t len)
{
	struct vnc_wire *w = arg;
	ssize_t n;

	if (w->tls)
		return vnc_crypto()->read(w->tls, to, len);
	n = recv(w->fd, to, len, 0);
	return n >= 0 ? n : errno == EINTR ? -EAGAIN : -errno;
}

static ssize_t lower_write(void *arg, const void *from, size_t len)
{
	struct vnc_wire *w = arg;
	ssize_t n;

	if (w->tls)
		return vnc_crypto()->write(w->tls, from, len);
	n = send(w->fd, from, len, MSG_NOSIGNAL);
	return n >= 0 ? n : errno == EINTR ? -EAGAIN : -errno;
}

static const struct websocket_ops below = {
	.read = lower_read,
	.write = lower_write,
};

/* ---- handshakes ---- */

int vnc_wire_start_tls(struct vnc_wire *w, struct vnc_tls *tls)
{
	w->tls = vnc_crypto()->open(tls, w->fd);
	w->shaking = w->tls;
	return w->tls ? 0 : -ENOMEM;
}

void vnc_wire_start_websocket(struct vnc_wire *w)
{
	w->ws = websocket_create(&below, w);
}

int vnc_wire_shake(struct vnc_wire *w)
{
	int r = w->shaking ? vnc_crypto()->handshake(w->tls) : 0;

	if (r < 0)
		return r;
	w->shaking = false;
	return w->ws ? websocket_shake(w->ws) : 0;
}

/* ---- data ---- */

ssize_t vnc_wire_read(struct vnc_wire *w, void *to, size_t len)
{
	return w->ws ? websocket_read(w->ws, to, len) : lower_read(w, to, len);
}

ssize_t vnc_wire_write(struct vnc_wire *w, const void *from, size_t len)
{
	return w->ws ? websocket_write(w->ws, from, len) :
		       lower_write(w, from, len);
}

int vnc_wire_flush(struct vnc_wire *w)
{
	return w->ws ? websocket_flush(w->ws) : 0;
}

bool vnc_wire_writes(const struct vnc_wire *w)
{
	return (w->shaking && vnc_crypto()->writes(w->tls)) ||
	       (w->ws && websocket_writes(w->ws));
}

bool vnc_wire_pending(const struct vnc_wire *w)
{
	return (w->ws && websocket_pending(w->ws)) ||
	       (w->tls && vnc_crypto()->pending(w->tls));
}
