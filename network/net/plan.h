/*
 * network/net/plan.h -- what a virtual network is on the host, in numbers.
 *
 * The unprivileged half of the daemon makes a plan of a definition
 * (net_plan_of()); the privileged half checks it (net_plan_check()) and makes
 * it so (bridge.h, rules.h).  A plan crosses between the two as it is: no
 * pointers, every count and name bounded.
 */
#ifndef NETWORK_NET_PLAN_H
#define NETWORK_NET_PLAN_H

#include <stdbool.h>
#include <stdint.h>

struct error;
struct network_def;
struct net_bandwidth;

enum { PLAN_IPS = 16, PLAN_ROUTES = 32, PLAN_DEVS = 8, PLAN_NAME = 16 };

enum plan_mode { PLAN_ISOLATED, PLAN_NAT, PLAN_ROUTE, PLAN_OPEN, PLAN_MODES };

/* 4 or 16 bytes count. */
struct plan_ip {
	uint8_t addr[16];
	uint8_t v6, prefix, unused[2];
};

struct plan_route {
	struct plan_ip to;
	uint8_t gateway[16];
	uint32_t metric; /* 0: the kernel's */
};

/* Kilobytes (1000 bytes) a second, 0: any; burst: of 1024 bytes. */
struct plan_rate {
	uint32_t average, peak, burst;
};
struct plan_rates {
	struct plan_rate in, out; /* to the guests, from them */
};

struct net_plan {
	uint8_t uuid[16];
	char bridge[PLAN_NAME];
	uint8_t mac[6];
	uint8_t mode; /* enum plan_mode */
	uint8_t stp, nat6, ipv6, vlans, unused;
	uint32_t mtu;	/* 0: the kernel's */
	uint32_t delay; /* seconds */
	uint32_t n_ips, n_routes, n_devs;
	struct plan_ip ips[PLAN_IPS];
	struct plan_route routes[PLAN_ROUTES];
	char devs[PLAN_DEVS][PLAN_NAME]; /* the only ways out; none: all */
	uint8_t nat_first[4], nat_last[4]; /* all zero: masquerade */
	uint16_t port_first, port_last;	   /* 0: as they are */
	struct plan_rates rates; /* of the bridge itself */
};

int net_plan_of(const struct network_def *def, struct net_plan *ret_plan,
		struct error *err);
int plan_rates_of(const struct net_bandwidth *bandwidth,
		  struct plan_rates *ret_rates, struct error *err);
/* -EINVAL for what no definition can have led to. */
int net_plan_check(const struct net_plan *plan, struct error *err);

/* The name of a network device as the kernel takes it, and no quotes. */
bool net_ifname_ok(const char name[PLAN_NAME]);

#endif
