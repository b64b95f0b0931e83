/*
 * daemon/server.h -- the RPC server: sockets, sessions, dispatch, workers.
 */
#ifndef DAEMON_SERVER_H
#define DAEMON_SERVER_H

#include <stdbool.h>

struct server;
struct sd_event;
struct error;

enum server_socket {
	SERVER_RW,
	SERVER_RO,
	SERVER_ADMIN,
	SERVER_TCP,
	SERVER_TLS,
	SERVER_SOCKETS,
};

struct access_driver;
struct polkit;
struct tls_keys;

/* Who may do what; without it sockets' modes and groups say all. */
struct server_access {
	int auth[SERVER_SOCKETS]; /* enum auth_method */
	const struct access_driver *driver; /* NULL: all may do all */
	struct polkit *polkit; /* taken over; NULL: there is none */
	const char *tls_names;  /* whose certificates are taken; NULL: all */
	const char *sasl_users; /* who may, patterns; NULL: all */
	/* Reads the TLS listener's files again; NULL: there is none. */
	int (*load_tls)(void *arg, struct tls_keys **ret_keys,
			struct error *err);
	void *load_tls_arg;
	int (*open_log)(const char *path, bool append, struct error *err,
			int *ret_fd); /* as root */
	unsigned int max_clients, max_anonymous; /* 0: as built */
};

/*
 * Reads what is needed of the host (/proc, /sys): before the process gives up
 * opening files.  SIGPIPE is ignored from then on.
 */
int server_create(struct sd_event *loop, struct server **ret_server,
		  struct error *err);
void server_set_access(struct server *server,
		       const struct server_access *access);
/* Members of this group may use the read-write socket, beside root. */
int server_allow_group(struct server *server, unsigned int gid,
		       struct error *err);
/* fd: listening, non-blocking; the server takes it over. */
int server_listen(struct server *server, int fd, enum server_socket kind,
		  struct error *err);
/* What TLS clients are shown from now on; taken over. */
void server_set_tls(struct server *server, struct tls_keys *keys);
/* Stops accepting, lets running calls end, closes all sessions. */
void server_destroy(struct server *server);

#endif
