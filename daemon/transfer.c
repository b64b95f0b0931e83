/*
 * daemon/transfer.c -- packets with a volume's data.
 */
#include "daemon/transfer.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/util.h"

#define HEAD offsetof(struct transfer_packet, data)

int transfer_receive(int fd, struct transfer_packet *p, size_t *ret_len)
{
	ssize_t n;

	/* A far side that closed with packets unread resets the connection:
	 * that is told once, before what it said last. */
	do {
		n = recv(fd, p, sizeof(*p), 0);
	} while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n < 0)
		return -errno;
	if (n == 0)
		return -EPIPE;
	if ((size_t)n < HEAD || p->type > TRANSFER_ERROR ||
	    (p->type == TRANSFER_HOLE && (size_t)n != HEAD + sizeof(p->hole)))
		return -EBADMSG;
	*ret_len = n - HEAD;
	if (p->type == TRANSFER_ERROR)
		p->text[MIN(*ret_len, sizeof(p->text) - 1)] = '\0';
	return 0;
}

int transfer_send(int fd, const struct transfer_packet *p, size_t len)
{
	ssize_t n;

	do {
		n = send(fd, p, HEAD + len, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

void transfer_frame(struct buf *to, enum transfer_type type, const void *data,
		    size_t len)
{
	do {
		uint64_t head = type;
		uint32_t part = MIN(len, TRANSFER_PIECE);
		uint32_t total = HEAD + part;

		buf_add(to, &total, sizeof(total));
		buf_add(to, &head, sizeof(head));
		if (part)
			buf_add(to, data, part);
		data = (const char *)data + part;
		len -= part;
	} while (len);
}

ssize_t transfer_send_framed(int fd, const char *framed)
{
	uint32_t total;
	ssize_t n;

	memcpy(&total, framed, sizeof(total));
	n = send(fd, framed + sizeof(total), total, MSG_NOSIGNAL);
	return n < 0 ? -1 : (ssize_t)(sizeof(total) + total);
}
