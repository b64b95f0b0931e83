/*
 * vmm/outflow.c -- bytes that go to a descriptor as it takes them.
 */
#include "vmm/outflow.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>

#include "base/util.h"
#include "vmm/loop.h"

/* #syscalls:vmm write fcntl close */

struct outflow {
	struct loop *loop;
	int fd;
	char *data;
	size_t len, done;
};

static void outflow_end(struct outflow *o)
{
	loop_remove(o->loop, o->fd);
	fd_close(o->fd);
	free(o->data);
	free(o);
}

static void outflow_event(void *arg, uint32_t events)
{
	struct outflow *o = arg;
	ssize_t n = write(o->fd, o->data + o->done, o->len - o->done);

	if (n > 0)
		o->done += n;
	if (o->done == o->len || (n < 0 && errno != EAGAIN && errno != EINTR))
		outflow_end(o);
}

void outflow_start(struct loop *loop, int fd, char *data, size_t len)
{
	struct outflow *o = xcalloc(1, sizeof(*o));

	*o = (struct outflow){ .loop = loop, .fd = fd, .data = data,
			       .len = len };
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ||
	    loop_add(loop, fd, EPOLLOUT, outflow_event, o) < 0)
		outflow_end(o);
}
