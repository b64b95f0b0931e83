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
};

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
	struct listener *listeners;
	struct session *sessions;
	unsigned int n_sessions;
	struct watched *watched; /* registries whose notices we get */
	bool stopping;
};

/* A session has been freed: there may be room for another. */
void server_session_gone(struct server *server);
/* Hears from this registry from now on. */
void server_watch_registry(struct server *server, struct registry *reg);

#endif
