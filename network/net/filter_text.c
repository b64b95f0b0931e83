/*
 * network/net/filter_text.c -- a port's rules as nftables reads them.
 *
 * Fields of ARP, RARP, STP and ICMP are named by where they are ("@nh,48,16"):
 * nftables' own names for them bring conditions of their own along.
 */
#include "network/net/filter.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "network/net/nft.h"
#include "network/net/plan.h"

#define T "bridge " FILTER_TABLE " "

enum format { FORMAT_NUM, FORMAT_HEX, FORMAT_MAC, FORMAT_IP, FORMAT_IP6 };

/* The network header of an STP frame begins with LLC's three bytes
 * (IEEE 802.1D, 9.3.1); ARP's fields: RFC 826. */
static const struct {
	const char *text;
	uint8_t len; /* bytes */
	uint8_t format;
	uint8_t max_bits; /* when not all of the bytes' */
} keys[FK_COUNT] = {
	[FK_ETH_SRC] = { "ether saddr", 6, FORMAT_MAC },
	[FK_ETH_DST] = { "ether daddr", 6, FORMAT_MAC },
	[FK_ETH_TYPE] = { "ether type", 2, FORMAT_HEX },
	[FK_VLAN_ID] = { "vlan id", 2, FORMAT_NUM, 12 },
	[FK_VLAN_TYPE] = { "vlan type", 2, FORMAT_HEX },
	[FK_STP_TYPE] = { "@nh,48,8", 1, FORMAT_HEX },
	[FK_STP_FLAGS] = { "@nh,56,8", 1, FORMAT_HEX },
	[FK_STP_ROOT_PRI] = { "@nh,64,16", 2, FORMAT_HEX },
	[FK_STP_ROOT] = { "@nh,80,48", 6, FORMAT_HEX },
	[FK_STP_COST] = { "@nh,128,32", 4, FORMAT_HEX },
	[FK_STP_SENDER_PRI] = { "@nh,160,16", 2, FORMAT_HEX },
	[FK_STP_SENDER] = { "@nh,176,48", 6, FORMAT_HEX },
	[FK_STP_PORT] = { "@nh,224,16", 2, FORMAT_HEX },
	[FK_STP_AGE] = { "@nh,240,16", 2, FORMAT_HEX },
	[FK_STP_MAX_AGE] = { "@nh,256,16", 2, FORMAT_HEX },
	[FK_STP_HELLO] = { "@nh,272,16", 2, FORMAT_HEX },
	[FK_STP_DELAY] = { "@nh,288,16", 2, FORMAT_HEX },
	[FK_ARP_HTYPE] = { "@nh,0,16", 2, FORMAT_HEX },
	[FK_ARP_PTYPE] = { "@nh,16,16", 2, FORMAT_HEX },
	[FK_ARP_OP] = { "@nh,48,16", 2, FORMAT_HEX },
	[FK_ARP_SRC] = { "@nh,64,48", 6, FORMAT_HEX },
	[FK_ARP_SRC_IP] = { "@nh,112,32", 4, FORMAT_HEX },
	[FK_ARP_DST] = { "@nh,144,48", 6, FORMAT_HEX },
	[FK_ARP_DST_IP] = { "@nh,192,32", 4, FORMAT_HEX },
	[FK_IP_SRC] = { "ip saddr", 4, FORMAT_IP },
	[FK_IP_DST] = { "ip daddr", 4, FORMAT_IP },
	[FK_IP_DSCP] = { "ip dscp", 1, FORMAT_NUM, 6 },
	[FK_IP6_SRC] = { "ip6 saddr", 16, FORMAT_IP6 },
	[FK_IP6_DST] = { "ip6 daddr", 16, FORMAT_IP6 },
	[FK_IP6_DSCP] = { "ip6 dscp", 1, FORMAT_NUM, 6 },
	[FK_L4_PROTO] = { "meta l4proto", 1, FORMAT_NUM },
	[FK_L4_SRC] = { "th sport", 2, FORMAT_NUM },
	[FK_L4_DST] = { "th dport", 2, FORMAT_NUM },
	[FK_ICMP_TYPE] = { "@th,0,8", 1, FORMAT_NUM },
	[FK_ICMP_CODE] = { "@th,8,8", 1, FORMAT_NUM },
	[FK_TCP_OPTION] = { "tcp option", 1, FORMAT_NUM },
	[FK_TCP_FLAGS] = { "tcp flags", 1, FORMAT_HEX, 6 },
};

/* ---- names ---- */

enum { CHAIN_NAME = 3 * FILTER_PORT + 16 };

/* Letters and digits are themselves, the rest becomes "_2e". */
static void chain_name(const char *port, unsigned int n, char name[CHAIN_NAME])
{
	char *at = name + sprintf(name, "port_");

	for (; *port; port++)
		at += isalnum((unsigned char)*port) ?
			      sprintf(at, "%c", *port) :
			      sprintf(at, "_%02x", (unsigned char)*port);
	sprintf(at, "_%u", n);
}

static const char *const map_names[FILTER_OTHERS] = {
	"frames_out", "frames_in", "flows_out", "flows_in",
};

/* ---- the table itself ---- */

/* Before and after connections are looked up (bridge's conntrack: -200). */
static void put_base(struct buf *b)
{
	static const char *const hooks[FILTER_OTHERS] = {
		"prerouting priority -310", "postrouting priority 290",
		"prerouting priority -150", "postrouting priority 300",
	};

	buf_puts(b, "add table bridge " FILTER_TABLE "\n");
	for (int i = 0; i < FILTER_OTHERS; i++) {
		const char *name = map_names[i];

		buf_printf(b, "add map " T "%s { type ifname : verdict; }\n",
			   name);
		buf_printf(b, "add chain " T "all_%s { type filter hook %s; "
			   "policy accept; }\n", name, hooks[i]);
		buf_printf(b, "flush chain " T "all_%s\n", name);
		buf_printf(b, "add rule " T "all_%s %s vmap @%s\n", name,
			   i % 2 ? "oifname" : "iifname", name);
	}
}

/* Made if missing, and empty: whatever the port had before. */
static void put_chains(struct buf *b, const char *port)
{
	char name[CHAIN_NAME];

	for (unsigned int i = 0; i < FILTER_CHAINS; i++) {
		chain_name(port, i, name);
		buf_printf(b, "add chain " T "%s\nflush chain " T "%s\n", name,
			   name);
	}
}

static void put_elements(struct buf *b, const char *port, const char *verb)
{
	char name[CHAIN_NAME];

	for (unsigned int i = 0; i < FILTER_OTHERS; i++) {
		chain_name(port, i, name);
		buf_printf(b, "%s element " T "%s { \"%s\" : jump %s }\n",
			   verb, map_names[i], port, name);
	}
}

static void delete_chains(struct buf *b, const char *port, unsigned int from)
{
	char name[CHAIN_NAME];

	for (unsigned int i = from; i < FILTER_CHAINS; i++) {
		chain_name(port, i, name);
		buf_printf(b, "delete chain " T "%s\n", name);
	}
}

/* ---- rules ---- */

static void put_number(struct buf *b, const uint8_t *v, unsigned int len,
		       bool hex)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < len; i++)
		n = n << 8 | v[i];
	buf_printf(b, hex ? "0x%0*llx" : "%.*llu", hex ? 2 * (int)len : 1,
		   (unsigned long long)n);
}

static void put_value(struct buf *b, unsigned int key, const uint8_t *v)
{
	char text[INET6_ADDRSTRLEN];

	switch (keys[key].format) {
	case FORMAT_NUM:
	case FORMAT_HEX:
		put_number(b, v, keys[key].len,
			   keys[key].format == FORMAT_HEX);
		return;
	case FORMAT_MAC:
		buf_printf(b, "%02x:%02x:%02x:%02x:%02x:%02x", v[0], v[1],
			   v[2], v[3], v[4], v[5]);
		return;
	default:
		inet_ntop(keys[key].format == FORMAT_IP ? AF_INET : AF_INET6,
			  v, text, sizeof(text));
		buf_puts(b, text);
	}
}

/* The first bits of a value, and of ones. */
static void mask_value(const struct filter_match *m, uint8_t value[16],
		       uint8_t mask[16])
{
	for (int i = 0; i < 16; i++) {
		int bits = MIN(MAX((int)m->bits - 8 * i, 0), 8);

		mask[i] = (uint8_t)(0xff00 >> bits);
		value[i] = m->a[i] & mask[i];
	}
}

static void put_masked(struct buf *b, const struct filter_match *m)
{
	uint8_t value[16], mask[16];

	mask_value(m, value, mask);
	buf_printf(b, "%s & ", keys[m->key].text);
	put_value(b, m->key, mask);
	buf_puts(b, m->neg ? " != " : " == ");
	put_value(b, m->key, value);
}

static void put_match(struct buf *b, const struct filter_match *m)
{
	const char *no = m->neg ? "!= " : "";

	if (m->key == FK_TCP_OPTION) {
		buf_printf(b, "tcp option %u %s ", m->a[0],
			   m->neg ? "missing" : "exists");
	} else if (m->key == FK_TCP_FLAGS) {
		buf_printf(b, "tcp flags & 0x%02x %s 0x%02x ", m->a[0],
			   m->neg ? "!=" : "==", m->b[0]);
	} else if (m->bits < 8 * keys[m->key].len) {
		put_masked(b, m);
		buf_puts(b, " ");
	} else {
		buf_printf(b, "%s %s", keys[m->key].text, no);
		put_value(b, m->key, m->a);
		if (m->op == FILTER_RANGE) {
			buf_puts(b, "-");
			put_value(b, m->key, m->b);
		}
		buf_puts(b, " ");
	}
}

static void put_states(struct buf *b, const struct filter_rule *r)
{
	static const char *const names[] = { "new", "established", "related",
					     "invalid" };
	const char *comma = "ct state ";

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (r->states & BIT(i)) {
			buf_printf(b, "%s%s", comma, names[i]);
			comma = ",";
		}
	if (r->states)
		buf_puts(b, " ");
	if (r->way != FILTER_ANY_WAY)
		buf_printf(b, "ct direction %s ",
			   r->way == FILTER_REPLY ? "reply" : "original");
}

static void put_rule(struct buf *b, const char *port,
		     const struct filter_rule *r)
{
	static const char *const verdicts[FV_COUNT] = {
		"accept", "drop", "reject", "return", "continue", "jump",
	};
	char name[CHAIN_NAME];

	chain_name(port, r->chain, name);
	buf_printf(b, "add rule " T "%s ", name);
	for (unsigned int i = 0; i < r->n; i++)
		put_match(b, &r->m[i]);
	put_states(b, r);
	buf_puts(b, verdicts[r->verdict]);
	if (r->verdict == FV_JUMP) {
		chain_name(port, r->target, name);
		buf_printf(b, " %s", name);
	}
	buf_puts(b, "\n");
}

static unsigned int chains_used(const struct filter_plan *plan)
{
	unsigned int n = FILTER_OTHERS;

	for (uint32_t i = 0; i < plan->n; i++)
		n = MAX(n, plan->rules[i].chain + 1u);
	return n;
}

char *filter_text(const struct filter_plan *plan)
{
	struct buf b = { 0 };

	put_base(&b);
	put_chains(&b, plan->port);
	for (uint32_t i = 0; i < plan->n; i++)
		put_rule(&b, plan->port, &plan->rules[i]);
	put_elements(&b, plan->port, "add");
	delete_chains(&b, plan->port, chains_used(plan));
	return buf_steal(&b);
}

/* What is missing is made first: then it can be deleted. */
char *filter_removal_text(const char *port)
{
	struct buf b = { 0 };

	put_base(&b);
	put_chains(&b, port);
	put_elements(&b, port, "add");
	put_elements(&b, port, "delete");
	delete_chains(&b, port, 0);
	return buf_steal(&b);
}

/* ---- checking ---- */

static bool value_ok(unsigned int key, const uint8_t *v)
{
	unsigned int max = keys[key].max_bits, n = 0;

	if (!max)
		return true;
	for (unsigned int i = 0; i < keys[key].len; i++)
		n = n << 8 | v[i];
	return n < BIT(max);
}

static bool match_ok(const struct filter_match *m)
{
	return m->key < FK_COUNT && m->op < FILTER_OPS && m->neg <= 1 &&
	       value_ok(m->key, m->a) && value_ok(m->key, m->b);
}

/* Jumps lead from the first two chains to others of their direction only. */
static bool jump_ok(const struct filter_rule *r)
{
	return r->verdict != FV_JUMP ||
	       (r->chain <= FILTER_FRAMES_IN && r->target >= FILTER_OTHERS &&
		r->target < FILTER_CHAINS && r->chain % 2 == r->target % 2);
}

static bool rule_ok(const struct filter_rule *r)
{
	if (r->chain >= FILTER_CHAINS || r->verdict >= FV_COUNT ||
	    r->n > FILTER_MATCHES || r->states > 15 ||
	    r->way > FILTER_REPLY || !jump_ok(r))
		return false;
	/* The kernel cannot answer what is about to leave. */
	if (r->verdict == FV_REJECT && r->chain != FILTER_FLOWS_OUT)
		return false;
	for (unsigned int i = 0; i < r->n; i++)
		if (!match_ok(&r->m[i]))
			return false;
	return true;
}

static int refuse(const char *what, struct error *err)
{
	return error_set(err, -EINVAL, "a port's filter has %s", what);
}

int filter_plan_check(const struct filter_plan *plan, struct error *err)
{
	if (!net_ifname_ok(plan->port))
		return refuse("no port", err);
	if (plan->n > FILTER_RULES)
		return refuse("too many rules", err);
	for (uint32_t i = 0; i < plan->n; i++)
		if (!rule_ok(&plan->rules[i]))
			return refuse("an impossible rule", err);
	return 0;
}

/* ---- whether they are still there ---- */

/* The base chains, and those of the port: arg is the first one's name. */
static bool is_wanted(const char *name, const void *arg)
{
	size_t len = strlen(arg) - 1; /* without its "0" */

	return !strncmp(name, "all_", 4) ||
	       (!strncmp(name, arg, len) &&
		strspn(name + len, "0123456789") == strcspn(name + len, " "));
}

static bool has_elements(const char *listing, const char *port)
{
	char text[CHAIN_NAME + FILTER_PORT + 16], name[CHAIN_NAME];

	for (unsigned int i = 0; i < FILTER_OTHERS; i++) {
		chain_name(port, i, name);
		snprintf(text, sizeof(text), "\"%s\" : jump %s", port, name);
		if (!strstr(listing, text))
			return false;
	}
	return true;
}

/* What cannot be listed is not there. */
bool filter_intact(const struct filter_plan *plan)
{
	_cleanup_free_ char *listing = NULL, *want = NULL;
	char first[CHAIN_NAME];

	if (nft_run("list table bridge " FILTER_TABLE, "a list", &listing,
		    NULL) < 0)
		return false;
	want = filter_text(plan);
	chain_name(plan->port, 0, first);
	return has_elements(listing, plan->port) &&
	       nft_listed_rules(listing, is_wanted, first) ==
		       nft_count(want, "add rule ");
}

/* ---- to the kernel ---- */

int filter_set(const struct filter_plan *plan, struct error *err)
{
	return nft_set(filter_text(plan), plan->port, err);
}

int filter_remove(const char *port, struct error *err)
{
	return nft_set(filter_removal_text(port), port, err);
}
