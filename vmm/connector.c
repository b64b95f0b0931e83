/*
 * vmm/connector.c -- connects to Unix sockets for a machine that is run from
 * the command line.
 *
 * Messages on a socket pair: a port to the child; the port again, with a
 * descriptor if there was somebody, back.  The child ends with its parent's
 * end of the pair.
 */
#include "vmm/connector.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/loop.h"

/* #syscalls:vmm recvmsg sendto close */

struct connector {
	int fd;
	struct loop *loop;
	connector_fn *fn;
	void *arg;
};

union fd_control {
	char buf[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

/* ---- the child ---- */

static int connect_port(const char *path, uint32_t port)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			0);
	int n = snprintf(sa.sun_path, sizeof(sa.sun_path), "%s_%u", path,
			 port);

	if (n >= (int)sizeof(sa.sun_path) ||
	    connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return fd_close(fd);
	return fd;
}

static int send_answer(int to, uint32_t port, int fd)
{
	union fd_control control = { 0 };
	struct iovec iov = { &port, sizeof(port) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	return sendmsg(to, &msg, MSG_NOSIGNAL);
}

static void __attribute__((noreturn)) serve(int fd, const char *path)
{
	uint32_t port;

	/* A terminal's Ctrl-C is the machine's. */
	setsid();
	while (recv(fd, &port, sizeof(port), 0) == sizeof(port)) {
		int s = connect_port(path, port);

		if (send_answer(fd, port, s) < 0)
			break;
		fd_close(s);
	}
	_exit(0);
}

int connector_create(const char *path, struct connector **ret_connector,
		     struct error *err)
{
	struct connector *c;
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_set(err, -errno, "cannot create a socket: %m");
	pid = fork();
	if (pid < 0) {
		close(pair[0]);
		close(pair[1]);
		return error_set(err, -errno, "cannot create a process: %m");
	}
	if (pid == 0) {
		/* Nothing of the machine's is held open. */
		dup2(pair[1], 3);
		syscall(SYS_close_range, 4, ~0u, 0);
		serve(3, path);
	}
	close(pair[1]);
	c = xcalloc(1, sizeof(*c));
	c->fd = pair[0];
	*ret_connector = c;
	return 0;
}

/* ---- the machine's side ---- */

static void answered(void *arg, uint32_t events)
{
	struct connector *c = arg;
	union fd_control control = { 0 };
	uint32_t port;
	struct iovec iov = { &port, sizeof(port) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	int fd = -1;

	if (recvmsg(c->fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) !=
	    sizeof(port)) {
		if (events & EPOLLHUP)
			loop_remove(c->loop, c->fd);
		return;
	}
	if (CMSG_FIRSTHDR(&msg))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	c->fn(c->arg, port, fd);
}

int connector_watch(struct connector *c, struct loop *loop, connector_fn *fn,
		    void *arg)
{
	c->loop = loop;
	c->fn = fn;
	c->arg = arg;
	return loop_add(loop, c->fd, EPOLLIN, answered, c);
}

void connector_ask(struct connector *c, uint32_t port)
{
	if (send(c->fd, &port, sizeof(port), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		c->fn(c->arg, port, -1);
}

void connector_destroy(struct connector *c)
{
	if (!c)
		return;
	fd_close(c->fd);
	free(c);
}
