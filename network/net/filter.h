/*
 * network/net/filter.h -- what passes to and from one port of a bridge: its
 * network filter, as rules of nftables.
 *
 * Theory of operation.  The unprivileged half of the daemon makes a plan of a
 * filter, of those that it refers to and of a port's variables
 * (filter_plan_of()): rules in numbers, no text.  The privileged half checks
 * it (filter_plan_check()) and makes it so (filter_set()).
 *
 * One table of ours, "bridge vireo", holds all ports.  Base chains look up the
 * port in a map and jump to chains of its own, so that what a frame costs does
 * not depend on how many ports there are:
 *
 *	prerouting	iifname -> frames_out, then flows_out	from the guest
 *	postrouting	oifname -> frames_in, then flows_in	to the guest
 *
 * Rules for frames (mac ... ipv6) come first, those for what is inside (tcp ...
 * all-ipv6) see connections and come second: a frame has to pass both, as with
 * libvirt's ebtables and iptables.  A filter's chain other than "root" is a
 * chain of the port's that its root chain jumps to.
 *
 * A port's rules are replaced in one transaction; nothing else changes.
 */
#ifndef NETWORK_NET_FILTER_H
#define NETWORK_NET_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct error;
struct nwfilter_binding;
struct nwfilter_def;
struct nwfilter_vars;

#define FILTER_TABLE "vireo"

enum { FILTER_RULES = 8192, FILTER_CHAINS = 48, FILTER_MATCHES = 16,
       FILTER_PORT = 16 };

/* A port's chains; even: from the guest.  Others are jumped to by the first
 * two. */
enum { FILTER_FRAMES_OUT, FILTER_FRAMES_IN, FILTER_FLOWS_OUT, FILTER_FLOWS_IN,
       FILTER_OTHERS };

enum filter_key {
	FK_ETH_SRC, FK_ETH_DST, FK_ETH_TYPE, FK_VLAN_ID, FK_VLAN_TYPE,
	FK_STP_TYPE, FK_STP_FLAGS, FK_STP_ROOT_PRI, FK_STP_ROOT,
	FK_STP_COST, FK_STP_SENDER_PRI, FK_STP_SENDER, FK_STP_PORT, FK_STP_AGE,
	FK_STP_MAX_AGE, FK_STP_HELLO, FK_STP_DELAY,
	FK_ARP_HTYPE, FK_ARP_PTYPE, FK_ARP_OP, FK_ARP_SRC, FK_ARP_DST,
	FK_ARP_SRC_IP, FK_ARP_DST_IP,
	FK_IP_SRC, FK_IP_DST, FK_IP_DSCP, FK_IP6_SRC, FK_IP6_DST, FK_IP6_DSCP,
	FK_L4_PROTO, FK_L4_SRC, FK_L4_DST, FK_ICMP_TYPE, FK_ICMP_CODE,
	FK_TCP_OPTION, FK_TCP_FLAGS, FK_COUNT,
};

enum { FILTER_IS, FILTER_RANGE, FILTER_OPS };

/* a: in the network's order, as long as the key's values are.  FK_TCP_FLAGS:
 * a is the mask. */
struct filter_match {
	uint8_t key, neg, op;
	uint8_t bits; /* only the first ones; 0xff: all */
	uint8_t a[16], b[16];
};

enum filter_verdict { FV_ACCEPT, FV_DROP, FV_REJECT, FV_RETURN, FV_CONTINUE,
		      FV_JUMP, FV_COUNT };
/* Which way packets go in their connection. */
enum { FILTER_ANY_WAY, FILTER_ORIGINAL, FILTER_REPLY };

struct filter_rule {
	uint8_t chain, verdict, target, n;
	uint8_t states; /* bits of model/nwfilter.h; 0: any */
	uint8_t way, unused[2];
	struct filter_match m[FILTER_MATCHES];
};

struct filter_plan {
	char port[FILTER_PORT];
	uint32_t n;
	struct filter_rule rules[];
};

/* Where filters are found by their names; NULL: there is none. */
struct filter_library {
	const struct nwfilter_def *(*find)(void *arg, const char *name);
	void *arg;
};

/*
 * vars: what is known of the port besides its MAC address and what the binding
 * says.  While IP or IPV6 is not known, rules with it are left out.  The
 * caller frees.
 */
int filter_plan_of(const struct nwfilter_binding *binding,
		   const struct nwfilter_vars *vars,
		   const struct filter_library *library,
		   struct filter_plan **ret_plan, struct error *err);
/* Whether this filter leads to itself, or to that name. */
int filter_check_loop(const struct nwfilter_def *def,
		      const struct filter_library *library,
		      struct error *err);
bool filter_uses(const struct nwfilter_def *def, const char *name,
		 const struct filter_library *library);

/* -EINVAL for what no filter can have led to. */
int filter_plan_check(const struct filter_plan *plan, struct error *err);

/* Both are one transaction of the kernel's. */
int filter_set(const struct filter_plan *plan, struct error *err);
int filter_remove(const char *port, struct error *err);
/* Whether nobody took any of them away. */
bool filter_intact(const struct filter_plan *plan);
/* As rules_watch_read(), of the table that has them. */
unsigned int filter_watch_read(int fd);

/* The text of them, for tests too; the caller frees. */
char *filter_text(const struct filter_plan *plan);
char *filter_removal_text(const char *port);

#endif
