/*
 * daemon/listen.h -- the sockets that clients connect to.
 */
#ifndef DAEMON_LISTEN_H
#define DAEMON_LISTEN_H

#include <stdbool.h>
#include <sys/types.h>

#include "daemon/server.h"

struct error;
struct options;

enum { LISTEN_MAX = 8 };

struct listeners {
	unsigned int n;
	gid_t group; /* may use the read-write socket; 0: root only */
	struct {
		int fd;
		enum server_socket kind;
		char *path; /* ours to remove; NULL: the service manager's */
	} s[LISTEN_MAX];
};

/*
 * From the service manager (LISTEN_FDS, told apart by their names "rw", "ro"
 * and "admin"), or made here: modes as libvirt's, 0770 for the group "libvirt"
 * or "vireo" (0700 when there is neither), 0777 read-only, 0700 admin.
 */
int listeners_open(const struct options *opt, struct listeners *ret_l,
		   struct error *err);
void listeners_remove(struct listeners *l); /* at a clean end */
void listeners_close(struct listeners *l);

#endif
