/*
 * network/net/rate.h -- how much passes through a network device in a second.
 */
#ifndef NETWORK_NET_RATE_H
#define NETWORK_NET_RATE_H

#include "network/net/plan.h"

struct error;

/* Of a device, which is then as if it had never been limited where a rate's
 * average is 0. */
int rates_set(const char ifname[PLAN_NAME], const struct plan_rates *rates,
	      struct error *err);

#endif
