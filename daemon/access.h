/*
 * daemon/access.h -- who may connect, and what for: the one place.
 */
#ifndef DAEMON_ACCESS_H
#define DAEMON_ACCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "daemon/server.h"

struct error;
struct procedure;

/* The process at the other end of a socket when it connected. */
struct peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
	unsigned int n_groups;
	gid_t *groups; /* its supplementary groups */
	char *from;    /* of a remote one: address and port; NULL */
};

int peer_read(int fd, struct peer *ret_peer, struct error *err);
void peer_finish(struct peer *peer);

/* How clients of a socket say who they are; the protocol's numbers. */
enum auth_method { AUTH_NONE, AUTH_SASL, AUTH_POLKIT };

/* "none", "sasl" or "polkit". */
int auth_method_parse(const char *text, enum auth_method *ret,
		      struct error *err);

/* Groups whose members may use the read-write socket. */
struct access_groups {
	unsigned int n;
	gid_t gids[8];
};

/* auth: what is asked of those who are neither root nor of a group. */
bool access_connect(const struct peer *peer, enum server_socket kind,
		    enum auth_method auth, const struct access_groups *groups);
int access_call(const struct peer *peer, bool readonly,
		const struct procedure *proc, struct error *err);

#endif
