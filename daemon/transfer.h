/*
 * daemon/transfer.h -- a volume's data on its way between a thread that reads
 * or writes it and a client's stream.
 *
 * Between the two is a socket of packets.  A thread that writes volumes answers
 * an END with one of its own when all is on the medium; an error is the last
 * packet that it sends.
 */
#ifndef DAEMON_TRANSFER_H
#define DAEMON_TRANSFER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct buf;

enum { TRANSFER_PIECE = 64 * 1024 };

enum transfer_type { TRANSFER_DATA, TRANSFER_HOLE, TRANSFER_END,
		     TRANSFER_ERROR };

struct transfer_packet {
	uint64_t type;
	union {
		int64_t hole;
		char text[1024];
		char data[TRANSFER_PIECE];
	};
};

/* 0 and how much data there is; -EAGAIN; -EPIPE at the end, -EBADMSG. */
int transfer_receive(int fd, struct transfer_packet *ret, size_t *ret_len);
int transfer_send(int fd, const struct transfer_packet *p, size_t len);

/* Appends packets, each after its length, for transfer_send_framed(). */
void transfer_frame(struct buf *to, enum transfer_type type, const void *data,
		    size_t len);
/* The first of them: how many bytes of the buffer that was; -1 and errno. */
ssize_t transfer_send_framed(int fd, const char *framed);

#endif
