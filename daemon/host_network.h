/*
 * daemon/host_network.h -- what priv does for networks.
 */
#ifndef DAEMON_HOST_NETWORK_H
#define DAEMON_HOST_NETWORK_H

#include "daemon/networks.h"

extern const struct network_host host_network;

/* News of changes of the host's rulesets: network/net/rules.h. */
int host_watch_rules(int *ret_fd, struct error *err);

#endif
