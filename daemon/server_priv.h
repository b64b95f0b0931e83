/*
 * daemon/server_priv.h -- the server as its own files see it.
 */
#ifndef DAEMON_SERVER_PRIV_H
#define DAEMON_SERVER_PRIV_H

#include <systemd/sd-event.h>

#include "daemon/access.h"
#include "daemon/server.h"

enum {
	SERVER_SESSIONS_MAX = 4096,
	SERVER_SESSIONS_PER_USER_MAX = 256, /* root apart */
	SERVER_ANONYMOUS_MAX = 20, /* who have not said who they are */
	SERVER_ADMINS_MAX = 20,
	SERVER_REFUSED_MAX = 32,   /* who are told that they are too many */
};

/* As the administrator sees it, there are two servers. */
enum { SERVICE_MAIN, SERVICE_ADMIN, SERVICES };

struct client_limits {
	unsigned int clients, anonymous;
};

struct handshake;
struct session;
struct listener;
struct registry;
struct watched;

struct server {
	sd_event *loop;
	struct workers *workers;
	struct hostinfo *host;
	struct access_groups groups;
	int auth[SERVER_SOCKETS]; /* enum auth_method */
	const struct access_driver *access; /* NULL: all may do all */
	struct polkit *polkit;
	const char *tls_names, *sasl_users;
	struct tls_keys *tls; /* NULL: no TLS */
	unsigned int n_anonymous; /* sessions and handshakes */
	unsigned int n_handshakes;
	struct handshake *handshakes; /* the oldest first */
	struct listener *listeners;
	struct session *sessions;
	unsigned int n_sessions;
	uint64_t last_id;
	struct client_limits limits[SERVICES];
	int (*load_tls)(void *arg, struct tls_keys **ret_keys,
			struct error *err); /* NULL: no TLS */
	void *load_tls_arg;
	int (*open_log)(const char *path, bool append, struct error *err,
			int *ret_fd);
	sd_event_source *timeout; /* NULL: it stays */
	unsigned int timeout_s;
	time_t idle_since;
	struct watched *watched; /* registries whose notices we get */
	bool stopping;
};

/* remote.c: a client came by TCP or TLS; takes over fd. */
int remote_admit(struct server *server, int fd, enum server_socket kind,
		 struct error *err);
/* Another may come who has yet to say who it is; somebody remote who has taken
 * long enough may have gone for it. */
bool remote_make_room(struct server *server);
/* Ends all handshakes. */
void remote_stop(struct server *server);

/* Another client of this kind would be one too many. */
bool server_is_full(const struct server *server, enum server_socket kind);
/* Idle for so many seconds, with no guest running, the daemon ends; 0: never. */
int server_set_timeout(struct server *server, unsigned int seconds,
		       struct error *err);
/* Those who would have to say who they are are too many. */
bool server_has_too_many_anonymous(const struct server *server);
/* A session has been freed: there may be room for another. */
void server_session_gone(struct server *server);
/* The threads, for who else has use for them. */
int server_need_workers(struct server *server, struct error *err);
/* Hears from this registry from now on. */
void server_watch_registry(struct server *server, struct registry *reg);

#endif
