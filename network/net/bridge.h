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
enum bridge_native { BRIDGE_NO_NATIVE, BRIDGE_UNTAGGED, BRIDGE_TAGGED };
struct bridge_port {
	char ifname[PLAN_NAME];
	uint8_t isolated;
	uint8_t native; /* what has no tag is in one, too: enum bridge_native */
	uint16_t untagged;
	uint32_t n_tags;
	uint16_t tags[BRIDGE_TAGS];
};
/* All of it, also where it had other VLANs before. */
int bridge_set_port(const struct bridge_port *port, struct error *err);
struct net_vlan;
int bridge_port_of(const char *ifname, const struct net_vlan *vlan,
		   bool isolated, struct bridge_port *ret_port,
		   struct error *err);

#endif
