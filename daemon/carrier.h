/*
 * daemon/carrier.h -- carries a machine's stream: between one end of a socket
 * pair, whose other end the machine has, and something else.
 *
 * A thread each, until one side has ended.  A machine has to be told that its
 * stream is carried: it ends when we do (vmm/handover.h).
 */
#ifndef DAEMON_CARRIER_H
#define DAEMON_CARRIER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct error;

/*
 * The far side.  read, write: bytes, 0: its end, -EAGAIN: not now, or another
 * -errno.  more: it holds something read that poll(2) does not see.
 */
struct carrier_ops {
	ssize_t (*read)(void *far, void *data, size_t len);
	ssize_t (*write)(void *far, const void *data, size_t len);
	bool (*more)(void *far);
	void (*end)(void *far); /* and frees it */
};

/*
 * fd: of the far side, to be polled; stays far's.  Takes far over, also when it
 * fails.  ret_fd: for the machine.
 */
int carrier_start(const struct carrier_ops *ops, void *far, int fd,
		  int *ret_fd, struct error *err);

#endif
