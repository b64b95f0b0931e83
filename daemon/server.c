/*
 * daemon/server.c -- the RPC server: sockets and the sessions they bring.
 *
 * Threads: the event loop's owns every struct here and in session.h.  Workers
 * run calls and come back through workers.h, and so do the registry's notices,
 * which arrive on any thread; so replies and events leave in the order in
 * which they happened.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include <libvirt/libvirt.h>

#define LOG_MODULE "rpc"
#include "base/log.h"
#include "daemon/acl.h"
#include "daemon/carrier_tls.h"
#include "daemon/domain.h"
#include "daemon/networks.h"
#include "daemon/hostinfo.h"
#include "daemon/polkit.h"
#include "daemon/server_priv.h"
#include "daemon/session.h"

struct listener {
	struct listener *next;
	struct server *server;
	enum server_socket kind;
	int fd;
	sd_event_source *source;
};

/* ---- accepting ---- */

static void server_set_accepting(struct server *server, bool on)
{
	for (struct listener *l = server->listeners; l; l = l->next)
		(void)sd_event_source_set_enabled(l->source, on ? SD_EVENT_ON
								: SD_EVENT_OFF);
}

static bool user_has_too_many(const struct server *server,
			      const struct peer *peer)
{
	unsigned int n = 0;

	if (!peer->uid)
		return false;
	for (struct session *s = server->sessions; s; s = s->next)
		n += s->peer.uid == peer->uid;
	return n >= SERVER_SESSIONS_PER_USER_MAX;
}

bool server_has_too_many_anonymous(const struct server *server)
{
	return server->n_anonymous >= server->limits[SERVICE_MAIN].anonymous;
}

static bool of_service(const struct session *s, bool admin)
{
	return (s->kind == SERVER_ADMIN) == admin;
}

bool server_is_full(const struct server *server, enum server_socket kind)
{
	bool admin = kind == SERVER_ADMIN;
	unsigned int n = 0;

	for (struct session *s = server->sessions; s; s = s->next)
		n += of_service(s, admin) && !s->refused;
	return n >= server->limits[admin ? SERVICE_ADMIN : SERVICE_MAIN].clients;
}

/* They are told so by an error, unless even they are too many. */
static bool too_many_refused(const struct server *server)
{
	unsigned int n = 0;

	for (struct session *s = server->sessions; s; s = s->next)
		n += s->refused;
	return n >= SERVER_REFUSED_MAX;
}

static bool peer_may(const struct listener *l, const struct peer *peer)
{
	struct server *s = l->server;

	return !too_many_refused(s) &&
	       access_connect(peer, l->kind, s->auth[l->kind], &s->groups) &&
	       !user_has_too_many(s, peer) &&
	       (!peer->uid || !s->auth[l->kind] || remote_make_room(s));
}

static int server_admit(struct listener *l, int fd, struct error *err)
{
	struct peer peer;
	int r;

	if (l->kind == SERVER_TCP || l->kind == SERVER_TLS)
		return remote_admit(l->server, fd, l->kind, err);
	r = peer_read(fd, &peer, err);
	if (r < 0) {
		fd_close(fd);
		return r;
	}
	if (!peer_may(l, &peer)) {
		error_set(err, -EACCES, "uid %u may not connect%s",
			  (unsigned int)peer.uid,
			  user_has_too_many(l->server, &peer) ? " so often"
							      : "");
		peer_finish(&peer);
		fd_close(fd);
		return -EACCES;
	}
	return session_create(l->server, fd, l->kind, &peer, err);
}

static int on_accept(sd_event_source *source, int fd, uint32_t events,
		     void *arg)
{
	struct listener *l = arg;
	struct error err = { 0 };
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (client < 0) {
		/* Out of descriptors: wait until a session ends. */
		if (errno == EMFILE || errno == ENFILE)
			server_set_accepting(l->server, false);
		return 0;
	}
	if (server_admit(l, client, &err) < 0)
		log_warn("%s", err.message);
	return 0;
}

void server_session_gone(struct server *server)
{
	if (server->stopping)
		return;
	server_set_accepting(server, true);
	if (!server->n_sessions)
		server->idle_since = time(NULL);
}

/* Not earlier than somebody listens: a thread would keep the rights that the
 * process gives up between server_create() and that. */
int server_need_workers(struct server *server, struct error *err)
{
	return server->workers ? 0 :
				 workers_create(server->loop,
						&server->workers, err);
}

int server_listen(struct server *server, int fd, enum server_socket kind,
		  struct error *err)
{
	struct listener *l;
	int r = server_need_workers(server, err);

	if (r < 0) {
		fd_close(fd);
		return r;
	}
	l = xcalloc(1, sizeof(*l));
	l->server = server;
	l->kind = kind;
	l->fd = fd;
	r = sd_event_add_io(server->loop, &l->source, fd, EPOLLIN, on_accept,
			    l);
	if (r < 0) {
		fd_close(fd);
		free(l);
		return error_set(err, r, "cannot watch a socket: %m");
	}
	l->next = server->listeners;
	server->listeners = l;
	return 0;
}

int server_allow_group(struct server *server, unsigned int gid,
		       struct error *err)
{
	struct access_groups *g = &server->groups;

	if (g->n == ARRAY_SIZE(g->gids))
		return error_set(err, -ENOSPC, "too many groups");
	g->gids[g->n++] = gid;
	return 0;
}

void server_set_access(struct server *server,
		       const struct server_access *access)
{
	memcpy(server->auth, access->auth, sizeof(server->auth));
	server->access = access->driver;
	server->polkit = access->polkit;
	server->tls_names = access->tls_names;
	server->sasl_users = access->sasl_users;
	server->load_tls = access->load_tls;
	server->load_tls_arg = access->load_tls_arg;
	server->open_log = access->open_log;
	if (access->max_clients)
		server->limits[SERVICE_MAIN].clients = access->max_clients;
	if (access->max_anonymous)
		server->limits[SERVICE_MAIN].anonymous = access->max_anonymous;
}

/* ---- the end of an idle daemon ---- */

static bool guests_run(void)
{
	static const char *const paths[] = { "/system", "/session" };
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct registry *reg = registry_find(paths[i]);
		struct domain_ref *refs = NULL;
		struct error err;

		if (reg && domain_list(reg, VIR_CONNECT_LIST_DOMAINS_ACTIVE,
				       &refs, &err) != 0)
			any = true;
		free(refs);
	}
	return any;
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *arg)
{
	struct server *server = arg;
	uint64_t wait = server->timeout_s;
	time_t now = time(NULL);

	if (!server->n_sessions && !guests_run() &&
	    now - server->idle_since >= (time_t)wait) {
		log_info("ending: nobody has used it for %u s",
			 server->timeout_s);
		return sd_event_exit(server->loop, 0);
	}
	(void)sd_event_source_set_time_relative(source, wait * 1000000);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int server_set_timeout(struct server *server, unsigned int seconds,
		       struct error *err)
{
	int r = 0;

	server->timeout = sd_event_source_disable_unref(server->timeout);
	server->timeout_s = seconds;
	if (seconds)
		r = sd_event_add_time_relative(
			server->loop, &server->timeout, CLOCK_MONOTONIC,
			seconds * 1000000ull, 0, on_timeout, server);
	return r < 0 ? error_set(err, r, "cannot have a timer: %m") : 0;
}

void server_set_tls(struct server *server, struct tls_keys *keys)
{
	tls_keys_unref(server->tls);
	server->tls = keys;
}

/* ---- notices ---- */

struct watched {
	struct watched *next;
	struct server *server;
	struct registry *reg;
};

struct notice_work {
	struct work work;
	const struct watched *from;
	struct domain_notice notice;
	char *uri, *viewer;
};

static void notice_done(struct work *work)
{
	struct notice_work *w = container_of(work, struct notice_work, work);
	struct session *s, *next;

	for (s = w->from->server->sessions; s; s = next) {
		next = s->next;
		if (s->reg == w->from->reg)
			acl_tell(s, &w->notice);
	}
	free(w->uri);
	free(w->viewer);
	free(w);
}

/* On any thread. */
static void on_notice(void *arg, const struct domain_notice *n)
{
	const struct watched *from = arg;
	struct notice_work *w = xcalloc(1, sizeof(*w));

	w->work.done = notice_done;
	w->from = from;
	w->notice = *n;
	w->notice.uri = w->uri = xstrdup(n->uri);
	w->notice.viewer = w->viewer = xstrdup(n->viewer);
	workers_post(from->server->workers, &w->work);
}

struct network_work {
	struct work work;
	const struct watched *from;
	struct network_notice notice;
};

static void network_notice_done(struct work *work)
{
	struct network_work *w = container_of(work, struct network_work, work);
	struct session *s, *next;

	for (s = w->from->server->sessions; s; s = next) {
		next = s->next;
		if (s->reg == w->from->reg)
			acl_tell_network(s, &w->notice);
	}
	free(w);
}

/* On any thread. */
static void on_network(void *arg, const struct network_notice *n)
{
	const struct watched *from = arg;
	struct network_work *w = xcalloc(1, sizeof(*w));

	w->work.done = network_notice_done;
	w->from = from;
	w->notice = *n;
	workers_post(from->server->workers, &w->work);
}

void server_watch_registry(struct server *server, struct registry *reg)
{
	struct watched *w;

	for (w = server->watched; w; w = w->next)
		if (w->reg == reg)
			return;
	w = xcalloc(1, sizeof(*w));
	w->server = server;
	w->reg = reg;
	w->next = server->watched;
	server->watched = w;
	registry_subscribe(reg, on_notice, w);
	if (registry_networks(reg))
		networks_subscribe(registry_networks(reg), on_network, w);
}

static void server_unwatch_all(struct server *server)
{
	for (struct watched *w = server->watched; w; w = w->next) {
		registry_subscribe(w->reg, NULL, NULL);
		if (registry_networks(w->reg))
			networks_subscribe(registry_networks(w->reg), NULL,
					   NULL);
	}
}

static void server_free_watched(struct server *server)
{
	struct watched *w, *next;

	for (w = server->watched; w; w = next) {
		next = w->next;
		free(w);
	}
}

/* ---- life and death ---- */

int server_create(struct sd_event *loop, struct server **ret_server,
		  struct error *err)
{
	struct server *server = xcalloc(1, sizeof(*server));
	int r;

	/* A stream's far side may be a socket that closes as we write. */
	(void)signal(SIGPIPE, SIG_IGN);
	server->loop = sd_event_ref(loop);
	server->idle_since = time(NULL);
	server->limits[SERVICE_MAIN] = (struct client_limits){
		SERVER_SESSIONS_MAX, SERVER_ANONYMOUS_MAX };
	server->limits[SERVICE_ADMIN] = (struct client_limits){
		SERVER_ADMINS_MAX, SERVER_ADMINS_MAX };
	r = hostinfo_gather(&server->host, err);
	if (r < 0) {
		server_destroy(server);
		return r;
	}
	*ret_server = server;
	return 0;
}

static void server_close_listeners(struct server *server)
{
	struct listener *l, *next;

	for (l = server->listeners; l; l = next) {
		next = l->next;
		sd_event_source_disable_unref(l->source);
		fd_close(l->fd);
		free(l);
	}
	server->listeners = NULL;
}

void server_destroy(struct server *server)
{
	if (!server)
		return;
	server->stopping = true;
	server_close_listeners(server);
	remote_stop(server);
	if (server->workers) {
		workers_drain(server->workers);
		while (server->sessions)
			session_close(server->sessions, "the daemon stops");
		workers_drain(server->workers);
		server_unwatch_all(server);
		workers_destroy(server->workers);
	}
	server_free_watched(server);
	hostinfo_free(server->host);
	polkit_destroy(server->polkit);
	tls_keys_unref(server->tls);
	sd_event_source_disable_unref(server->timeout);
	sd_event_unref(server->loop);
	free(server);
}
