/*
 * daemon/remote.c -- clients by TCP and TLS.
 *
 * A TLS client gets a thread that shakes hands and then carries its bytes
 * (daemon/carrier.h), so that neither its cryptography nor its silence is the
 * event loop's.  Those who have not said who they are count as anonymous, of
 * whom there are few; handshakes do.  When one more comes than there may be,
 * the one that has been at it for longest makes room.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define LOG_MODULE "rpc"
#include "base/log.h"
#include "daemon/carrier_tls.h"
#include "daemon/server_priv.h"
#include "daemon/session.h"

/* Nobody of this host's. */
static const struct peer remote_peer = { .uid = (uid_t)-1, .gid = (gid_t)-1 };

struct handshake {
	struct work work;
	struct handshake *next; /* a younger one */
	struct server *server;
	struct tls_keys *keys;
	const char *names;
	struct peer peer;
	int fd, stop, result;
	bool dropped;
	struct error err;
};

/* Some may be ending still; sessions have had time to begin. */
enum { HANDSHAKES_PER_PLACE = 4, SESSION_GRACE_SECONDS = 10 };

static void *handshake_main(void *arg)
{
	struct handshake *h = arg;

	h->result = carrier_tls_accept(h->keys, h->names, h->stop, &h->fd,
				       &h->err);
	tls_keys_unref(h->keys);
	workers_post(h->server->workers, &h->work);
	return NULL;
}

static void handshake_unlink(struct server *server, struct handshake *h)
{
	struct handshake **p = &server->handshakes;

	while (*p != h)
		p = &(*p)->next;
	*p = h->next;
	server->n_handshakes--;
	if (!h->dropped)
		server->n_anonymous--;
}

static void handshake_stop(struct handshake *h)
{
	(void)eventfd_write(h->stop, 1);
}

static void handshake_done(struct work *work)
{
	struct handshake *h = container_of(work, struct handshake, work);
	struct server *server = h->server;

	handshake_unlink(server, h);
	if (h->result >= 0 && h->dropped)
		h->result = error_set(&h->err, -EBUSY, "it was too late");
	if (h->result >= 0 && !server->stopping) {
		fcntl(h->fd, F_SETFL, fcntl(h->fd, F_GETFL) | O_NONBLOCK);
		h->result = session_create(server, steal_fd(&h->fd),
					   SERVER_TLS, &h->peer, &h->err);
		h->peer.from = NULL; /* the session's */
	}
	if (h->result < 0)
		log_warn("a TLS client was not admitted: %s", h->err.message);
	peer_finish(&h->peer);
	fd_close(h->fd);
	fd_close(h->stop);
	free(h);
}

static void handshake_link(struct server *server, struct handshake *h)
{
	struct handshake **p = &server->handshakes;

	while (*p)
		p = &(*p)->next;
	*p = h;
	server->n_handshakes++;
	server->n_anonymous++;
}

static int handshake_start(struct server *server, int fd, struct peer *peer,
			   struct error *err)
{
	struct handshake *h = xcalloc(1, sizeof(*h));
	pthread_t thread;
	int r;

	h->work.done = handshake_done;
	h->server = server;
	h->keys = tls_keys_ref(server->tls);
	h->names = server->tls_names;
	h->fd = fd;
	h->peer = *peer;
	h->stop = eventfd(0, EFD_CLOEXEC);
	r = h->stop < 0 ? -errno :
			  -pthread_create(&thread, NULL, handshake_main, h);
	if (r < 0) {
		tls_keys_unref(h->keys);
		peer_finish(peer);
		fd_close(fd);
		fd_close(h->stop);
		free(h);
		return error_set(err, r, "cannot start a thread: %m");
	}
	pthread_detach(thread);
	handshake_link(server, h);
	return 0;
}

/* ---- room for one more ---- */

static bool drop_handshake(struct server *server)
{
	for (struct handshake *h = server->handshakes; h; h = h->next) {
		if (h->dropped)
			continue;
		h->dropped = true;
		server->n_anonymous--;
		handshake_stop(h);
		return true;
	}
	return false;
}

/* Those of this host are known by their uid, and stay. */
static bool drop_session(struct server *server)
{
	time_t now = time(NULL);
	struct session *oldest = NULL;

	for (struct session *s = server->sessions; s; s = s->next)
		if ((s->kind == SERVER_TCP || s->kind == SERVER_TLS) &&
		    !s->authenticated &&
		    now - s->since >= SESSION_GRACE_SECONDS)
			oldest = s; /* younger ones are before it */
	if (oldest)
		session_close(oldest, "makes room: it did not say who it is");
	return oldest;
}

bool remote_make_room(struct server *server)
{
	unsigned int places = server->limits[SERVICE_MAIN].anonymous;

	if (server->n_handshakes >= HANDSHAKES_PER_PLACE * places)
		return false;
	return !server_has_too_many_anonymous(server) ||
	       drop_handshake(server) || drop_session(server);
}

/* "192.0.2.1:40000", as libvirt writes it. */
static char *address_of(int fd)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	char host[64], port[16];

	if (getpeername(fd, (struct sockaddr *)&addr, &len) < 0 ||
	    getnameinfo((struct sockaddr *)&addr, len, host, sizeof(host), port,
			sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return NULL;
	return xasprintf("%s:%s", host, port);
}

int remote_admit(struct server *server, int fd, enum server_socket kind,
		 struct error *err)
{
	struct peer peer = remote_peer;
	const int on = 1;

	if (!remote_make_room(server)) {
		fd_close(fd);
		return error_set(err, -EBUSY,
				 "too many clients have not said who they are: one more is not heard");
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	peer.from = address_of(fd);
	if (kind == SERVER_TLS)
		return handshake_start(server, fd, &peer, err);
	return session_create(server, fd, kind, &peer, err);
}

void remote_stop(struct server *server)
{
	for (struct handshake *h = server->handshakes; h; h = h->next)
		handshake_stop(h);
	while (server->n_handshakes) {
		workers_finish(server->workers);
		usleep(1000);
	}
}
