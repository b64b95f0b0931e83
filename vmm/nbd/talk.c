/*
 * vmm/nbd/talk.c -- one client: bytes in and out, and its two phases.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/util.h"
#include "vmm/nbd/nbd_priv.h"

/* #syscalls:vmm recvfrom sendmsg */

int nbd_receive(struct nbd_client *c, void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len) {
		ssize_t n = recv(c->fd, p, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		p += n;
		len -= n;
	}
	return 0;
}

int nbd_skip(struct nbd_client *c, uint64_t len)
{
	int r = 0;

	while (len && r == 0) {
		size_t n = MIN(len, (uint64_t)NBD_CHUNK);

		r = nbd_receive(c, c->buffer, n);
		len -= n;
	}
	return r;
}

static void advance(struct msghdr *msg, size_t n)
{
	while (n) {
		struct iovec *v = msg->msg_iov;
		size_t part = MIN(n, v->iov_len);

		v->iov_base = (uint8_t *)v->iov_base + part;
		v->iov_len -= part;
		n -= part;
		if (!v->iov_len && n) {
			msg->msg_iov++;
			msg->msg_iovlen--;
		}
	}
}

int nbd_send(struct nbd_client *c, const void *head, size_t n,
	     const void *data, size_t len)
{
	struct iovec iov[2] = { { (void *)head, n }, { (void *)data, len } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	size_t left = n + len;

	while (left) {
		ssize_t sent = sendmsg(c->fd, &msg, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return sent < 0 ? -errno : -EPIPE;
		left -= sent;
		advance(&msg, sent);
	}
	return 0;
}

void nbd_talk(int fd, const struct nbd_exports *exports)
{
	struct nbd_client c = {
		.fd = fd,
		.exports = exports,
	};

	if (posix_memalign((void **)&c.buffer, 4096, NBD_CHUNK))
		return;
	if (nbd_handshake(&c) == 0)
		nbd_serve(&c);
	free(c.buffer);
}
