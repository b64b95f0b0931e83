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
/* Whether nobody took any of them away. */
bool rules_intact(const struct net_plan *plan);

/* The text of it, for tests and for rules_set(); the caller frees. */
char *rules_text(const struct net_plan *plan);

/*
 * The kernel tells of every change of its rulesets, to who may change them: a
 * descriptor that is readable then, and how many transactions have touched
 * our table since it was read (UINT_MAX: it could not tell all).
 */
int rules_watch_open(struct error *err);
unsigned int rules_watch_read(int fd);

#endif
