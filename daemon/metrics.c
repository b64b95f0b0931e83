/*
 * daemon/metrics.c -- the endpoint that collectors of metrics read: HTTP/1.1
 * (RFC 9112) with one answer a connection.
 *
 * Everything is on the event loop but the making of the text, which asks every
 * guest's VMM.  Bounds: so many connections at once, behind which others wait
 * in the socket's queue; so many bytes of a request; so much time.
 */
#include "daemon/metrics.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <systemd/sd-event.h>

#define LOG_MODULE "metrics"
#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "base/util.h"
#include "daemon/server_priv.h"
#include "daemon/workers.h"

enum {
	METRICS_CLIENTS_MAX = 8,
	METRICS_REQUEST_MAX = 8192,
	METRICS_SECONDS = 30, /* for all of one client */
};

struct metrics_client {
	struct work work;
	struct metrics *m;
	struct metrics_client *next;
	int fd; /* -1: gone, but its text is being made */
	sd_event_source *io, *deadline;
	char request[METRICS_REQUEST_MAX];
	size_t n_request;
	bool working, head; /* head: without the text */
	unsigned int n_sessions;
	char *text;
	size_t text_len;
	struct buf out;
	size_t sent;
};

struct metrics {
	struct metrics *next;
	struct server *server;
	struct registry *reg;
	int fd;
	sd_event_source *accept;
	struct metrics_client *clients;
	unsigned int n_clients;
};

/* ---- the end of a client ---- */

static void update_accept(struct metrics *m)
{
	if (m->accept)
		(void)sd_event_source_set_enabled(
			m->accept, m->n_clients < METRICS_CLIENTS_MAX ?
					   SD_EVENT_ON :
					   SD_EVENT_OFF);
}

static void client_free(struct metrics_client *c)
{
	struct metrics_client **at = &c->m->clients;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->m->n_clients--;
	update_accept(c->m);
	free(c->text);
	buf_free(&c->out);
	free(c);
}

static void client_close(struct metrics_client *c)
{
	c->io = sd_event_source_disable_unref(c->io);
	c->deadline = sd_event_source_disable_unref(c->deadline);
	c->fd = fd_close(c->fd);
	if (!c->working)
		client_free(c);
}

/* ---- the answer ---- */

static void client_send(struct metrics_client *c)
{
	ssize_t n;

	while (c->sent < c->out.len) {
		n = send(c->fd, c->out.data + c->sent, c->out.len - c->sent,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			client_close(c);
			return;
		}
		c->sent += n;
	}
	/* What it may still send must not turn our close into a reset. */
	(void)shutdown(c->fd, SHUT_WR);
	(void)sd_event_source_set_io_events(c->io, EPOLLIN);
}

static void answer(struct metrics_client *c, const char *status,
		   const char *more, const char *type, const char *text,
		   size_t len)
{
	buf_printf(&c->out,
		   "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
		   "Connection: close\r\n%s\r\n",
		   status, type, len, more);
	if (!c->head)
		buf_add(&c->out, text, len);
	(void)sd_event_source_set_io_events(c->io, EPOLLOUT);
	client_send(c);
}

static void refuse(struct metrics_client *c, const char *status,
		   const char *more)
{
	_cleanup_free_ char *text = xasprintf("%s\n", status);

	answer(c, status, more, "text/plain; charset=utf-8", text,
	       strlen(text));
}

static void make_text(struct work *work)
{
	struct metrics_client *c =
		container_of(work, struct metrics_client, work);

	c->text = metrics_text(c->m->reg, c->n_sessions, &c->text_len);
}

static void text_made(struct work *work)
{
	struct metrics_client *c =
		container_of(work, struct metrics_client, work);

	c->working = false;
	if (c->fd < 0)
		client_free(c);
	else
		answer(c, "200 OK", "",
		       "application/openmetrics-text; version=1.0.0; charset=utf-8",
		       c->text, c->text_len);
}

/* ---- the request ---- */

static void serve_text(struct metrics_client *c)
{
	c->working = true;
	c->n_sessions = c->m->server->n_sessions;
	c->work.run = make_text;
	c->work.done = text_made;
	(void)sd_event_source_set_io_events(c->io, 0);
	workers_submit(c->m->server->workers, &c->work, false);
}

/* "GET /metrics HTTP/1.1", its line's end cut off. */
static void take_request(struct metrics_client *c, char *line)
{
	char *rest = line;
	const char *method = strsep(&rest, " ");
	char *target = strsep(&rest, " ");

	if (!target || !rest || !str_startswith(rest, "HTTP/1.") ||
	    strlen(rest) != strlen("HTTP/1.1")) {
		refuse(c, "400 Bad Request", "");
		return;
	}
	target[strcspn(target, "?")] = '\0';
	c->head = str_eq(method, "HEAD");
	if (!c->head && !str_eq(method, "GET"))
		refuse(c, "405 Method Not Allowed", "Allow: GET, HEAD\r\n");
	else if (str_eq(target, "/metrics"))
		serve_text(c);
	else
		refuse(c, "404 Not Found", "");
}

static bool request_is_whole(const struct metrics_client *c)
{
	return memmem(c->request, c->n_request, "\r\n\r\n", 4) ||
	       memmem(c->request, c->n_request, "\n\n", 2);
}

static void client_read(struct metrics_client *c)
{
	size_t room = sizeof(c->request) - 1 - c->n_request;
	ssize_t n = recv(c->fd, c->request + c->n_request, room, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		client_close(c);
		return;
	}
	c->n_request += n;
	c->request[c->n_request] = '\0';
	if (request_is_whole(c)) {
		c->request[strcspn(c->request, "\r\n")] = '\0';
		take_request(c, c->request);
	} else if (c->n_request == sizeof(c->request) - 1) {
		refuse(c, "431 Request Header Fields Too Large", "");
	}
}

/* It was answered: whatever comes now is its end, or not looked at. */
static void client_drain(struct metrics_client *c)
{
	char ignored[512];
	ssize_t n = recv(c->fd, ignored, sizeof(ignored), MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN))
		client_close(c);
}

static int on_client(sd_event_source *source, int fd, uint32_t events,
		     void *arg)
{
	struct metrics_client *c = arg;

	if (events & EPOLLOUT)
		client_send(c);
	else if (!(events & EPOLLIN))
		client_close(c);
	else if (c->out.len)
		client_drain(c);
	else
		client_read(c);
	return 0;
}

static int on_late(sd_event_source *source, uint64_t usec, void *arg)
{
	client_close(arg);
	return 0;
}

/* ---- connections ---- */

static void client_create(struct metrics *m, int fd)
{
	struct metrics_client *c = xcalloc(1, sizeof(*c));

	c->m = m;
	c->fd = fd;
	c->next = m->clients;
	m->clients = c;
	m->n_clients++;
	update_accept(m);
	if (sd_event_add_io(m->server->loop, &c->io, fd, EPOLLIN, on_client,
			    c) < 0 ||
	    sd_event_add_time_relative(m->server->loop, &c->deadline,
				       CLOCK_MONOTONIC,
				       METRICS_SECONDS * 1000000ull, 0,
				       on_late, c) < 0)
		client_close(c);
}

static int on_connect(sd_event_source *source, int fd, uint32_t events,
		      void *arg)
{
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (client >= 0)
		client_create(arg, client);
	return 0;
}

int metrics_add(struct metrics **list, struct server *server,
		struct registry *reg, int fd, struct error *err)
{
	struct metrics *m = xcalloc(1, sizeof(*m));
	int r = server_need_workers(server, err);

	m->server = server;
	m->reg = reg;
	m->fd = fd;
	if (r >= 0) {
		r = sd_event_add_io(server->loop, &m->accept, fd, EPOLLIN,
				    on_connect, m);
		if (r < 0)
			error_set(err, r, "cannot watch a socket: %m");
	}
	if (r < 0) {
		metrics_destroy(m);
		return r;
	}
	m->next = *list;
	*list = m;
	return 0;
}

static void close_clients(struct metrics *m)
{
	struct metrics_client *c, *next;

	for (c = m->clients; c; c = next) {
		next = c->next;
		client_close(c);
	}
}

void metrics_destroy(struct metrics *list)
{
	struct metrics *m, *next;

	for (m = list; m; m = next) {
		next = m->next;
		m->accept = sd_event_source_disable_unref(m->accept);
		close_clients(m);
		fd_close(m->fd);
		free(m);
	}
}
