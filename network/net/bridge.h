/*
 * network/net/bridge.h -- a network's bridge on the host.
 *
 * A bridge that we made says so: its alias (ip-link(8)) is "vireo:" and the
 * network's UUID.  One without that is somebody else's and is left alone.
 */
#ifndef NETWORK_NET_BRIDGE_H
#define NETWORK_NET_BRIDGE_H

#include "network/net/plan.h"

/* Makes what is missing of it; -EEXIST: the name is somebody else's. */
int bridge_up(const struct net_plan *plan, struct error *err);
/* Nothing happens when it is gone, or not that network's. */
int bridge_down(const struct net_plan *plan, struct error *err);

/* What of a bridge's port is not as the kernel has it from the start. */
enum { BRIDGE_TAGS = 32 };
struct bridge_port {
	char ifname[PLAN_NAME];
	uint8_t isolated;
	uint8_t native;	  /* there is an untagged one: */
	uint16_t untagged;
	uint32_t n_tags;
	uint16_t tags[BRIDGE_TAGS];
};
int bridge_set_port(const struct bridge_port *port, struct error *err);

#endif
