/*
 * cli/network.h -- virtual networks as commands' words name them.
 */
#ifndef CLI_NETWORK_H
#define CLI_NETWORK_H

#include "cli/args.h"

/* By uuid or by name; NULL: said why. */
virNetworkPtr ctl_network(struct ctl *ctl, const char *name);

#endif
