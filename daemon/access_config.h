/*
 * daemon/access_config.h -- what the command line says about who may do what.
 */
#ifndef DAEMON_ACCESS_CONFIG_H
#define DAEMON_ACCESS_CONFIG_H

#include <stdbool.h>
#include <sys/types.h>

#include "daemon/server.h"

struct error;
struct options;

struct access_config {
	struct server_access server;
	mode_t modes[SERVER_SOCKETS]; /* of the Unix sockets */
	gid_t group; /* may use the read-write one; 0: root only */
	bool polkit, sasl; /* somebody has to be asked */
};

int access_config_read(const struct options *opt, struct access_config *ret,
		       struct error *err);

#endif
