/*
 * vmm/nbd/server.c -- clients come and go, each with a thread.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/job.h"
#include "vmm/nbd/nbd.h"

/* #syscalls:vmm accept4 shutdown poll eventfd2 */

enum { CLIENTS_MAX = 16, PAUSE_US = 10000 };

struct client {
	struct nbd_server *server;
	pthread_t thread;
	int fd; /* -1: nobody */
	bool gone; /* its thread has ended, or nearly */
};

struct nbd_server {
	int fd, stop; /* stop: readable at the end */
	struct nbd_exports exports;
	pthread_t thread;
	pthread_mutex_t lock; /* clients */
	struct client clients[CLIENTS_MAX];
};

static void *serve(void *arg)
{
	struct client *c = arg;

	nbd_talk(c->fd, &c->server->exports);
	shutdown(c->fd, SHUT_RDWR);
	pthread_mutex_lock(&c->server->lock);
	c->gone = true;
	pthread_mutex_unlock(&c->server->lock);
	return NULL;
}

/* The server's thread, or who ends it. */
static void bury(struct client *c)
{
	pthread_join(c->thread, NULL);
	c->fd = fd_close(c->fd);
}

static bool is_gone(struct client *c)
{
	bool gone;

	pthread_mutex_lock(&c->server->lock);
	gone = c->gone;
	pthread_mutex_unlock(&c->server->lock);
	return gone;
}

static struct client *find_place(struct nbd_server *s)
{
	for (unsigned int i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &s->clients[i];

		if (c->fd >= 0 && is_gone(c))
			bury(c);
		if (c->fd < 0)
			return c;
	}
	return NULL;
}

static void welcome(struct nbd_server *s)
{
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
	struct client *c = fd < 0 ? NULL : find_place(s);

	if (!c) { /* a moment: there may be no descriptors */
		fd_close(fd);
		usleep(PAUSE_US);
		return;
	}
	c->fd = fd;
	c->gone = false;
	if (job_thread(&c->thread, serve, c) < 0)
		c->fd = fd_close(fd);
}

static void *listen_for(void *arg)
{
	struct nbd_server *s = arg;
	struct pollfd p[] = { { s->fd, POLLIN, 0 }, { s->stop, POLLIN, 0 } };

	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return NULL;
		if (p[1].revents)
			return NULL;
		if (p[0].revents)
			welcome(s);
	}
}

int nbd_server_create(int fd, const struct nbd_exports *exports,
		      struct nbd_server **ret_server, struct error *err)
{
	struct nbd_server *s = xcalloc(1, sizeof(*s));
	int r;

	s->exports = *exports;
	s->stop = eventfd(0, EFD_CLOEXEC);
	r = s->stop < 0 ? -errno : 0;
	pthread_mutex_init(&s->lock, NULL);
	for (unsigned int i = 0; i < CLIENTS_MAX; i++)
		s->clients[i] = (struct client){ .server = s, .fd = -1 };
	s->fd = fd;
	if (r == 0)
		r = job_thread(&s->thread, listen_for, s);
	if (r < 0) {
		fd_close(s->stop);
		pthread_mutex_destroy(&s->lock);
		free(s);
		return error_set(err, r, "cannot serve NBD clients: %m");
	}
	*ret_server = s;
	return 0;
}

void nbd_server_destroy(struct nbd_server *s)
{
	if (!s)
		return;
	if (eventfd_write(s->stop, 1) == 0)
		pthread_join(s->thread, NULL);
	for (unsigned int i = 0; i < CLIENTS_MAX; i++) {
		if (s->clients[i].fd < 0)
			continue;
		shutdown(s->clients[i].fd, SHUT_RDWR);
		bury(&s->clients[i]);
	}
	fd_close(s->fd);
	fd_close(s->stop);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
