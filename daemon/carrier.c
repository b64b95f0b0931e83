/*
 * daemon/carrier.c -- carries a machine's stream (daemon/carrier.h).
 */
#include "daemon/carrier.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/util.h"

enum { CHUNK = 64 << 10 };

/* One way's bytes that were read and not yet written. */
struct held {
	char *data;
	size_t len, at;
	bool over; /* no more will come */
};

struct carrier {
	const struct carrier_ops *ops;
	void *far;
	int fd, near;
	struct held out, in; /* out: from the machine */
};

/* ---- one step of one way: -errno ends both ---- */

static ssize_t near_read(struct carrier *c, void *data, size_t len)
{
	ssize_t n = recv(c->near, data, len, MSG_DONTWAIT);

	return n < 0 ? -errno : n;
}

static ssize_t near_write(struct carrier *c, const void *data, size_t len)
{
	ssize_t n = send(c->near, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	return n < 0 ? -errno : n;
}

static int filled(struct held *h, ssize_t n)
{
	if (n == -EAGAIN || n == -EINTR)
		return 0;
	if (n < 0)
		return (int)n;
	h->over = n == 0;
	h->len = n;
	h->at = 0;
	return 0;
}

static int emptied(struct held *h, ssize_t n)
{
	if (n == -EAGAIN || n == -EINTR)
		return 0;
	if (n < 0)
		return (int)n;
	h->at += n;
	if (h->at == h->len)
		h->at = h->len = 0;
	return 0;
}

static int step(struct carrier *c)
{
	struct held *out = &c->out, *in = &c->in;
	int r = 0;

	if (!out->len && !out->over)
		r = filled(out, near_read(c, out->data, CHUNK));
	if (r == 0 && out->len)
		r = emptied(out, c->ops->write(c->far, out->data + out->at,
					       out->len - out->at));
	if (r == 0 && !in->len && !in->over)
		r = filled(in, c->ops->read(c->far, in->data, CHUNK));
	if (r == 0 && in->len)
		r = emptied(in, near_write(c, in->data + in->at,
					   in->len - in->at));
	return r;
}

/* ---- the thread ---- */

/* A hang-up is reported whatever was asked for: who asks nothing is not. */
static struct pollfd watched(int fd, short events)
{
	return (struct pollfd){ events ? fd : -1, events, 0 };
}

static void wait_for_work(struct carrier *c)
{
	short from = c->out.len ? 0 : POLLIN, to = c->in.len ? 0 : POLLIN;
	struct pollfd p[] = {
		watched(c->near, from | (c->in.len ? POLLOUT : 0)),
		watched(c->fd, to | (c->out.len ? POLLOUT : 0)),
	};

	if (!to || !c->ops->more || !c->ops->more(c->far))
		poll(p, 2, -1);
}

static void carrier_free(struct carrier *c)
{
	fd_close(c->near);
	free(c->out.data);
	free(c->in.data);
	free(c);
}

/* What a side said before it ended goes through still. */
static void *carrier_main(void *arg)
{
	struct carrier *c = arg;
	int r = 0;

	while (r == 0 && !(c->out.over && !c->out.len) &&
	       !(c->in.over && !c->in.len)) {
		wait_for_work(c);
		r = step(c);
	}
	c->ops->end(c->far);
	carrier_free(c);
	return NULL;
}

static int start(struct carrier *c, int *ret_fd)
{
	pthread_t thread;
	int sv[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return -errno;
	c->near = sv[0];
	r = -pthread_create(&thread, NULL, carrier_main, c);
	if (r < 0)
		fd_close(sv[1]);
	if (r < 0)
		return r;
	pthread_detach(thread);
	*ret_fd = sv[1];
	return 0;
}

int carrier_start(const struct carrier_ops *ops, void *far, int fd,
		  int *ret_fd, struct error *err)
{
	struct carrier *c = xcalloc(1, sizeof(*c));
	int r;

	c->ops = ops;
	c->far = far;
	c->fd = fd;
	c->near = -1;
	c->out.data = xmalloc(CHUNK);
	c->in.data = xmalloc(CHUNK);
	r = start(c, ret_fd);
	if (r < 0) {
		ops->end(far);
		carrier_free(c);
		return error_set(err, r, "cannot carry a stream: %m");
	}
	return 0;
}
