/*
 * vmm/chardev.c -- the host's end of a serial port or console port.
 *
 * Theory of operation.  There is at most one peer descriptor: the one from
 * the spec (pty, file, stdio), or the client of a listening socket.  It is
 * watched for input only while the device has room, and for output only while
 * the ring holds something.
 *
 * A pty whose slave nobody has open reports a hang-up for as long as that
 * lasts, so epoll would spin: the descriptor leaves the loop and a timer looks
 * again.  Meanwhile output goes to the ring, where old bytes make room for
 * new ones: a reader who comes later sees the latest.
 */
#include "vmm/chardev.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/error.h"
#include "vmm/loop.h"
#include "vmm/spec.h"

/* #syscalls:vmm read write poll ppoll accept4 close fcntl */

enum { RING_SIZE = 16384, INPUT_SIZE = 256 };
#define REOPEN_NS 200000000ull

struct chardev {
	struct loop *loop;
	const struct chardev_ops *ops;
	void *arg;
	bool is_socket; /* the peer is a client, which comes and goes */
	int listen_fd;	/* where clients connect; -1: nowhere */
	int log_fd;
	bool is_file;		   /* always writable, never watched */
	struct loop_timer *reopen; /* polls a hung-up pty */

	/* The loop's thread only. */
	uint8_t in[INPUT_SIZE];
	size_t in_len;
	bool watched;

	pthread_mutex_t lock; /* the rest */
	int peer;	      /* -1: nobody */
	bool up;	      /* the peer takes output */
	bool resuming;	      /* chardev_resume() is on its way */
	bool flushing;	      /* chardev_flush() is on its way */
	size_t start, len;    /* the ring's contents */
	uint8_t ring[RING_SIZE];
};

static void chardev_watch(struct chardev *chr);

/* ---- output ---- */

/* Locked. */
static void ring_add(struct chardev *chr, const uint8_t *data, size_t len)
{
	if (len > RING_SIZE) {
		data += len - RING_SIZE;
		len = RING_SIZE;
	}
	if (chr->len + len > RING_SIZE) {
		size_t drop = chr->len + len - RING_SIZE;

		chr->start = (chr->start + drop) % RING_SIZE;
		chr->len -= drop;
	}
	for (size_t i = 0; i < len; i++)
		chr->ring[(chr->start + chr->len + i) % RING_SIZE] = data[i];
	chr->len += len;
}

/* Locked.  The descriptors do not block. */
static void ring_flush(struct chardev *chr)
{
	while (chr->len && chr->up) {
		size_t part = MIN(chr->len, RING_SIZE - chr->start);
		ssize_t n = write(chr->peer, chr->ring + chr->start, part);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break; /* full, or gone: the loop notices */
		chr->start = (chr->start + n) % RING_SIZE;
		chr->len -= n;
	}
}

static void chardev_flush(void *arg)
{
	struct chardev *chr = arg;

	pthread_mutex_lock(&chr->lock);
	chr->flushing = false;
	pthread_mutex_unlock(&chr->lock);
	chardev_watch(chr);
}

void chardev_write(struct chardev *chr, const void *data, size_t len)
{
	if (chr->log_fd >= 0)
		write_full(chr->log_fd, data, len);
	pthread_mutex_lock(&chr->lock);
	ring_add(chr, data, len);
	ring_flush(chr);
	if (chr->len && chr->up && !chr->flushing && !chr->is_file) {
		chr->flushing = true;
		loop_defer(chr->loop, chardev_flush, chr);
	}
	pthread_mutex_unlock(&chr->lock);
}

/* ---- input ---- */

static void chardev_deliver(struct chardev *chr)
{
	size_t n = chr->ops->input(chr->arg, chr->in, chr->in_len);

	chr->in_len -= n;
	memmove(chr->in, chr->in + n, chr->in_len);
}

static void chardev_resume_now(void *arg)
{
	struct chardev *chr = arg;

	pthread_mutex_lock(&chr->lock);
	chr->resuming = false;
	pthread_mutex_unlock(&chr->lock);
	if (chr->in_len)
		chardev_deliver(chr);
	chardev_watch(chr);
}

void chardev_resume(struct chardev *chr)
{
	pthread_mutex_lock(&chr->lock);
	if (!chr->resuming) {
		chr->resuming = true;
		loop_defer(chr->loop, chardev_resume_now, chr);
	}
	pthread_mutex_unlock(&chr->lock);
}

/* ---- the peer comes and goes ---- */

static void chardev_set_up(struct chardev *chr, bool up)
{
	bool change;

	pthread_mutex_lock(&chr->lock);
	change = chr->up != up;
	chr->up = up;
	pthread_mutex_unlock(&chr->lock);
	if (change && chr->ops->connected)
		chr->ops->connected(chr->arg, up);
}

static void chardev_unwatch(struct chardev *chr)
{
	if (chr->watched)
		loop_remove(chr->loop, chr->peer);
	chr->watched = false;
}

static void chardev_hangup(struct chardev *chr)
{
	chardev_unwatch(chr);
	chardev_set_up(chr, false);
	if (!chr->is_socket) {
		timer_arm(chr->reopen, now_ns() + REOPEN_NS);
		return;
	}
	pthread_mutex_lock(&chr->lock);
	fd_close(steal_fd(&chr->peer));
	pthread_mutex_unlock(&chr->lock);
	chr->in_len = 0;
}

static void chardev_reopen(void *arg)
{
	struct chardev *chr = arg;
	struct pollfd p = { .fd = chr->peer, .events = POLLIN | POLLOUT };

	/* Who wrote and closed at once has left input behind the hang-up. */
	if (poll(&p, 1, 0) < 0 || ((p.revents & (POLLHUP | POLLERR)) &&
				   !(p.revents & POLLIN))) {
		timer_arm(chr->reopen, now_ns() + REOPEN_NS);
		return;
	}
	chardev_set_up(chr, true);
	chardev_watch(chr);
}

static void chardev_event(void *arg, uint32_t events)
{
	struct chardev *chr = arg;

	if (events & EPOLLIN) {
		ssize_t n = read(chr->peer, chr->in, sizeof(chr->in));

		if (n > 0) {
			chr->in_len = n;
			chardev_deliver(chr);
		} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			events |= EPOLLHUP;
		}
	}
	if ((events & (EPOLLHUP | EPOLLERR)) && !chr->in_len)
		chardev_hangup(chr);
	else
		chardev_watch(chr);
}

/* Makes the loop watch what can be acted on now. */
static void chardev_watch(struct chardev *chr)
{
	uint32_t events = chr->in_len ? 0 : EPOLLIN;
	bool up;

	pthread_mutex_lock(&chr->lock);
	ring_flush(chr);
	if (chr->len)
		events |= EPOLLOUT;
	up = chr->up && !chr->is_file;
	pthread_mutex_unlock(&chr->lock);
	/* epoll reports hang-ups always: with input pending, look away. */
	if (!up || !events) {
		chardev_unwatch(chr);
		return;
	}
	if (chr->watched)
		loop_mod(chr->loop, chr->peer, events);
	else
		chr->watched = loop_add(chr->loop, chr->peer, events,
					chardev_event, chr) == 0;
}

static void set_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0)
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static void chardev_take(struct chardev *chr, int fd)
{
	pthread_mutex_lock(&chr->lock);
	chr->peer = fd;
	pthread_mutex_unlock(&chr->lock);
	chardev_set_up(chr, true);
	chardev_watch(chr);
}

/* One client at a time: a second one waits in the backlog's place. */
static void chardev_accept(void *arg, uint32_t events)
{
	struct chardev *chr = arg;
	int fd = accept4(chr->listen_fd, NULL, NULL,
			 SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (chr->peer >= 0)
		fd_close(fd);
	else
		chardev_take(chr, fd);
}

/* Its hang-up may still wait to be noticed. */
static bool chardev_has_client(const struct chardev *chr)
{
	struct pollfd p = { .fd = chr->peer, .events = POLLRDHUP };

	return chr->peer >= 0 && (poll(&p, 1, 0) <= 0 ||
				  !(p.revents & (POLLRDHUP | POLLHUP | POLLERR)));
}

int chardev_connect(struct chardev *chr, int fd, bool force)
{
	if (!chr->is_socket)
		return -ENOTSUP;
	if (chardev_has_client(chr) && !force)
		return -EBUSY;
	if (chr->peer >= 0)
		chardev_hangup(chr);
	set_nonblock(fd);
	chardev_take(chr, fd);
	return 0;
}

/* ---- life ---- */

static int chardev_open_fd(struct chardev *chr, int fd, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_set(err, -errno, "bad console descriptor: %m");
	chr->is_file = S_ISREG(st.st_mode);
	chr->peer = fd;
	chr->up = true;
	set_nonblock(fd);
	chardev_watch(chr);
	return 0;
}

static int chardev_open(struct chardev *chr, const struct spec_char *spec,
			struct error *err)
{
	switch (spec->kind) {
	case CHARDEV_NULL:
		return 0;
	case CHARDEV_FD:
		return chardev_open_fd(chr, spec->fd, err);
	case CHARDEV_SOCKET:
		chr->is_socket = true;
		if (spec->fd < 0)
			return 0;
		chr->listen_fd = spec->fd;
		set_nonblock(spec->fd);
		return loop_add(chr->loop, spec->fd, EPOLLIN, chardev_accept,
				chr);
	}
	return -EINVAL;
}

int chardev_create(struct loop *loop, const struct spec_char *spec,
		   const struct chardev_ops *ops, void *arg,
		   struct chardev **ret_chr, struct error *err)
{
	struct chardev *chr = xcalloc(1, sizeof(*chr));
	int r;

	chr->loop = loop;
	chr->ops = ops;
	chr->arg = arg;
	chr->listen_fd = chr->peer = -1;
	chr->log_fd = spec->log_fd;
	pthread_mutex_init(&chr->lock, NULL);
	timer_create_on(loop, chardev_reopen, chr, &chr->reopen);
	r = chardev_open(chr, spec, err);
	if (r < 0) {
		chardev_destroy(chr);
		return error_set(err, r, "cannot use the host's end of '%s': "
				 "%m", spec->id ? spec->id : "serial");
	}
	*ret_chr = chr;
	return 0;
}

void chardev_destroy(struct chardev *chr)
{
	if (!chr)
		return;
	chardev_unwatch(chr);
	timer_destroy(chr->reopen);
	if (chr->listen_fd >= 0)
		loop_remove(chr->loop, chr->listen_fd);
	if (chr->is_socket)
		fd_close(chr->peer); /* the client's is ours */
	pthread_mutex_destroy(&chr->lock);
	free(chr);
}

static void destroy_now(void *chr)
{
	chardev_destroy(chr);
}

/* Calls that are on their way come first. */
void chardev_retire(struct chardev *chr)
{
	chardev_unwatch(chr);
	timer_disarm(chr->reopen);
	if (chr->listen_fd >= 0)
		loop_remove(chr->loop, chr->listen_fd);
	pthread_mutex_lock(&chr->lock);
	if (chr->is_socket)
		fd_close(chr->peer);
	chr->peer = chr->listen_fd = chr->log_fd = -1;
	chr->up = false;
	chr->len = chr->in_len = 0;
	pthread_mutex_unlock(&chr->lock);
	loop_defer(chr->loop, destroy_now, chr);
}
