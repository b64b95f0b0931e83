/*
 * vmm/stream.c -- reading from and writing to the other side of a migration.
 */
#include "vmm/stream.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/error.h"
#include "vmm/progress.h"

/* #syscalls:vmm sendto recvfrom poll ppoll */

enum { LOOK_MS = 100 };

static int wait_for(int fd, short events, struct progress *p,
		    struct error *err)
{
	struct pollfd pfd = { fd, events, 0 };

	do {
		if (atomic_load(&p->cancel))
			return error_set(err, -ECANCELED,
					 "the migration was cancelled");
	} while (poll(&pfd, 1, LOOK_MS) <= 0);
	return 0;
}

static int lost(int r, struct error *err)
{
	return error_set(err, r,
			 "the other side of the migration is gone: %m");
}

int stream_write(int fd, const void *data, size_t len, struct progress *p,
		 struct error *err)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		int r;

		if (n > 0) {
			atomic_fetch_add(&p->written, (uint64_t)n);
			data = (const char *)data + n;
			len -= n;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return lost(-errno, err);
		r = wait_for(fd, POLLOUT, p, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int stream_read(int fd, void *data, size_t len, struct progress *p,
		struct error *err)
{
	while (len) {
		ssize_t n = recv(fd, data, len, MSG_DONTWAIT);
		int r;

		if (n > 0) {
			data = (char *)data + n;
			len -= n;
			continue;
		}
		if (n == 0)
			return lost(-ECONNRESET, err);
		if (errno != EAGAIN && errno != EINTR)
			return lost(-errno, err);
		r = wait_for(fd, POLLIN, p, err);
		if (r < 0)
			return r;
	}
	return 0;
}
