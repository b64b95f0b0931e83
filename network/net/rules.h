/*
 * network/net/rules.h -- what passes to and from a network, by nftables.
 */
#ifndef NETWORK_NET_RULES_H
#define NETWORK_NET_RULES_H

#include "network/net/plan.h"

#define RULES_TABLE "vireo"

/* Both are one transaction of the kernel's: all of it or nothing. */
int rules_set(const struct net_plan *plan, struct error *err);
int rules_remove(const struct net_plan *plan, struct error *err);

/* The text of it, for tests and for rules_set(); the caller frees. */
char *rules_text(const struct net_plan *plan);

#endif
