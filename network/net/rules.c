/*
 * network/net/rules.c -- what passes to and from a network, by nftables.
 *
 * Theory of operation.  One table of ours, "inet vireo", holds all networks.
 * Base chains look up the bridge in a map and jump to the network's own chain:
 * what a packet costs does not depend on how many networks there are, nor does
 * changing one.
 *
 *	forward		iifname -> from_UUID, oifname -> to_UUID
 *	postrouting	iifname -> nat_UUID
 *
 * Between two networks both have their say: what "from" lets out returns, and
 * "to" of the other may still refuse it.
 *
 * A network's rules are replaced in one transaction: its chains are made if
 * they are missing, emptied and filled, and nothing of the table outside them
 * changes.  Base chains run a little before the usual priorities, with policy
 * accept: other tables (Docker's, firewalld's, ufw's) have their say as well,
 * and we never touch them.
 */
#include "network/net/rules.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/buf.h"
#include "network/net/nft.h"

#define T "inet " RULES_TABLE " "

enum { ID_LEN = 33, NET_TEXT = INET6_ADDRSTRLEN + 8 };

/* A network's chains, and the maps that lead to them. */
static const char *const kinds[] = { "to", "from", "nat" };

static void id_of(const struct net_plan *p, char id[ID_LEN])
{
	for (int i = 0; i < 16; i++)
		sprintf(id + 2 * i, "%02x", p->uuid[i]);
}

/* The network of an address: "192.0.2.0/24". */
static void net_text(const struct plan_ip *ip, char text[NET_TEXT])
{
	uint8_t net[16] = { 0 };
	size_t len = ip->v6 ? 16 : 4, n;

	for (size_t i = 0; i < len; i++) {
		int bits = MIN(MAX((int)ip->prefix - 8 * (int)i, 0), 8);

		net[i] = ip->addr[i] & (0xff00 >> bits);
	}
	inet_ntop(ip->v6 ? AF_INET6 : AF_INET, net, text, INET6_ADDRSTRLEN);
	n = strlen(text);
	snprintf(text + n, NET_TEXT - n, "/%u", ip->prefix);
}

static const char *family(const struct plan_ip *ip)
{
	return ip->v6 ? "ip6" : "ip";
}

/* ---- the table itself ---- */

static void put_base(struct buf *b)
{
	static const char *const lines[] = {
		"add table inet " RULES_TABLE,
		"add map " T "to { type ifname : verdict; }",
		"add map " T "from { type ifname : verdict; }",
		"add map " T "nat { type ifname : verdict; }",
		"add chain " T "forward { type filter hook forward priority filter - 5; policy accept; }",
		"add chain " T "postrouting { type nat hook postrouting priority srcnat - 5; policy accept; }",
		"flush chain " T "forward",
		"flush chain " T "postrouting",
		"add rule " T "forward iifname vmap @from",
		"add rule " T "forward oifname vmap @to",
		"add rule " T "postrouting iifname vmap @nat",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		buf_printf(b, "%s\n", lines[i]);
}

/* Made if missing, and empty. */
static void put_chains(struct buf *b, const char *id)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		buf_printf(b, "add chain " T "%s_%s\n", kinds[i], id);
		buf_printf(b, "flush chain " T "%s_%s\n", kinds[i], id);
	}
}

/* ---- a network's chains ---- */

/* The ways out: "oifname { "a", "b" } ", or nothing. */
static void put_devs(struct buf *b, const struct net_plan *p, const char *key)
{
	if (!p->n_devs)
		return;
	buf_printf(b, "%s { ", key);
	for (unsigned int i = 0; i < p->n_devs; i++)
		buf_printf(b, "%s\"%s\"", i ? ", " : "", p->devs[i]);
	buf_puts(b, " } ");
}

static bool is_natted(const struct net_plan *p, const struct plan_ip *ip)
{
	return p->mode == PLAN_NAT && (!ip->v6 || p->nat6);
}

static void put_passing(struct buf *b, const struct net_plan *p,
			const char *id, const struct plan_ip *ip)
{
	char net[NET_TEXT];

	net_text(ip, net);
	buf_printf(b, "add rule " T "to_%s ", id);
	put_devs(b, p, "iifname");
	buf_printf(b, "%s daddr %s %saccept\n", family(ip), net,
		   is_natted(p, ip) ? "ct state established,related " : "");
	buf_printf(b, "add rule " T "from_%s ", id);
	put_devs(b, p, "oifname");
	buf_printf(b, "%s saddr %s return\n", family(ip), net);
}

/* Between guests (where bridges call netfilter) all passes; the rest not. */
static void put_forward(struct buf *b, const struct net_plan *p,
			const char *id)
{
	buf_printf(b, "add rule " T "from_%s oifname \"%s\" return\n", id,
		   p->bridge);
	buf_printf(b, "add rule " T "to_%s iifname \"%s\" accept\n", id,
		   p->bridge);
	for (unsigned int i = 0; i < p->n_ips; i++)
		if (p->mode != PLAN_ISOLATED)
			put_passing(b, p, id, &p->ips[i]);
	buf_printf(b, "add rule " T "to_%s reject with icmpx port-unreachable\n",
		   id);
	buf_printf(b, "add rule " T "from_%s reject with icmpx port-unreachable\n",
		   id);
}

/* What a source address becomes, without ports. */
static void put_target(struct buf *b, const struct net_plan *p, bool v6)
{
	static const uint8_t none[4];
	char first[INET_ADDRSTRLEN], last[INET_ADDRSTRLEN];

	if (v6 || !memcmp(p->nat_first, none, sizeof(none))) {
		buf_puts(b, "masquerade");
		return;
	}
	inet_ntop(AF_INET, p->nat_first, first, sizeof(first));
	inet_ntop(AF_INET, p->nat_last, last, sizeof(last));
	buf_printf(b, "snat ip to %s", first);
	if (strcmp(first, last))
		buf_printf(b, "-%s", last);
}

static bool is_masquerade(const struct net_plan *p, bool v6)
{
	static const uint8_t none[4];

	return v6 || !memcmp(p->nat_first, none, sizeof(none));
}

static void put_ports(struct buf *b, const struct net_plan *p, bool v6)
{
	if (is_masquerade(p, v6))
		buf_puts(b, " to ");
	buf_printf(b, ":%u-%u", p->port_first, p->port_last);
}

/* Local broadcast and multicast keep their source. */
static void put_nat(struct buf *b, const struct net_plan *p, const char *id,
		    const struct plan_ip *ip)
{
	const char *f = family(ip);
	char net[NET_TEXT];

	net_text(ip, net);
	buf_printf(b, "add rule " T "nat_%s %s daddr %s return\n", id, f,
		   ip->v6 ? "ff00::/8" : "{ 224.0.0.0/24, 255.255.255.255 }");
	for (int ports = p->port_first != 0; ports >= 0; ports--) {
		buf_printf(b, "add rule " T "nat_%s ", id);
		put_devs(b, p, "oifname");
		buf_printf(b, "%s saddr %s %s daddr != %s ", f, net, f, net);
		if (ports)
			buf_puts(b, "meta l4proto { tcp, udp } ");
		put_target(b, p, ip->v6);
		if (ports)
			put_ports(b, p, ip->v6);
		buf_puts(b, "\n");
	}
}

/* verb: add, delete. */
static void put_elements(struct buf *b, const struct net_plan *p,
			 const char *id, const char *verb)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		buf_printf(b, "%s element " T "%s { \"%s\" : jump %s_%s }\n",
			   verb, kinds[i], p->bridge, kinds[i], id);
}

char *rules_text(const struct net_plan *p)
{
	struct buf b = { 0 };
	char id[ID_LEN];

	id_of(p, id);
	put_base(&b);
	put_chains(&b, id);
	put_forward(&b, p, id);
	for (unsigned int i = 0; i < p->n_ips; i++)
		if (is_natted(p, &p->ips[i]))
			put_nat(&b, p, id, &p->ips[i]);
	put_elements(&b, p, id, "add");
	return buf_steal(&b);
}

/* Each is made first, if it is missing: then it can be deleted. */
static char *removal_text(const struct net_plan *p)
{
	struct buf b = { 0 };
	char id[ID_LEN];

	id_of(p, id);
	put_base(&b);
	put_chains(&b, id);
	put_elements(&b, p, id, "add");
	put_elements(&b, p, id, "delete");
	buf_printf(&b, "delete chain " T "to_%s\n", id);
	buf_printf(&b, "delete chain " T "from_%s\n", id);
	buf_printf(&b, "delete chain " T "nat_%s\n", id);
	return buf_steal(&b);
}

/* ---- to the kernel ---- */

int rules_set(const struct net_plan *plan, struct error *err)
{
	return plan->mode == PLAN_OPEN ? 0 : nft_set(rules_text(plan),
						     plan->bridge, err);
}

int rules_remove(const struct net_plan *plan, struct error *err)
{
	return plan->mode == PLAN_OPEN ? 0 : nft_set(removal_text(plan),
						     plan->bridge, err);
}

/* ---- whether they are still there ---- */

/* The base chains, and those of the network. */
static bool is_wanted(const char *name, const void *arg)
{
	const char *id = arg;
	size_t len = strcspn(name, " ");

	if (!strncmp(name, "forward ", 8) ||
	    !strncmp(name, "postrouting ", 12))
		return true;
	return len > ID_LEN && !strncmp(name + len - ID_LEN + 1, id,
					ID_LEN - 1);
}

static bool has_elements(const char *listing, const struct net_plan *p,
			 const char *id)
{
	char text[PLAN_NAME + ID_LEN + 20];

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		snprintf(text, sizeof(text), "\"%s\" : jump %s_%s", p->bridge,
			 kinds[i], id);
		if (!strstr(listing, text))
			return false;
	}
	return true;
}

/* What cannot be listed is not there. */
bool rules_intact(const struct net_plan *p)
{
	_cleanup_free_ char *want = rules_text(p), *listing = NULL;
	char id[ID_LEN];

	if (p->mode == PLAN_OPEN)
		return true;
	id_of(p, id);
	/* Only the first of several lists would be complete. */
	return nft_run("list table inet " RULES_TABLE, "a list", &listing,
		       NULL) == 0 &&
	       has_elements(listing, p, id) &&
	       nft_listed_rules(listing, is_wanted, id) ==
		       nft_count(want, "add rule ");
}
