/*
 * rpc/frame.c -- cutting a byte stream into messages, and making messages.
 *
 * The buffer grows with what has arrived, never with what a length word
 * promises, so a client pays for the memory it makes us use.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/util.h"
#include "rpc/frame.h"

enum { READ_SIZE = 65536 };

static uint32_t get_u32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

static void put_u32(uint8_t *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, sizeof(v));
}

static void close_all(int *fds, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		fd_close(fds[i]);
}

void frame_free(struct frame *f)
{
	if (!f)
		return;
	close_all(f->fds, f->n_fds);
	free(f->body);
	free(f);
}

static uint8_t *reader_room(struct frame_reader *r, size_t len)
{
	if (r->size - r->len < len) {
		r->size = MAX(r->len + len, r->size * 2);
		r->data = xrealloc(r->data, r->size, 1);
	}
	return r->data + r->len;
}

/* Takes over descriptors in the order in which they came. */
static int reader_take_fds(struct frame_reader *r, struct msghdr *msg)
{
	int ret = msg->msg_flags & MSG_CTRUNC ? -EPROTO : 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c;
	     c = CMSG_NXTHDR(msg, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (r->n_fds == FRAME_FDS_MAX) {
				fd_close(fd);
				ret = -EPROTO;
			} else {
				r->fds[r->n_fds++] = fd;
			}
		}
	}
	return ret;
}

int frame_reader_fill(struct frame_reader *r, int fd)
{
	char control[CMSG_SPACE(sizeof(int) * FRAME_FDS_MAX)];
	struct iovec iov = { reader_room(r, READ_SIZE), READ_SIZE };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;
	int e;

	do
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	e = reader_take_fds(r, &msg);
	if (e < 0)
		return e;
	r->len += n;
	return n;
}

void frame_reader_feed(struct frame_reader *r, const void *data, size_t len)
{
	if (!len)
		return;
	memcpy(reader_room(r, len), data, len);
	r->len += len;
}

static void reader_consume(struct frame_reader *r, size_t len)
{
	r->len -= len;
	memmove(r->data, r->data + len, r->len);
	if (!r->len && r->size > 4 * READ_SIZE) {
		free(r->data);
		r->data = NULL;
		r->size = 0;
	}
}

static void header_get(const uint8_t *p, wire_header *ret)
{
	ret->prog = get_u32(p);
	ret->vers = get_u32(p + 4);
	ret->proc = (int)get_u32(p + 8);
	ret->type = (int)get_u32(p + 12);
	ret->serial = get_u32(p + 16);
	ret->status = (int)get_u32(p + 20);
}

/*
 * How many descriptors follow, and where the body begins: -EPROTO when the
 * count is missing or too high.
 */
static int fds_expected(const struct frame_reader *r, size_t len,
			const wire_header *h, unsigned int *ret_n,
			size_t *ret_body)
{
	*ret_n = 0;
	*ret_body = FRAME_MIN;
	if (h->type != FRAME_CALL_WITH_FDS)
		return 0;
	if (len < FRAME_MIN + 4)
		return -EPROTO;
	*ret_n = get_u32(r->data + FRAME_MIN);
	*ret_body = FRAME_MIN + 4;
	return *ret_n > FRAME_FDS_MAX ? -EPROTO : 0;
}

static struct frame *frame_cut(struct frame_reader *r, const wire_header *h,
			       size_t body, size_t len, unsigned int n_fds)
{
	struct frame *f = xcalloc(1, sizeof(*f));

	f->header = *h;
	f->len = len - body;
	f->body = xmalloc(f->len ? f->len : 1);
	memcpy(f->body, r->data + body, f->len);
	f->n_fds = n_fds;
	memcpy(f->fds, r->fds, n_fds * sizeof(int));
	r->n_fds -= n_fds;
	memmove(r->fds, r->fds + n_fds, r->n_fds * sizeof(int));
	reader_consume(r, len + n_fds);
	return f;
}

int frame_reader_next(struct frame_reader *r, struct frame **ret_frame)
{
	unsigned int n_fds;
	wire_header h;
	size_t len, body;

	if (r->len < FRAME_LEN_SIZE)
		return 0;
	len = get_u32(r->data);
	if (len < FRAME_MIN || len > (r->max ? r->max : FRAME_MAX))
		return -EPROTO;
	if (r->len < len)
		return 0;
	header_get(r->data + FRAME_LEN_SIZE, &h);
	if (fds_expected(r, len, &h, &n_fds, &body) < 0)
		return -EPROTO;
	if (r->len < len + n_fds)
		return 0;
	/* All the bytes are here, so what they carried is, too. */
	if (r->n_fds < n_fds)
		return -EPROTO;
	*ret_frame = frame_cut(r, &h, body, len, n_fds);
	return 1;
}

void frame_reader_finish(struct frame_reader *r)
{
	close_all(r->fds, r->n_fds);
	free(r->data);
	*r = (struct frame_reader){ 0 };
}

/* A packet with room for a body of this size after 'extra' words. */
static struct packet *packet_alloc(const wire_header *h, size_t extra,
				   size_t body)
{
	size_t len = FRAME_MIN + extra + body;
	struct packet *p;

	if (len > FRAME_MAX)
		return NULL;
	p = xmalloc(sizeof(*p) + len);
	*p = (struct packet){ .len = len };
	put_u32(p->data, len);
	put_u32(p->data + 4, h->prog);
	put_u32(p->data + 8, h->vers);
	put_u32(p->data + 12, h->proc);
	put_u32(p->data + 16, h->type);
	put_u32(p->data + 20, h->serial);
	put_u32(p->data + 24, h->status);
	return p;
}

static bool body_encode(uint8_t *to, size_t len, xdrproc_t proc,
			const void *body)
{
	XDR xdr;
	bool ok;

	xdrmem_create(&xdr, (char *)to, len, XDR_ENCODE);
	ok = proc(&xdr, (void *)body) && xdr_getpos(&xdr) == len;
	xdr_destroy(&xdr);
	return ok;
}

static struct packet *packet_encode(const wire_header *header, size_t extra,
				    xdrproc_t proc, const void *body)
{
	size_t len = body ? xdr_sizeof(proc, (void *)body) : 0;
	struct packet *p;

	if (body && !len)
		return NULL; /* no body of ours is empty: it did not encode */
	p = packet_alloc(header, extra, len);
	if (p && body &&
	    !body_encode(p->data + FRAME_MIN + extra, len, proc, body)) {
		packet_free(p);
		return NULL;
	}
	return p;
}

struct packet *packet_create(const wire_header *header, xdrproc_t proc,
			     const void *body)
{
	return packet_encode(header, 0, proc, body);
}

struct packet *packet_create_raw(const wire_header *header, const void *body,
				 size_t len)
{
	struct packet *p = packet_alloc(header, 0, len);

	if (p && len)
		memcpy(p->data + FRAME_MIN, body, len);
	return p;
}

struct packet *packet_create_fds(const wire_header *header, xdrproc_t proc,
				 const void *body, const int *fds,
				 unsigned int n_fds)
{
	struct packet *p = NULL;

	if (n_fds <= FRAME_FDS_MAX)
		p = packet_encode(header, 4, proc, body);
	if (!p) {
		close_all((int *)fds, n_fds);
		return NULL;
	}
	put_u32(p->data + FRAME_MIN, n_fds);
	memcpy(p->fds, fds, n_fds * sizeof(*fds));
	p->n_fds = n_fds;
	return p;
}

static ssize_t send_fd(int fd, int what)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { "", 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &what, sizeof(what));
	return sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int packet_send(struct packet *p, int fd)
{
	ssize_t n;

	while (p->sent < p->len) {
		n = send(fd, p->data + p->sent, p->len - p->sent,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EINTR)
			return errno == EAGAIN ? 0 : -errno;
		if (n > 0)
			p->sent += n;
	}
	while (p->fds_sent < p->n_fds) {
		n = send_fd(fd, p->fds[p->fds_sent]);
		if (n < 0 && errno != EINTR)
			return errno == EAGAIN ? 0 : -errno;
		if (n > 0)
			p->fds_sent++;
	}
	return 1;
}

void packet_free(struct packet *p)
{
	if (!p)
		return;
	close_all(p->fds, p->n_fds);
	free(p);
}

bool body_decode(const uint8_t *body, size_t len, xdrproc_t proc, void *ret)
{
	XDR xdr;
	bool ok;

	/* Bytes left over are allowed: newer clients may add arguments. */
	xdrmem_create(&xdr, (char *)body, len, XDR_DECODE);
	ok = proc(&xdr, ret);
	xdr_destroy(&xdr);
	if (!ok)
		body_free(proc, ret);
	return ok;
}

void body_free(xdrproc_t proc, void *data)
{
	xdr_free(proc, data);
}
