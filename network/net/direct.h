/*
 * network/net/direct.h -- macvtap: a guest's card on a device of the host's,
 * without a bridge.
 *
 * Such a device stays when nobody holds it open.  It says whose it is: its
 * group (ip-link(8)) is ours from the request that makes it, and then its
 * alias is "vireo:" and the domain's UUID; one without that alias is half made.
 */
#ifndef NETWORK_NET_DIRECT_H
#define NETWORK_NET_DIRECT_H

#include "network/net/plan.h"

enum { DIRECT_QUEUES = 64 };

/* if_link.h's MACVLAN_MODE_... */
enum direct_mode { DIRECT_VEPA, DIRECT_BRIDGE, DIRECT_PRIVATE,
		   DIRECT_PASSTHROUGH, DIRECT_MODES };

struct direct_plan {
	uint8_t owner[16];
	char dev[PLAN_NAME];
	char name[PLAN_NAME]; /* "": macvtap0 or so */
	uint8_t mac[6];
	uint8_t mode;
	uint8_t existing; /* another queue of the one of that name */
	uint32_t mtu;	  /* 0: the device's */
};

/* A descriptor of one of its queues; the name is filled in. */
int direct_open(struct direct_plan *plan, struct error *err);
/* name "": all of that owner's.  What is not ours is left alone. */
int direct_remove(const uint8_t owner[16], const char *name);
/* What a daemon that was killed had not finished. */
void direct_remove_half_made(void);

#endif
