/*
 * daemon/listen.h -- the sockets that clients connect to.
 */
#ifndef DAEMON_LISTEN_H
#define DAEMON_LISTEN_H

#include <stdbool.h>
#include <sys/types.h>

#include "daemon/server.h"

struct access_config;
struct error;
struct options;

enum { LISTEN_MAX = 16, LISTEN_METRICS = SERVER_SOCKETS };

struct listeners {
	unsigned int n;
	struct {
		int fd;
		int kind; /* enum server_socket or LISTEN_METRICS */
		char *path; /* ours to remove; NULL: the service manager's */
	} s[LISTEN_MAX];
};

/*
 * From the service manager (LISTEN_FDS, told apart by their names "rw", "ro"
 * and "admin"), or made here with the group and modes that were configured.
 */
int listeners_open(const struct options *opt,
		   const struct access_config *access,
		   struct listeners *ret_l, struct error *err);
void listeners_remove(struct listeners *l); /* at a clean end */
void listeners_close(struct listeners *l);

#endif
