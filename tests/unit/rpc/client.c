/*
 * tests/unit/rpc/client.c -- a client by hand, and a server on a thread.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <systemd/sd-event.h>

#include "base/error.h"
#include "tests/unit/rpc/client.h"

enum { KINDS = SERVER_ADMIN + 1 };

struct harness {
	pthread_t thread;
	int stop;
	struct sockaddr_un address[KINDS];
	socklen_t address_len[KINDS];
	int listening[KINDS];
};

static int on_stop(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

static void *server_main(void *arg)
{
	struct harness *h = arg;
	struct error err = { 0 };
	struct server *server;
	sd_event *loop;

	assert(sd_event_new(&loop) >= 0);
	assert(sd_event_add_io(loop, NULL, h->stop, POLLIN, on_stop, NULL) >=
	       0);
	assert(server_create(loop, &server, &err) >= 0);
	for (int i = 0; i < KINDS; i++)
		assert(server_listen(server, h->listening[i], i, &err) >= 0);
	assert(sd_event_loop(loop) >= 0);
	server_destroy(server);
	sd_event_unref(loop);
	return NULL;
}

struct harness *harness_start(void)
{
	struct harness *h = xcalloc(1, sizeof(*h));

	h->stop = eventfd(0, EFD_CLOEXEC);
	assert(h->stop >= 0);
	for (int i = 0; i < KINDS; i++) {
		/* Autobind: the kernel finds an abstract name (unix(7)). */
		struct sockaddr_un any = { .sun_family = AF_UNIX };

		h->address_len[i] = sizeof(h->address[i]);
		h->listening[i] = socket(
			AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		assert(!bind(h->listening[i], (struct sockaddr *)&any,
			     sizeof(sa_family_t)));
		assert(!getsockname(h->listening[i],
				    (struct sockaddr *)&h->address[i],
				    &h->address_len[i]));
		assert(!listen(h->listening[i], 64));
	}
	assert(!pthread_create(&h->thread, NULL, server_main, h));
	return h;
}

void harness_stop(struct harness *h)
{
	assert(!eventfd_write(h->stop, 1));
	pthread_join(h->thread, NULL);
	fd_close(h->stop);
	free(h);
}

void client_connect(struct client *c, struct harness *h,
		    enum server_socket kind)
{
	*c = (struct client){ 0 };
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert(!connect(c->fd, (struct sockaddr *)&h->address[kind],
			h->address_len[kind]));
}

void client_open(struct client *c, struct harness *h, enum server_socket kind)
{
	char *uri = "vireo:///test";
	wire_optstr_flags args = { &uri, 0 };

	client_connect(c, h, kind);
	frame_free(client_reply(c,
				client_call(c, PROC_CONNECT_OPEN,
					    (xdrproc_t)xdr_wire_optstr_flags,
					    &args),
				FRAME_OK));
}

void client_close(struct client *c)
{
	close(c->fd);
	frame_reader_finish(&c->in);
}

static void client_write(struct client *c, const void *data, size_t len)
{
	while (len) {
		ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return; /* hung up: the next receive shows it */
		data = (const char *)data + MAX(n, 0);
		len -= MAX(n, 0);
	}
}

static void client_packet(struct client *c, struct packet *p)
{
	assert(p);
	client_write(c, p->data, p->len);
	packet_free(p);
}

void client_send(struct client *c, unsigned int prog, int proc, int type,
		 int status, unsigned int serial, const void *body, size_t len)
{
	wire_header h = { prog, 1, proc, type, serial, status };

	client_packet(c, packet_create_raw(&h, body, len));
}

unsigned int client_call(struct client *c, int proc, xdrproc_t args,
			 const void *body)
{
	wire_header h = { RPC_PROGRAM, 1,	    proc,
			  FRAME_CALL,  ++c->serial, FRAME_OK };

	client_packet(c, packet_create(&h, args, body));
	return h.serial;
}

struct frame *client_receive(struct client *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	struct frame *f;
	int n;

	while (!(n = frame_reader_next(&c->in, &f))) {
		assert(poll(&p, 1, -1) == 1);
		n = frame_reader_fill(&c->in, c->fd);
		if (n == 0 || n == -ECONNRESET)
			return NULL;
		assert(n > 0 || n == -EAGAIN);
	}
	assert(n == 1);
	return f;
}

struct frame *client_reply(struct client *c, unsigned int serial, int status)
{
	struct frame *f = client_receive(c);

	assert(f && f->header.type == FRAME_REPLY);
	assert(f->header.serial == serial && f->header.status == status);
	return f;
}

void client_error(struct client *c, unsigned int serial, int code)
{
	struct frame *f = client_reply(c, serial, FRAME_ERROR);
	wire_error e = { 0 };

	assert(body_decode(f->body, f->len, (xdrproc_t)xdr_wire_error, &e));
	assert(e.code == code && e.message && **e.message);
	body_free((xdrproc_t)xdr_wire_error, &e);
	frame_free(f);
}

void client_expect_hangup(struct client *c)
{
	struct frame *f;

	while ((f = client_receive(c)))
		frame_free(f);
}
