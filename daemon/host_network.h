/*
 * daemon/host_network.h -- what priv does for networks.
 */
#ifndef DAEMON_HOST_NETWORK_H
#define DAEMON_HOST_NETWORK_H

#include "daemon/networks.h"

extern const struct network_host host_network;

#endif
