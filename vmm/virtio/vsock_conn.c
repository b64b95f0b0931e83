/*
 * vmm/virtio/vsock_conn.c -- connections between a guest's sockets and Unix
 * sockets of the host (virtio 1.2, section 5.10.6).
 *
 * Theory of operation.  A program of the host connects to one Unix socket and
 * writes "CONNECT PORT\n"; once the guest accepted it reads "OK PORT\n", and
 * from then on the stream is the guest's.  A guest that connects to the host
 * (CID 2) is given a connection to the Unix socket of that port, which
 * somebody else makes: the VMM cannot.
 *
 * Flow control (5.10.6.3): what the guest may still take is known from each
 * of its packets; what it sends is kept in a buffer of the size that it was
 * told, so that a program which does not read stops its sender and nobody
 * else.  Packets without content are bits per connection until there is a
 * buffer for them, so that nothing has to be queued.
 *
 * A descriptor without anything to wait for leaves the loop: a hang-up would
 * be reported for ever.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <linux/vm_sockets.h> /* wants struct sockaddr */

#include "vmm/loop.h"
#include "vmm/virtio/vsock.h"

/* #syscalls:vmm accept4 read write sendto shutdown close */

enum {
	CONNS_MAX = 1024,
	RESETS_MAX = 64,	/* for connections that nobody knows */
	BUFFER = 64 * 1024,	/* what a guest may send unread */
	GREETING_MAX = 32,	/* "CONNECT 4294967295\n" */
	FIRST_PORT = 1 << 30,	/* of ours; well-known ones are lower */
};

enum conn_state {
	CONN_GREETING,	 /* the program has not said where to */
	CONN_ASKED,	 /* the guest is to answer */
	CONN_CONNECTING, /* the host is to answer */
	CONN_OPEN,
	CONN_DRAINING,	 /* the guest is done; the program has to read */
};

struct conn {
	struct conn *next;
	struct vsock_hub *hub;
	enum conn_state state;
	int fd;		 /* -1 while connecting */
	uint32_t events; /* what the loop waits for; 0: nothing */
	uint32_t guest_port, host_port;
	unsigned int pending; /* packets to send: BIT(VIRTIO_VSOCK_OP_...) */
	uint32_t guest_shut;  /* VIRTIO_VSOCK_SHUTDOWN_...: the guest's */
	uint32_t host_shut;
	bool dead; /* freed at the end of the call */

	/* To the guest (5.10.6.3): counters run over. */
	uint32_t peer_alloc, peer_fwd, sent;
	/* From the guest. */
	uint32_t forwarded, told;
	size_t start, len;
	uint8_t *buffer;
	char greeting[GREETING_MAX + 1];
};

struct vsock_hub {
	struct loop *loop;
	const struct vsock_hub_ops *ops;
	void *arg;
	int listen_fd;
	bool listening; /* the loop waits for clients */
	bool blocked;	/* no buffer: vsock_hub_ready() will come */
	unsigned int n_conns;
	struct conn *conns;
	uint32_t last_port;
	unsigned int n_resets;
	struct virtio_vsock_hdr reset[RESETS_MAX];
};

static void conn_event(void *arg, uint32_t events);

/* ---- the loop ---- */

static void conn_wait(struct conn *c, uint32_t events)
{
	struct loop *loop = c->hub->loop;

	if (c->fd < 0 || events == c->events)
		return;
	if (!events)
		loop_remove(loop, c->fd);
	else if (c->events)
		loop_mod(loop, c->fd, events);
	else if (loop_add(loop, c->fd, events, conn_event, c) < 0)
		events = 0;
	c->events = events;
}

/* Bytes that the guest has room for. */
static uint32_t credit(const struct conn *c)
{
	uint32_t used = c->sent - c->peer_fwd;

	return used < c->peer_alloc ? c->peer_alloc - used : 0;
}

static bool may_send(const struct conn *c)
{
	return c->state == CONN_OPEN && !c->hub->blocked &&
	       !c->host_shut && credit(c) &&
	       !(c->guest_shut & VIRTIO_VSOCK_SHUTDOWN_RCV);
}

static void conn_watch(struct conn *c)
{
	uint32_t events = c->len ? EPOLLOUT : 0;

	if (c->state == CONN_GREETING || may_send(c))
		events |= EPOLLIN;
	conn_wait(c, events);
}

/* ---- connections come and go ---- */

static struct conn *conn_add(struct vsock_hub *hub, enum conn_state state,
			     int fd)
{
	struct conn *c = xcalloc(1, sizeof(*c));

	c->hub = hub;
	c->state = state;
	c->fd = fd;
	c->next = hub->conns;
	hub->conns = c;
	hub->n_conns++;
	return c;
}

static void conn_close(struct conn *c)
{
	conn_wait(c, 0);
	c->fd = fd_close(c->fd);
	c->dead = true;
}

static void sweep(struct vsock_hub *hub)
{
	struct conn **p = &hub->conns, *c;

	while ((c = *p)) {
		if (!c->dead) {
			p = &c->next;
			continue;
		}
		*p = c->next;
		hub->n_conns--;
		free(c->buffer);
		free(c);
	}
}

static struct conn *find(struct vsock_hub *hub, uint32_t host_port,
			 uint32_t guest_port)
{
	for (struct conn *c = hub->conns; c; c = c->next) {
		if (!c->dead && c->host_port == host_port &&
		    c->guest_port == guest_port &&
		    c->state != CONN_GREETING && c->state != CONN_DRAINING)
			return c;
	}
	return NULL;
}

static uint32_t free_port(struct vsock_hub *hub, uint32_t guest_port)
{
	do {
		if (hub->last_port < FIRST_PORT ||
		    hub->last_port == VMADDR_PORT_ANY - 1)
			hub->last_port = FIRST_PORT - 1;
		hub->last_port++;
	} while (find(hub, hub->last_port, guest_port));
	return hub->last_port;
}

/* ---- packets to the guest ---- */

static void fill(const struct conn *c, struct virtio_vsock_hdr *hdr,
		 unsigned int op)
{
	*hdr = (struct virtio_vsock_hdr){
		.src_cid = VSOCK_HOST_CID,
		.src_port = c->host_port,
		.dst_port = c->guest_port,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = op,
		.flags = op == VIRTIO_VSOCK_OP_SHUTDOWN ? c->host_shut : 0,
		.buf_alloc = BUFFER,
		.fwd_cnt = c->forwarded,
	};
}

static bool send_op(struct conn *c, unsigned int op)
{
	struct virtio_vsock_hdr hdr;

	fill(c, &hdr, op);
	if (!c->hub->ops->send(c->hub->arg, &hdr))
		return false;
	c->told = c->forwarded;
	return true;
}

/* False: no buffer. */
static bool send_pending(struct conn *c)
{
	static const unsigned int order[] = {
		VIRTIO_VSOCK_OP_REQUEST,  VIRTIO_VSOCK_OP_RESPONSE,
		VIRTIO_VSOCK_OP_CREDIT_UPDATE, VIRTIO_VSOCK_OP_SHUTDOWN,
		VIRTIO_VSOCK_OP_RST,
	};

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		if (!(c->pending & BIT(order[i])))
			continue;
		if (!send_op(c, order[i]))
			return false;
		c->pending &= ~BIT(order[i]);
	}
	return true;
}

static void say(struct conn *c, unsigned int op)
{
	c->pending |= BIT(op);
	send_pending(c);
}

/* 5.10.6.4: there is no such connection (any more). */
static void send_reset(struct vsock_hub *hub,
		       const struct virtio_vsock_hdr *to)
{
	struct virtio_vsock_hdr hdr = {
		.src_cid = to->dst_cid,
		.src_port = to->dst_port,
		.dst_port = to->src_port,
		.type = to->type,
		.op = VIRTIO_VSOCK_OP_RST,
	};

	if (!hub->ops->send(hub->arg, &hdr) && hub->n_resets < RESETS_MAX)
		hub->reset[hub->n_resets++] = hdr;
}

/* Ends it for both sides at once. */
static void conn_abort(struct conn *c)
{
	struct virtio_vsock_hdr from_guest = {
		.dst_cid = VSOCK_HOST_CID,
		.dst_port = c->host_port,
		.src_port = c->guest_port,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
	};

	if (c->state != CONN_GREETING && c->state != CONN_DRAINING)
		send_reset(c->hub, &from_guest);
	conn_close(c);
}

/* ---- from the guest to the program ---- */

/* 5.10.6.3: tell of new room before the guest has run out of it. */
static void update_credit(struct conn *c)
{
	if (c->state == CONN_OPEN && c->forwarded - c->told >= BUFFER / 2)
		say(c, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
}

static void flush_done(struct conn *c)
{
	if (c->state == CONN_DRAINING)
		conn_close(c);
	else if (c->guest_shut & VIRTIO_VSOCK_SHUTDOWN_SEND)
		shutdown(c->fd, SHUT_WR);
}

static void flush(struct conn *c)
{
	while (c->len) {
		size_t part = MIN(c->len, BUFFER - c->start);
		ssize_t n = send(c->fd, c->buffer + c->start, part,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			conn_abort(c);
			return;
		}
		if (n <= 0)
			break;
		c->start = (c->start + n) % BUFFER;
		c->len -= n;
		c->forwarded += n;
	}
	update_credit(c);
	if (!c->len)
		flush_done(c);
}

static void keep(struct conn *c, const struct vq_buf *buf, uint32_t len)
{
	uint32_t done = 0;

	if (!c->buffer)
		c->buffer = xmalloc(BUFFER);
	while (done < len) {
		size_t end = (c->start + c->len) % BUFFER;
		size_t part = MIN(len - done, BUFFER - end);

		part = vq_read(buf, VSOCK_HDR_LEN + done, c->buffer + end,
			       part);
		c->len += part;
		done += part;
	}
}

static void got_data(struct conn *c, const struct virtio_vsock_hdr *hdr,
		     const struct vq_buf *buf)
{
	if (c->state != CONN_OPEN || hdr->len > BUFFER - c->len) {
		conn_abort(c); /* more than it was allowed */
		return;
	}
	keep(c, buf, hdr->len);
	flush(c);
}

/* The guest's half: when it is done with both, so are we (5.10.6.5). */
static void got_shutdown(struct conn *c, uint32_t flags)
{
	struct virtio_vsock_hdr from_guest = {
		.dst_cid = VSOCK_HOST_CID,
		.dst_port = c->host_port,
		.src_port = c->guest_port,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
	};

	if (c->state != CONN_OPEN) {
		conn_abort(c);
		return;
	}
	c->guest_shut |= flags & (VIRTIO_VSOCK_SHUTDOWN_RCV |
				  VIRTIO_VSOCK_SHUTDOWN_SEND);
	if (c->guest_shut ==
	    (VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND)) {
		send_reset(c->hub, &from_guest);
		c->pending = 0;
		c->state = CONN_DRAINING;
	}
	if (!c->len)
		flush_done(c);
}

/* ---- from the program to the guest ---- */

/* False: not now. */
static bool read_once(struct conn *c)
{
	struct virtio_vsock_hdr hdr;
	ssize_t n;

	fill(c, &hdr, VIRTIO_VSOCK_OP_RW);
	n = c->hub->ops->send_from(c->hub->arg, &hdr, c->fd, credit(c));
	if (n > 0) {
		c->sent += n;
		c->told = c->forwarded;
	} else if (n == 0) {
		c->host_shut = VIRTIO_VSOCK_SHUTDOWN_SEND;
		say(c, VIRTIO_VSOCK_OP_SHUTDOWN);
	} else if (n == -ENOBUFS) {
		c->hub->blocked = true;
	} else if (n != -EAGAIN && n != -EINTR) {
		conn_abort(c);
	}
	return n > 0;
}

/* A few at a time, so that others get their turn. */
static void read_some(struct conn *c)
{
	for (int i = 0; i < 16 && may_send(c) && !c->dead; i++)
		if (!read_once(c))
			break;
}

static void greeted(struct conn *c)
{
	uint64_t port;

	if (strncmp(c->greeting, "CONNECT ", 8) ||
	    parse_u64(c->greeting + 8, 10, UINT32_MAX - 1, &port) < 0) {
		conn_close(c);
		return;
	}
	c->guest_port = port;
	c->host_port = free_port(c->hub, port);
	c->state = CONN_ASKED;
	say(c, VIRTIO_VSOCK_OP_REQUEST);
}

/* A byte at a time: what follows the line is the guest's. */
static void read_greeting(struct conn *c)
{
	for (;;) {
		size_t len = strlen(c->greeting);
		ssize_t n = read(c->fd, c->greeting + len, 1);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0 || len + 1 == GREETING_MAX ||
		    !c->greeting[len]) {
			conn_close(c);
			return;
		}
		if (c->greeting[len] != '\n')
			continue;
		c->greeting[len] = '\0';
		greeted(c);
		return;
	}
}

static void conn_act(struct conn *c, uint32_t events)
{
	if (c->state == CONN_GREETING) {
		read_greeting(c);
		return;
	}
	if (events & EPOLLOUT)
		flush(c);
	if (!c->dead && (events & EPOLLIN))
		read_some(c);
	if (!c->dead && (events & (EPOLLERR | EPOLLHUP)) &&
	    !(events & (EPOLLIN | EPOLLOUT)))
		conn_abort(c);
}

static void conn_event(void *arg, uint32_t events)
{
	struct conn *c = arg;
	struct vsock_hub *hub = c->hub;

	hub->ops->lock(hub->arg);
	if (!hub->ops->running(hub->arg)) {
		conn_wait(c, 0); /* until vsock_hub_ready() */
	} else {
		conn_act(c, events);
		if (!c->dead)
			conn_watch(c);
		sweep(hub);
	}
	hub->ops->unlock(hub->arg);
}

/* ---- new ones ---- */

static void listen_to(struct vsock_hub *hub, bool yes)
{
	if (hub->listening != yes)
		loop_mod(hub->loop, hub->listen_fd, yes ? EPOLLIN : 0);
	hub->listening = yes;
}

static void client(void *arg, uint32_t events)
{
	struct vsock_hub *hub = arg;
	int fd;

	hub->ops->lock(hub->arg);
	if (!hub->ops->running(hub->arg) || hub->n_conns >= CONNS_MAX) {
		listen_to(hub, false);
	} else {
		fd = accept4(hub->listen_fd, NULL, NULL,
			     SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0)
			conn_watch(conn_add(hub, CONN_GREETING, fd));
	}
	hub->ops->unlock(hub->arg);
}

static void got_request(struct vsock_hub *hub,
			const struct virtio_vsock_hdr *hdr)
{
	struct conn *c;

	if (hub->n_conns >= CONNS_MAX) {
		send_reset(hub, hdr);
		return;
	}
	c = conn_add(hub, CONN_CONNECTING, -1);
	c->host_port = hdr->dst_port;
	c->guest_port = hdr->src_port;
	c->peer_alloc = hdr->buf_alloc;
	c->peer_fwd = hdr->fwd_cnt;
	hub->ops->connect(hub->arg, hdr->dst_port);
}

void vsock_hub_connected(struct vsock_hub *hub, uint32_t port, int fd)
{
	struct conn *c, *oldest = NULL;

	for (c = hub->conns; c; c = c->next)
		if (c->state == CONN_CONNECTING && c->host_port == port)
			oldest = c; /* new ones are first */
	if (!oldest) {
		fd_close(fd);
		return;
	}
	oldest->fd = fd;
	if (fd < 0) {
		conn_abort(oldest);
	} else {
		oldest->state = CONN_OPEN;
		say(oldest, VIRTIO_VSOCK_OP_RESPONSE);
		conn_watch(oldest);
	}
	sweep(hub);
}

/* The guest accepted: now the program may go on. */
static void got_response(struct conn *c)
{
	char line[32];
	int len = snprintf(line, sizeof(line), "OK %u\n", c->host_port);

	if (c->state != CONN_ASKED ||
	    send(c->fd, line, len, MSG_NOSIGNAL | MSG_DONTWAIT) != len) {
		conn_abort(c);
		return;
	}
	c->state = CONN_OPEN;
}

/* ---- the device's side ---- */

static void act(struct conn *c, const struct virtio_vsock_hdr *hdr,
		const struct vq_buf *buf)
{
	c->peer_alloc = hdr->buf_alloc;
	c->peer_fwd = hdr->fwd_cnt;
	switch (hdr->op) {
	case VIRTIO_VSOCK_OP_RESPONSE:
		got_response(c);
		break;
	case VIRTIO_VSOCK_OP_RST:
		if (c->len && c->state == CONN_OPEN)
			c->state = CONN_DRAINING;
		else
			conn_close(c);
		break;
	case VIRTIO_VSOCK_OP_SHUTDOWN:
		got_shutdown(c, hdr->flags);
		break;
	case VIRTIO_VSOCK_OP_RW:
		got_data(c, hdr, buf);
		break;
	case VIRTIO_VSOCK_OP_CREDIT_UPDATE:
		break;
	case VIRTIO_VSOCK_OP_CREDIT_REQUEST:
		say(c, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
		break;
	default: /* a second request included */
		conn_abort(c);
	}
}

void vsock_hub_packet(struct vsock_hub *hub,
		      const struct virtio_vsock_hdr *hdr,
		      const struct vq_buf *buf)
{
	struct conn *c = NULL;

	/* 5.10.6.6: what is of another kind is refused. */
	if (hdr->dst_cid == VSOCK_HOST_CID &&
	    hdr->type == VIRTIO_VSOCK_TYPE_STREAM)
		c = find(hub, hdr->dst_port, hdr->src_port);
	if (c) {
		act(c, hdr, buf);
		if (!c->dead)
			conn_watch(c);
		sweep(hub);
	} else if (hdr->op == VIRTIO_VSOCK_OP_REQUEST &&
		   hdr->dst_cid == VSOCK_HOST_CID &&
		   hdr->type == VIRTIO_VSOCK_TYPE_STREAM) {
		got_request(hub, hdr);
	} else if (hdr->op != VIRTIO_VSOCK_OP_RST) {
		send_reset(hub, hdr);
	}
}

static bool send_resets(struct vsock_hub *hub)
{
	while (hub->n_resets) {
		if (!hub->ops->send(hub->arg, &hub->reset[0]))
			return false;
		memmove(hub->reset, hub->reset + 1,
			--hub->n_resets * sizeof(hub->reset[0]));
	}
	return true;
}

void vsock_hub_ready(struct vsock_hub *hub)
{
	bool room = send_resets(hub);

	hub->blocked = false;
	for (struct conn *c = hub->conns; c; c = c->next) {
		room = room && send_pending(c);
		conn_watch(c);
	}
	listen_to(hub, hub->n_conns < CONNS_MAX);
}

void vsock_hub_drop_all(struct vsock_hub *hub)
{
	for (struct conn *c = hub->conns; c; c = c->next)
		conn_close(c);
	sweep(hub);
	hub->n_resets = 0;
}

int vsock_hub_create(struct loop *loop, int listen_fd,
		     const struct vsock_hub_ops *ops, void *arg,
		     struct vsock_hub **ret_hub)
{
	struct vsock_hub *hub = xcalloc(1, sizeof(*hub));
	int r;

	hub->loop = loop;
	hub->ops = ops;
	hub->arg = arg;
	hub->listen_fd = listen_fd;
	r = loop_add(loop, listen_fd, 0, client, hub);
	if (r < 0) {
		free(hub);
		return r;
	}
	*ret_hub = hub;
	return 0;
}

void vsock_hub_destroy(struct vsock_hub *hub)
{
	if (!hub)
		return;
	vsock_hub_drop_all(hub);
	loop_remove(hub->loop, hub->listen_fd);
	free(hub);
}
