/*
 * model/nwfilter_rule.c -- a rule of a network filter: protocols, the
 * attributes that each has, and their values.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <strings.h>

#include "model/nwfilter.h"
#include "model/xml.h"

enum { PRIORITY_DEFAULT = 500, COMMENT_MAX = 256, IPSET_MAX = 31,
       ITERATOR_MAX = 1000, IPSET_FLAGS_MAX = 6 };

struct word {
	const char *text;
	uint32_t num;
};

static const struct word ether_types[] = {
	{ "arp", 0x806 },   { "rarp", 0x8035 }, { "ipv4", 0x800 },
	{ "ipv6", 0x86dd }, { "vlan", 0x8100 }, { NULL, 0 },
};
/* RFC 826, 903, 1931, 2390; RFC 1577 for the last. */
static const struct word opcodes[] = {
	{ "Request", 1 },	{ "Reply", 2 },	      { "Request_Reverse", 3 },
	{ "Reply_Reverse", 4 }, { "DRARP_Request", 5 }, { "DRARP_Reply", 6 },
	{ "DRARP_Error", 7 },	{ "InARP_Request", 8 }, { "ARP_NAK", 9 },
	{ NULL, 0 },
};
static const struct word ip_protocols[] = {
	{ "tcp", 6 }, { "udp", 17 }, { "udplite", 136 }, { "esp", 50 },
	{ "ah", 51 }, { "icmp", 1 }, { "igmp", 2 },	 { "sctp", 132 },
	{ "icmpv6", 58 }, { NULL, 0 },
};
static const struct word states[] = {
	{ "NEW", NWF_NEW },	    { "ESTABLISHED", NWF_ESTABLISHED },
	{ "RELATED", NWF_RELATED }, { "INVALID", NWF_INVALID },
	{ "NONE", NWF_STATE_NONE }, { NULL, 0 },
};
/* RFC 9293, 3.1. */
static const struct word tcp_flags[] = {
	{ "FIN", 1 },  { "SYN", 2 },  { "RST", 4 },   { "PSH", 8 },
	{ "ACK", 16 }, { "URG", 32 }, { "ALL", 0x3f }, { "NONE", 0 },
	{ NULL, 0 },
};

enum kind { KIND_NUM, KIND_MAC, KIND_MACMASK, KIND_IP, KIND_IPV4, KIND_IPMASK,
	    KIND_IPV4MASK, KIND_BOOL, KIND_STATES, KIND_TCPFLAGS, KIND_IPSET,
	    KIND_IPSETFLAGS, KIND_TEXT };

static const struct attr_type {
	const char *name;
	enum kind kind;
	uint32_t min, max;
	const struct word *words;
} types[NWA_COUNT] = {
	[NWA_SRCMAC] = { "srcmacaddr", KIND_MAC },
	[NWA_SRCMACMASK] = { "srcmacmask", KIND_MACMASK },
	[NWA_DSTMAC] = { "dstmacaddr", KIND_MAC },
	[NWA_DSTMACMASK] = { "dstmacmask", KIND_MACMASK },
	[NWA_PROTOCOLID] = { "protocolid", KIND_NUM, 0x600, 0xffff,
			     ether_types },
	[NWA_VLANID] = { "vlanid", KIND_NUM, 0, 4095 },
	[NWA_ENCAP] = { "encap-protocol", KIND_NUM, 0x3c, 0xffff,
			ether_types },
	[NWA_STP_TYPE] = { "type", KIND_NUM, 0, 0xff },
	[NWA_STP_FLAGS] = { "flags", KIND_NUM, 0, 0xff },
	[NWA_ROOT_PRI] = { "root-priority", KIND_NUM, 0, 0xffff },
	[NWA_ROOT_PRI_HI] = { "root-priority-hi", KIND_NUM, 0, 0xffff },
	[NWA_ROOT_ADDR] = { "root-address", KIND_MAC },
	[NWA_ROOT_ADDR_MASK] = { "root-address-mask", KIND_MACMASK },
	[NWA_ROOT_COST] = { "root-cost", KIND_NUM, 0, UINT32_MAX },
	[NWA_ROOT_COST_HI] = { "root-cost-hi", KIND_NUM, 0, UINT32_MAX },
	[NWA_SENDER_PRI] = { "sender-priority", KIND_NUM, 0, 0xffff },
	[NWA_SENDER_PRI_HI] = { "sender-priority-hi", KIND_NUM, 0, 0xffff },
	[NWA_SENDER_ADDR] = { "sender-address", KIND_MAC },
	[NWA_SENDER_ADDR_MASK] = { "sender-address-mask", KIND_MACMASK },
	[NWA_PORT] = { "port", KIND_NUM, 0, 0xffff },
	[NWA_PORT_HI] = { "port-hi", KIND_NUM, 0, 0xffff },
	[NWA_AGE] = { "age", KIND_NUM, 0, 0xffff },
	[NWA_AGE_HI] = { "age-hi", KIND_NUM, 0, 0xffff },
	[NWA_MAX_AGE] = { "max-age", KIND_NUM, 0, 0xffff },
	[NWA_MAX_AGE_HI] = { "max-age-hi", KIND_NUM, 0, 0xffff },
	[NWA_HELLO] = { "hello-time", KIND_NUM, 0, 0xffff },
	[NWA_HELLO_HI] = { "hello-time-hi", KIND_NUM, 0, 0xffff },
	[NWA_DELAY] = { "forward-delay", KIND_NUM, 0, 0xffff },
	[NWA_DELAY_HI] = { "forward-delay-hi", KIND_NUM, 0, 0xffff },
	[NWA_HWTYPE] = { "hwtype", KIND_NUM, 0, 0xffff },
	[NWA_PROTOCOLTYPE] = { "protocoltype", KIND_NUM, 0, 0xffff },
	[NWA_OPCODE] = { "opcode", KIND_NUM, 0, 0xffff, opcodes },
	[NWA_ARPSRCMAC] = { "arpsrcmacaddr", KIND_MAC },
	[NWA_ARPDSTMAC] = { "arpdstmacaddr", KIND_MAC },
	[NWA_ARPSRCIP] = { "arpsrcipaddr", KIND_IPV4 },
	[NWA_ARPSRCIPMASK] = { "arpsrcipmask", KIND_IPV4MASK },
	[NWA_ARPDSTIP] = { "arpdstipaddr", KIND_IPV4 },
	[NWA_ARPDSTIPMASK] = { "arpdstipmask", KIND_IPV4MASK },
	[NWA_GRATUITOUS] = { "gratuitous", KIND_BOOL },
	[NWA_SRCIP] = { "srcipaddr", KIND_IP },
	[NWA_SRCIPMASK] = { "srcipmask", KIND_IPMASK },
	[NWA_DSTIP] = { "dstipaddr", KIND_IP },
	[NWA_DSTIPMASK] = { "dstipmask", KIND_IPMASK },
	[NWA_SRCIPFROM] = { "srcipfrom", KIND_IP },
	[NWA_SRCIPTO] = { "srcipto", KIND_IP },
	[NWA_DSTIPFROM] = { "dstipfrom", KIND_IP },
	[NWA_DSTIPTO] = { "dstipto", KIND_IP },
	[NWA_PROTOCOL] = { "protocol", KIND_NUM, 0, 0xff, ip_protocols },
	[NWA_SRCPORT] = { "srcportstart", KIND_NUM, 0, 0xffff },
	[NWA_SRCPORTEND] = { "srcportend", KIND_NUM, 0, 0xffff },
	[NWA_DSTPORT] = { "dstportstart", KIND_NUM, 0, 0xffff },
	[NWA_DSTPORTEND] = { "dstportend", KIND_NUM, 0, 0xffff },
	[NWA_DSCP] = { "dscp", KIND_NUM, 0, 63 },
	[NWA_CONNLIMIT] = { "connlimit-above", KIND_NUM, 0, 0xffff },
	[NWA_STATE] = { "state", KIND_STATES },
	[NWA_IPSET] = { "ipset", KIND_IPSET },
	[NWA_IPSETFLAGS] = { "ipsetflags", KIND_IPSETFLAGS },
	[NWA_TYPE] = { "type", KIND_NUM, 0, 0xff },
	[NWA_TYPEEND] = { "typeend", KIND_NUM, 0, 0xff },
	[NWA_CODE] = { "code", KIND_NUM, 0, 0xff },
	[NWA_CODEEND] = { "codeend", KIND_NUM, 0, 0xff },
	[NWA_OPTION] = { "option", KIND_NUM, 0, 0xff },
	[NWA_TCPFLAGS] = { "flags", KIND_TCPFLAGS },
	[NWA_COMMENT] = { "comment", KIND_TEXT },
};

#define MACS NWA_SRCMAC, NWA_SRCMACMASK, NWA_DSTMAC, NWA_DSTMACMASK
#define ADDRS NWA_SRCIP, NWA_SRCIPMASK, NWA_DSTIP, NWA_DSTIPMASK
#define PORTS NWA_SRCPORT, NWA_SRCPORTEND, NWA_DSTPORT, NWA_DSTPORTEND
#define OVER_IP \
	NWA_SRCMAC, ADDRS, NWA_SRCIPFROM, NWA_SRCIPTO, NWA_DSTIPFROM, \
	NWA_DSTIPTO, NWA_DSCP, NWA_CONNLIMIT, NWA_STATE, NWA_IPSET, \
	NWA_IPSETFLAGS
#define END NWA_COUNT

/* In the order in which they are written. */
typedef const uint8_t attr_list[];
static attr_list mac_attrs = { MACS, NWA_PROTOCOLID, NWA_COMMENT, END };
static attr_list vlan_attrs = { MACS, NWA_VLANID, NWA_ENCAP, NWA_COMMENT,
				END };
static attr_list stp_attrs = {
	NWA_SRCMAC, NWA_SRCMACMASK, NWA_STP_TYPE, NWA_STP_FLAGS, NWA_ROOT_PRI,
	NWA_ROOT_PRI_HI, NWA_ROOT_ADDR, NWA_ROOT_ADDR_MASK, NWA_ROOT_COST,
	NWA_ROOT_COST_HI, NWA_SENDER_PRI, NWA_SENDER_PRI_HI, NWA_SENDER_ADDR,
	NWA_SENDER_ADDR_MASK, NWA_PORT, NWA_PORT_HI, NWA_AGE, NWA_AGE_HI,
	NWA_MAX_AGE, NWA_MAX_AGE_HI, NWA_HELLO, NWA_HELLO_HI, NWA_DELAY,
	NWA_DELAY_HI, NWA_COMMENT, END,
};
static attr_list arp_attrs = {
	MACS, NWA_HWTYPE, NWA_PROTOCOLTYPE, NWA_OPCODE, NWA_ARPSRCMAC,
	NWA_ARPDSTMAC, NWA_ARPSRCIP, NWA_ARPSRCIPMASK, NWA_ARPDSTIP,
	NWA_ARPDSTIPMASK, NWA_GRATUITOUS, NWA_COMMENT, END,
};
static attr_list ip_attrs = { MACS, ADDRS, NWA_PROTOCOL, PORTS, NWA_DSCP,
			      NWA_COMMENT, END };
static attr_list ipv6_attrs = { MACS, ADDRS, NWA_PROTOCOL, PORTS, NWA_TYPE,
				NWA_TYPEEND, NWA_CODE, NWA_CODEEND,
				NWA_COMMENT, END };
static attr_list tcp_attrs = { OVER_IP, PORTS, NWA_OPTION, NWA_TCPFLAGS,
			       NWA_COMMENT, END };
static attr_list port_attrs = { OVER_IP, PORTS, NWA_COMMENT, END };
static attr_list plain_attrs = { OVER_IP, NWA_COMMENT, END };
static attr_list icmp_attrs = { OVER_IP, NWA_TYPE, NWA_CODE, NWA_COMMENT,
				END };

static const struct proto {
	const char *name;
	const uint8_t *attrs;
} protos[NWF_PROTOS] = {
	[NWF_MAC] = { "mac", mac_attrs },
	[NWF_VLAN] = { "vlan", vlan_attrs },
	[NWF_STP] = { "stp", stp_attrs },
	[NWF_ARP] = { "arp", arp_attrs },
	[NWF_RARP] = { "rarp", arp_attrs },
	[NWF_IP] = { "ip", ip_attrs },
	[NWF_IPV6] = { "ipv6", ipv6_attrs },
	[NWF_TCP] = { "tcp", tcp_attrs },
	[NWF_UDP] = { "udp", port_attrs },
	[NWF_UDPLITE] = { "udplite", plain_attrs },
	[NWF_ESP] = { "esp", plain_attrs },
	[NWF_AH] = { "ah", plain_attrs },
	[NWF_SCTP] = { "sctp", port_attrs },
	[NWF_ICMP] = { "icmp", icmp_attrs },
	[NWF_ALL] = { "all", plain_attrs },
	[NWF_IGMP] = { "igmp", plain_attrs },
	[NWF_TCP6] = { "tcp-ipv6", tcp_attrs },
	[NWF_UDP6] = { "udp-ipv6", port_attrs },
	[NWF_UDPLITE6] = { "udplite-ipv6", plain_attrs },
	[NWF_ESP6] = { "esp-ipv6", plain_attrs },
	[NWF_AH6] = { "ah-ipv6", plain_attrs },
	[NWF_SCTP6] = { "sctp-ipv6", port_attrs },
	[NWF_ICMP6] = { "icmpv6", icmp_attrs },
	[NWF_ALL6] = { "all-ipv6", plain_attrs },
};

static const char *const action_names[NWF_ACTIONS] = {
	"drop", "accept", "reject", "return", "continue",
};
static const char *const direction_names[NWF_DIRECTIONS] = {
	"in", "out", "inout",
};

const char *nwfilter_attr_name(enum nwfilter_attr_id id)
{
	return types[id].name;
}

/* ---- values ---- */

static int read_num(const struct attr_type *t, const char *text,
		    struct nwfilter_attr *a)
{
	bool prefix = !strncasecmp(text, "0x", 2);
	uint64_t num;
	int r = parse_u64(text, 10, UINT32_MAX, &num);

	if (r < 0) {
		r = parse_u64(prefix ? text + 2 : text, 16, UINT32_MAX, &num);
		a->hex = r == 0;
	}
	for (const struct word *w = t->words; r < 0 && w && w->text; w++)
		if (!strcasecmp(w->text, text)) {
			num = w->num;
			r = 0;
		}
	if (r < 0 || num < t->min || num > t->max)
		return -EINVAL;
	a->num = (uint32_t)num;
	return 0;
}

/* One or two digits each, as others read them too. */
static int read_mac(const char *text, uint8_t mac[6])
{
	for (int i = 0; i < 6; i++) {
		unsigned int byte;
		int n;

		if (!isxdigit((unsigned char)*text) ||
		    sscanf(text, "%2x%n", &byte, &n) != 1 ||
		    text[n] != (i < 5 ? ':' : '\0'))
			return -EINVAL;
		mac[i] = (uint8_t)byte;
		text += n + 1;
	}
	return 0;
}

/* The ones of a mask; -EINVAL: there is a zero before a one. */
static int count_bits(const uint8_t *mask, size_t len)
{
	unsigned int n = 0;

	while (n < 8 * len && (mask[n / 8] & (0x80 >> (n % 8))))
		n++;
	for (unsigned int i = n; i < 8 * len; i++)
		if (mask[i / 8] & (0x80 >> (i % 8)))
			return -EINVAL;
	return (int)n;
}

static int read_ip(const char *text, bool v6, uint8_t addr[16])
{
	return inet_pton(v6 ? AF_INET6 : AF_INET, text, addr) == 1 ? 0 :
								     -EINVAL;
}

static int read_ipmask(const char *text, bool v6, struct nwfilter_attr *a)
{
	uint8_t mask[16];
	uint64_t bits;
	int n;

	if (parse_u64(text, 10, v6 ? 128 : 32, &bits) == 0) {
		a->num = (uint32_t)bits;
		return 0;
	}
	n = read_ip(text, v6, mask) < 0 ? -EINVAL :
					  count_bits(mask, v6 ? 16 : 4);
	a->num = n < 0 ? 0 : (uint32_t)n;
	return MIN(n, 0);
}

/* "A,B": the sum of their numbers. */
static int read_words(const struct word *words, const char *text, size_t len,
		      uint32_t *ret_sum)
{
	uint32_t sum = 0;
	const char *end = text + len;

	while (text < end) {
		size_t n = strcspn(text, ", ");
		const struct word *w = words;

		n = MIN(n, (size_t)(end - text));
		while (w->text && (strlen(w->text) != n ||
				   strncasecmp(w->text, text, n)))
			w++;
		if (n && !w->text)
			return -EINVAL;
		sum |= n ? w->num : 0;
		text += n + 1;
	}
	*ret_sum = sum;
	return 0;
}

static int read_states(const char *text, struct nwfilter_attr *a)
{
	int r = read_words(states, text, strlen(text), &a->num);

	if (a->num & NWF_STATE_NONE)
		a->num = NWF_STATE_NONE;
	return r;
}

/* "mask/flags" */
static int read_tcp_flags(const char *text, struct nwfilter_attr *a)
{
	const char *slash = strchr(text, '/');
	uint32_t mask, flags;

	if (!slash ||
	    read_words(tcp_flags, text, slash - text, &mask) < 0 ||
	    read_words(tcp_flags, slash + 1, strlen(slash + 1), &flags) < 0)
		return -EINVAL;
	a->num = mask << 8 | flags;
	return 0;
}

static int read_ipset(const char *text, struct nwfilter_attr *a)
{
	for (const char *c = text; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("_.:-+ ", *c))
			return -EINVAL;
	a->text = xstrdup(text);
	return strlen(text) <= IPSET_MAX ? 0 : -EINVAL;
}

static int read_ipset_flags(const char *text, struct nwfilter_attr *a)
{
	struct buf b = { 0 };
	int n = 0;

	do {
		bool src = !strncasecmp(text, "src", 3);

		if ((!src && strncasecmp(text, "dst", 3)) ||
		    n++ == IPSET_FLAGS_MAX)
			break;
		buf_printf(&b, "%s%s", n > 1 ? "," : "", src ? "src" : "dst");
		text += 3;
	} while (*text == ',' && *++text);
	a->text = buf_steal(&b);
	return *text ? -EINVAL : 0;
}

static int read_value(enum nwfilter_attr_id id, bool v6, const char *text,
		      struct nwfilter_attr *a)
{
	const struct attr_type *t = &types[id];

	switch (t->kind) {
	case KIND_NUM:
		return read_num(t, text, a);
	case KIND_MAC:
		return read_mac(text, a->addr);
	case KIND_MACMASK:
		return read_mac(text, a->addr) < 0 ||
		       count_bits(a->addr, 6) < 0 ? -EINVAL : 0;
	case KIND_IP:
		return read_ip(text, v6, a->addr);
	case KIND_IPV4:
		return read_ip(text, false, a->addr);
	case KIND_IPMASK:
		return read_ipmask(text, v6, a);
	case KIND_IPV4MASK:
		return read_ipmask(text, false, a);
	case KIND_BOOL:
		a->num = str_eq(text, "true") || str_eq(text, "1") ||
			 str_eq(text, "yes");
		return 0;
	case KIND_STATES:
		return read_states(text, a);
	case KIND_TCPFLAGS:
		return read_tcp_flags(text, a);
	case KIND_IPSET:
		return read_ipset(text, a);
	case KIND_IPSETFLAGS:
		return read_ipset_flags(text, a);
	case KIND_TEXT:
		a->text = xasprintf("%.*s", COMMENT_MAX, text);
		return 0;
	}
	return -EINVAL;
}

int nwfilter_attr_value(enum nwfilter_attr_id id, bool v6, const char *text,
			struct nwfilter_attr *ret_attr)
{
	struct nwfilter_attr a = { .present = true };
	int r = read_value(id, v6, text, &a);

	if (r < 0)
		free(a.text);
	else
		*ret_attr = a;
	return r;
}

/* "NAME", "NAME[@1]" (an iterator), "NAME[1]" (an element). */
static int read_var(const char *text, struct nwfilter_attr *a)
{
	size_t len = 0;
	uint64_t n;
	char *end;

	while (isalnum((unsigned char)text[len]) || text[len] == '_')
		len++;
	a->var = xasprintf("%.*s", (int)len, text);
	text += len;
	if (!len || !*text)
		return len ? 0 : -EINVAL;
	if (*text++ != '[')
		return -EINVAL;
	text += strspn(text, " ");
	a->element = *text != '@';
	text += !a->element;
	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	n = strtoull(text, &end, 10);
	end += strspn(end, " ");
	a->index = (unsigned int)n;
	if (*end != ']' || end[1 + strspn(end + 1, " ")])
		return -EINVAL;
	return n > ITERATOR_MAX ? -EINVAL : 0;
}

/* ---- reading ---- */

static void finish_attr(struct nwfilter_attr *a)
{
	free(a->text);
	free(a->var);
	*a = (struct nwfilter_attr){ 0 };
}

static int read_attr(const xmlNode *node, enum nwfilter_attr_id id, bool neg,
		     struct nwfilter_rule *rule, struct error *err)
{
	_cleanup_free_ char *text = xml_attr(node, types[id].name);
	struct nwfilter_attr *a = &rule->attrs[id];
	int r;

	if (!text)
		return 0;
	finish_attr(a);
	a->present = true;
	a->neg = neg && id != NWA_COMMENT;
	r = *text == '$' ? read_var(text + 1, a) :
			   read_value(id, nwfilter_proto_is_v6(rule->proto),
				      text, a);
	return r < 0 ? error_virt(err, VIR_ERR_INTERNAL_ERROR,
				  "%s has illegal value %s", types[id].name,
				  text) : 0;
}

static bool has(const struct nwfilter_rule *rule, enum nwfilter_attr_id id)
{
	return rule->attrs[id].present;
}

/* Ports are those of a protocol that has them. */
static int check_ports(const struct nwfilter_rule *rule, struct error *err)
{
	bool ports = has(rule, NWA_SRCPORT) || has(rule, NWA_DSTPORT) ||
		     has(rule, NWA_SRCPORTEND) || has(rule, NWA_DSTPORTEND);
	const struct nwfilter_attr *p = &rule->attrs[NWA_PROTOCOL];

	if (!ports || (rule->proto != NWF_IP && rule->proto != NWF_IPV6))
		return 0;
	if (p->present && (p->num == 6 || p->num == 17 || p->num == 33 ||
			   p->num == 132))
		return 0;
	return error_virt(err, VIR_ERR_INTERNAL_ERROR,
			  "%s rule with port specification requires protocol "
			  "specification with protocol to be either one of "
			  "tcp(6), udp(17), dccp(33), or sctp(132)",
			  rule->proto == NWF_IP ? "IP" : "IPv6");
}

static int read_attrs(const xmlNode *node, struct nwfilter_rule *rule,
		      struct error *err)
{
	_cleanup_free_ char *match = xml_attr(node, "match");
	bool neg = str_eq(match, "no");
	int r = 0;

	for (const uint8_t *id = protos[rule->proto].attrs; r == 0 && *id < END;
	     id++)
		r = read_attr(node, *id, neg, rule, err);
	return r < 0 ? r : check_ports(rule, err);
}

static enum nwfilter_proto proto_of(const xmlNode *node)
{
	for (int p = NWF_NONE + 1; p < NWF_PROTOS; p++)
		if (xml_is(node, protos[p].name))
			return p;
	return NWF_NONE;
}

/* More elements of the first one's protocol add to it: match='no' of some. */
static int read_elements(const xmlNode *node, struct nwfilter_rule *rule,
			 struct error *err)
{
	int r = 0;

	for (xmlNode *c = xml_child(node, NULL); c && r == 0;
	     c = xml_next(c, NULL)) {
		enum nwfilter_proto p = proto_of(c);

		if (p == NWF_NONE || (rule->proto != NWF_NONE &&
				      rule->proto != p))
			continue;
		rule->proto = p;
		r = read_attrs(c, rule, err);
	}
	if (has(rule, NWA_IPSET) && !has(rule, NWA_IPSETFLAGS)) {
		rule->attrs[NWA_IPSETFLAGS].present = true;
		rule->attrs[NWA_IPSETFLAGS].neg = rule->attrs[NWA_IPSET].neg;
		rule->attrs[NWA_IPSETFLAGS].text = xstrdup("src");
	}
	return r;
}

static int word_index(const char *const *names, int n, const char *word)
{
	for (int i = 0; i < n; i++)
		if (str_eq(names[i], word))
			return i;
	return -1;
}

/* What is no number between the limits is as good as none. */
static int read_priority(const xmlNode *node)
{
	_cleanup_free_ char *text = xml_attr(node, "priority");
	bool neg = text && *text == '-';
	uint64_t n;

	if (!text || parse_u64(text + neg, 10, NWF_PRIORITY_MAX, &n) < 0)
		return PRIORITY_DEFAULT;
	return neg ? -(int)n : (int)n;
}

static int read_rule(const xmlNode *node, struct nwfilter_rule *rule,
		     struct error *err)
{
	_cleanup_free_ char *action = xml_attr(node, "action");
	_cleanup_free_ char *direction = xml_attr(node, "direction");
	_cleanup_free_ char *state = xml_attr(node, "statematch");
	int a = word_index(action_names, NWF_ACTIONS, action);
	int d = word_index(direction_names, NWF_DIRECTIONS, direction);

	if (!action || !direction)
		return error_virt(err, VIR_ERR_INTERNAL_ERROR,
				  "rule node requires %s attribute",
				  action ? "direction" : "action");
	if (a < 0 || d < 0)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "unknown rule %s attribute value",
				  a < 0 ? "action" : "direction");
	rule->action = a;
	rule->direction = d;
	rule->priority = read_priority(node);
	rule->no_state = state && (str_eq(state, "0") ||
				   !strcasecmp(state, "false"));
	return read_elements(node, rule, err);
}

int nwfilter_rule_parse(const xmlNode *node, struct nwfilter_rule **ret_rule,
			struct error *err)
{
	struct nwfilter_rule *rule = xcalloc(1, sizeof(*rule));
	int r = read_rule(node, rule, err);

	if (r < 0)
		nwfilter_rule_free(rule);
	else
		*ret_rule = rule;
	return r;
}

void nwfilter_rule_free(struct nwfilter_rule *rule)
{
	if (!rule)
		return;
	for (int i = 0; i < NWA_COUNT; i++)
		finish_attr(&rule->attrs[i]);
	free(rule);
}

/* ---- writing ---- */

static void put_mac(struct buf *b, const uint8_t mac[6])
{
	buf_printf(b, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		   mac[3], mac[4], mac[5]);
}

static void put_ip(struct buf *b, bool v6, const uint8_t addr[16])
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(v6 ? AF_INET6 : AF_INET, addr, text, sizeof(text));
	buf_puts(b, text);
}

static void put_num(struct buf *b, const struct attr_type *t,
		    const struct nwfilter_attr *a)
{
	const struct word *w = t->words;

	while (w && w->text && w->num != a->num)
		w++;
	if (w && w->text)
		buf_puts(b, w->text);
	else
		buf_printf(b, a->hex ? "0x%x" : "%u", a->num);
}

static void put_words(struct buf *b, const struct word *words, uint32_t sum)
{
	const char *comma = "";

	for (const struct word *w = words; w->text; w++)
		if (w->num && !(w->num & (w->num - 1)) && (sum & w->num)) {
			buf_printf(b, "%s%s", comma, w->text);
			comma = ",";
		}
}

static void put_tcp_flags(struct buf *b, uint32_t flags)
{
	if (!flags || flags == 0x3f)
		buf_puts(b, flags ? "ALL" : "NONE");
	else
		put_words(b, tcp_flags, flags);
}

static void put_var(struct buf *b, const struct nwfilter_attr *a)
{
	buf_printf(b, "$%s", a->var);
	if (a->element || a->index)
		buf_printf(b, a->element ? "[%u]" : "[@%u]", a->index);
}

static void put_value(struct buf *b, enum nwfilter_attr_id id, bool v6,
		      const struct nwfilter_attr *a)
{
	const struct attr_type *t = &types[id];

	switch (t->kind) {
	case KIND_NUM:
		put_num(b, t, a);
		return;
	case KIND_MAC:
	case KIND_MACMASK:
		put_mac(b, a->addr);
		return;
	case KIND_IP:
	case KIND_IPV4:
		put_ip(b, v6 && t->kind == KIND_IP, a->addr);
		return;
	case KIND_IPMASK:
	case KIND_IPV4MASK:
		buf_printf(b, "%u", a->num);
		return;
	case KIND_BOOL:
		buf_puts(b, a->num ? "true" : "false");
		return;
	case KIND_STATES:
		put_words(b, states, a->num);
		return;
	case KIND_TCPFLAGS:
		put_tcp_flags(b, a->num >> 8);
		buf_puts(b, "/");
		put_tcp_flags(b, a->num & 0xff);
		return;
	case KIND_IPSET:
	case KIND_IPSETFLAGS:
	case KIND_TEXT:
		buf_puts(b, a->text);
		return;
	}
}

static void format_attr(xmlNode *node, const struct nwfilter_rule *rule,
			enum nwfilter_attr_id id)
{
	const struct nwfilter_attr *a = &rule->attrs[id];
	struct buf b = { 0 };

	if (a->var)
		put_var(&b, a);
	else
		put_value(&b, id, nwfilter_proto_is_v6(rule->proto), a);
	xml_set(node, types[id].name, "%s", b.data ? b.data : "");
	buf_free(&b);
}

/* What must not fit is in an element of its own, as libvirt's write it. */
static void format_protocol(const struct nwfilter_rule *rule, xmlNode *parent)
{
	const struct proto *p = &protos[rule->proto];
	xmlNode *node = NULL;
	bool neg = false;

	for (const uint8_t *id = p->attrs; *id < END; id++) {
		if (!rule->attrs[*id].present)
			continue;
		if (!node || rule->attrs[*id].neg != neg) {
			neg = rule->attrs[*id].neg;
			node = xml_add(parent, p->name, NULL);
			if (neg)
				xml_set(node, "match", "no");
		}
		format_attr(node, rule, *id);
	}
	if (!node)
		xml_add(parent, p->name, NULL);
}

void nwfilter_rule_format(const struct nwfilter_rule *rule, xmlNode *parent)
{
	xmlNode *node = xml_add(parent, "rule", NULL);

	xml_set(node, "action", "%s", action_names[rule->action]);
	xml_set(node, "direction", "%s", direction_names[rule->direction]);
	xml_set(node, "priority", "%d", rule->priority);
	if (rule->no_state)
		xml_set(node, "statematch", "false");
	if (rule->proto != NWF_NONE)
		format_protocol(rule, node);
}
