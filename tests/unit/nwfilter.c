/*
 * tests/unit/nwfilter.c -- network filters: read, written, refused; what of
 * them becomes rules of nftables.
 *
 * usage: nwfilter [--format FILE | --text BINDING FILTER...]
 */
#include <assert.h>
#include <errno.h>
#include <libvirt/virterror.h>
#include <nftables/libnftables.h>
#include <sched.h>
#include <string.h>

#include "base/error.h"
#include "model/nwfilter.h"
#include "model/schemas.h"
#include "network/net/filter.h"

/* ---- documents ---- */

static char *again(const char *xml)
{
	struct error err = { 0 };
	struct nwfilter_def *def;
	char *text;

	if (nwfilter_def_parse(xml, true, &def, &err) < 0) {
		fprintf(stderr, "%s\n%s\n", err.message, xml);
		abort();
	}
	text = nwfilter_def_format(def);
	nwfilter_def_free(def);
	return text;
}

static const char everything[] =
	"<filter name='all-of-it' chain='ipv4-x' priority='-7'>\n"
	"  <uuid>12345678-1234-4234-8234-123456789abc</uuid>\n"
	"  <filterref filter='other'>\n"
	"    <parameter name='IP' value='10.0.0.1'/>\n"
	"    <parameter name='IP' value='10.0.0.2'/>\n"
	"  </filterref>\n"
	"  <rule action='drop' direction='in' priority='500'/>\n"
	"  <rule action='accept' direction='out' priority='-3' "
	"statematch='false'>\n"
	"    <tcp srcmacaddr='01:02:03:04:05:06' srcipaddr='$A' "
	"srcipmask='24' dscp='0x3f' state='NEW,RELATED' "
	"srcportstart='$P[@1]' srcportend='0x50' flags='SYN,ACK/SYN' "
	"comment='why &amp; how'/>\n"
	"  </rule>\n"
	"  <rule action='return' direction='inout' priority='500'>\n"
	"    <mac srcmacaddr='$MAC' srcmacmask='ff:ff:00:00:00:00'/>\n"
	"    <mac match='no' protocolid='arp'/>\n"
	"  </rule>\n"
	"  <rule action='continue' direction='in' priority='500'>\n"
	"    <arp opcode='Reply' arpsrcipaddr='$IP[2]' gratuitous='true'/>\n"
	"  </rule>\n"
	"  <rule action='reject' direction='in' priority='500'>\n"
	"    <all-ipv6 srcipaddr='2001:db8::1' srcipmask='64'/>\n"
	"  </rule>\n"
	"  <rule action='accept' direction='in' priority='500'>\n"
	"    <stp type='0x3' root-priority='1' root-priority-hi='9' "
	"root-cost='4000000000'/>\n"
	"  </rule>\n"
	"</filter>\n";

static void test_documents(void)
{
	char *text = again(everything);

	if (!str_eq(text, everything))
		fprintf(stderr, "%s", text);
	assert(str_eq(text, everything));
	free(text);
	text = again("<filter name='a' chain='arp'>"
		     "<rule action='drop' direction='in' priority='9'>"
		     "<ip protocol='17' srcipmask='255.255.0.0'/></rule>"
		     "</filter>");
	assert(strstr(text, "chain='arp' priority='-500'"));
	assert(strstr(text, "protocol='udp'"));
	assert(strstr(text, "srcipmask='16'"));
	free(text);
}

static void refused(const char *inside, int code, const char *why)
{
	char *xml = xasprintf("<filter name='a'>%s</filter>", inside);
	struct error err = { 0 };
	struct nwfilter_def *def;

	assert(nwfilter_def_parse(xml, false, &def, &err) < 0);
	if (err.code != code || !strstr(err.message, why))
		fprintf(stderr, "%s: %s\n", inside, err.message);
	assert(err.code == code && strstr(err.message, why));
	free(xml);
}

static void refused_attr(const char *attr, const char *name)
{
	char *rule = xasprintf("<rule action='drop' direction='in'><%s/>"
			       "</rule>", attr);

	refused(rule, VIR_ERR_INTERNAL_ERROR, name);
	free(rule);
}

static void test_refusals(void)
{
	struct error err = { 0 };
	struct nwfilter_def *def;

	refused("<rule direction='in'/>", VIR_ERR_INTERNAL_ERROR, "action");
	refused("<rule action='drop'/>", VIR_ERR_INTERNAL_ERROR, "direction");
	refused("<rule action='x' direction='in'/>",
		VIR_ERR_CONFIG_UNSUPPORTED, "action");
	refused("<filterref/>", VIR_ERR_XML_ERROR, "filter");
	refused("<uuid>1</uuid>", VIR_ERR_XML_ERROR, "uuid");
	refused_attr("mac srcmacaddr='1:2'", "srcmacaddr has illegal value");
	refused_attr("mac srcmacmask='ff:00:ff:00:00:00'", "srcmacmask");
	refused_attr("mac protocolid='5'", "protocolid");
	refused_attr("ip srcipaddr='1.2.3'", "srcipaddr");
	refused_attr("ip srcipaddr='::1'", "srcipaddr");
	refused_attr("ip srcipmask='33'", "srcipmask");
	refused_attr("ip srcipaddr='$A[x]'", "srcipaddr");
	refused_attr("ip srcipaddr='$A[@1001]'", "srcipaddr");
	refused_attr("ip dscp='64'", "dscp");
	refused_attr("ip srcportstart='1'", "port specification");
	refused_attr("tcp flags='SYN'", "flags");
	refused_attr("tcp state='OLD'", "state");
	refused_attr("vlan vlanid='4096'", "vlanid");
	refused_attr("all ipsetflags='src,xyz'", "ipsetflags");
	assert(nwfilter_def_parse("<filter name='a' chain='tcp'/>", false,
				  &def, &err) < 0);
	assert(err.code == VIR_ERR_INVALID_ARG);
	assert(nwfilter_def_parse("<filter name='a' priority='1001'/>", false,
				  &def, &err) < 0);
	assert(nwfilter_def_parse("<filter/>", false, &def, &err) < 0);
}

static const char binding_xml[] =
	"<filterbinding>\n"
	"  <owner>\n"
	"    <name>vm</name>\n"
	"    <uuid>12345678-1234-4234-8234-123456789abc</uuid>\n"
	"  </owner>\n"
	"  <portdev name='vnet-0'/>\n"
	"  <mac address='52:54:00:11:22:33'/>\n"
	"  <filterref filter='%s'>\n"
	"    <parameter name='IP' value='10.0.0.1'/>\n"
	"    <parameter name='IP' value='10.0.0.2'/>\n"
	"  </filterref>\n"
	"</filterbinding>\n";

static struct nwfilter_binding *binding_of(const char *filter)
{
	char *xml = xasprintf(binding_xml, filter), *text;
	struct nwfilter_binding *b;
	struct error err = { 0 };

	if (nwfilter_binding_parse(xml, true, &b, &err) < 0)
		fprintf(stderr, "%s\n", err.message);
	text = nwfilter_binding_format(b);
	assert(str_eq(text, xml));
	free(text);
	free(xml);
	return b;
}

/* ---- rules ---- */

enum { FILTERS = 64 };
struct shelf {
	struct nwfilter_def *defs[FILTERS];
	unsigned int n;
};

static const struct nwfilter_def *find(void *arg, const char *name)
{
	struct shelf *s = arg;

	for (unsigned int i = 0; i < s->n; i++)
		if (str_eq(s->defs[i]->name, name))
			return s->defs[i];
	return NULL;
}

static struct nwfilter_def *put(struct shelf *s, const char *xml)
{
	struct error err = { 0 };

	if (nwfilter_def_parse(xml, true, &s->defs[s->n], &err) < 0) {
		fprintf(stderr, "%s\n%s\n", err.message, xml);
		abort();
	}
	return s->defs[s->n++];
}

static void fill(struct shelf *s)
{
	for (int i = 0; nwfilter_standard[i].name; i++) {
		struct nwfilter_def *def = put(s, nwfilter_standard[i].xml);

		assert(str_eq(def->name, nwfilter_standard[i].name));
	}
}

static void empty(struct shelf *s)
{
	while (s->n)
		nwfilter_def_free(s->defs[--s->n]);
}

static struct filter_library library_of(struct shelf *s)
{
	return (struct filter_library){ find, s };
}

/* What the port has of rules, without what every port has. */
static char *rules_of(struct shelf *s, const char *filter)
{
	struct filter_library library = library_of(s);
	struct nwfilter_binding *b = binding_of(filter);
	struct error err = { 0 };
	struct filter_plan *plan;
	struct buf out = { 0 };
	char *text, *line, *save;

	nwfilter_vars_add(&b->ref.params, "GATEWAY_MAC", "52:54:00:00:00:01");
	nwfilter_vars_add(&b->ref.params, "DHCPSERVER",
			  strstr(filter, "v6") ? "2001:db8::1" : "10.0.0.254");
	nwfilter_vars_add(&b->ref.params, "IPV6", "2001:db8::5");
	if (filter_plan_of(b, NULL, &library, &plan, &err) < 0 ||
	    filter_plan_check(plan, &err) < 0) {
		fprintf(stderr, "%s: %s\n", filter, err.message);
		abort();
	}
	text = filter_text(plan);
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		if (str_startswith(line, "add rule bridge vireo port_"))
			buf_printf(&out, "%s\n",
				   line + strlen("add rule bridge vireo port_"));
	free(text);
	free(plan);
	nwfilter_binding_free(b);
	return buf_steal(&out);
}

static void expect(struct shelf *s, const char *filter, const char *want)
{
	char *got = rules_of(s, filter);

	if (!str_eq(got, want))
		fprintf(stderr, "%s: got:\n%swant:\n%s", filter, got, want);
	assert(str_eq(got, want));
	free(got);
}

/* A filter of one rule. */
static void expect_rule(const char *rule, const char *want)
{
	char *xml = xasprintf("<filter name='one'>%s</filter>", rule);
	struct shelf s = { 0 };

	put(&s, xml);
	expect(&s, "one", want);
	empty(&s);
	free(xml);
}

#define P "vnet_2d0_"

static void test_standard(void)
{
	struct shelf s = { 0 };

	fill(&s);
	expect(&s, "no-mac-spoofing",
	       P "0 jump port_" P "4\n"
	       P "4 ether saddr 52:54:00:11:22:33 return\n"
	       P "4 drop\n");
	expect(&s, "no-ip-spoofing",
	       P "0 ether type 0x0800 jump port_" P "4\n"
	       P "4 ether type 0x0800 ip saddr 0.0.0.0 meta l4proto 17 return\n"
	       P "4 ether type 0x0800 ip saddr 10.0.0.1 return\n"
	       P "4 ether type 0x0800 ip saddr 10.0.0.2 return\n"
	       P "4 drop\n");
	expect(&s, "clean-traffic",
	       P "0 jump port_" P "4\n"
	       P "0 ether type 0x0800 jump port_" P "6\n"
	       P "0 ether type 0x0800 accept\n"
	       P "0 ether type 0x0806 jump port_" P "8\n"
	       P "0 ether type 0x0806 jump port_" P "10\n"
	       P "0 ether type 0x0806 accept\n"
	       P "0 ether type 0x8035 jump port_" P "12\n"
	       P "0 ether type 0x0835 accept\n"
	       P "0 drop\n"
	       P "4 ether saddr 52:54:00:11:22:33 return\n"
	       P "4 drop\n"
	       P "6 ether type 0x0800 ip saddr 0.0.0.0 meta l4proto 17 return\n"
	       P "6 ether type 0x0800 ip saddr 10.0.0.1 return\n"
	       P "6 ether type 0x0800 ip saddr 10.0.0.2 return\n"
	       P "6 drop\n"
	       P "8 ether type 0x0806 @nh,64,48 0x525400112233 return\n"
	       P "8 drop\n"
	       P "10 ether type 0x0806 @nh,112,32 0x0a000001 return\n"
	       P "10 ether type 0x0806 @nh,112,32 0x0a000002 return\n"
	       P "10 drop\n"
	       P "12 ether type 0x8035 ether saddr 52:54:00:11:22:33 "
	       "ether daddr ff:ff:ff:ff:ff:ff @nh,48,16 0x0003 "
	       "@nh,64,48 0x525400112233 @nh,144,48 0x525400112233 "
	       "@nh,112,32 0x00000000 @nh,192,32 0x00000000 accept\n"
	       P "12 drop\n"
	       P "1 ether type 0x0800 jump port_" P "5\n"
	       P "1 ether type 0x0806 accept\n"
	       P "1 ether type 0x8035 jump port_" P "7\n"
	       P "1 drop\n"
	       P "5 accept\n"
	       P "7 ether type 0x8035 ether daddr ff:ff:ff:ff:ff:ff "
	       "@nh,48,16 0x0003 @nh,64,48 0x525400112233 "
	       "@nh,144,48 0x525400112233 @nh,112,32 0x00000000 "
	       "@nh,192,32 0x00000000 accept\n"
	       P "7 drop\n");
	empty(&s);
}

static void test_rules(void)
{
	expect_rule("<rule action='accept' direction='out'>"
		    "<tcp dstportstart='80' dstportend='90'/></rule>",
		    P "2 ether type 0x0800 meta l4proto 6 th dport 80-90 "
		    "ct state new,established ct direction original accept\n"
		    P "3 ether type 0x0800 meta l4proto 6 th sport 80-90 "
		    "ct state established ct direction reply accept\n");
	expect_rule("<rule action='reject' direction='out'>"
		    "<udp-ipv6 dstipaddr='2001:db8::' dstipmask='32'/></rule>",
		    P "2 ether type 0x86dd ip6 daddr & ffff:ffff:: == "
		    "2001:db8:: meta l4proto 17 reject\n"
		    P "3 ether type 0x86dd ip6 saddr & ffff:ffff:: == "
		    "2001:db8:: meta l4proto 17 drop\n");
	expect_rule("<rule action='accept' direction='in' statematch='0'>"
		    "<tcp state='NEW' flags='SYN,ACK/SYN'/></rule>",
		    P "2 ether type 0x0800 meta l4proto 6 "
		    "tcp flags & 0x12 == 0x02 accept\n"
		    P "3 ether type 0x0800 meta l4proto 6 "
		    "tcp flags & 0x12 == 0x02 accept\n");
	expect_rule("<rule action='accept' direction='in'>"
		    "<all state='NEW'/></rule>",
		    P "3 ether type 0x0800 ct state new accept\n");
	expect_rule("<rule action='accept' direction='in'>"
		    "<icmp type='8'/></rule>",
		    P "3 ether type 0x0800 meta l4proto 1 @th,0,8 8 "
		    "ct state new,established accept\n");
	expect_rule("<rule action='drop' direction='inout'>"
		    "<mac match='no' srcmacaddr='$MAC' "
		    "srcmacmask='ff:ff:ff:00:00:00'/></rule>",
		    P "0 ether daddr & ff:ff:ff:00:00:00 != 52:54:00:00:00:00 "
		    "drop\n"
		    P "1 ether saddr & ff:ff:ff:00:00:00 != 52:54:00:00:00:00 "
		    "drop\n");
	expect_rule("<rule action='drop' direction='out'>"
		    "<ip srcipaddr='$IP[1]' dstipaddr='$IP[@2]'/></rule>",
		    P "0 ether type 0x0800 ip saddr 10.0.0.2 "
		    "ip daddr 10.0.0.1 drop\n"
		    P "0 ether type 0x0800 ip saddr 10.0.0.2 "
		    "ip daddr 10.0.0.2 drop\n");
}

/* Iterators with the same number go together, others make combinations. */
static void test_iterators(void)
{
	struct shelf s = { 0 };
	char *got;
	int n = 0;

	put(&s, "<filter name='it'><filterref filter='in'>"
		"<parameter name='A' value='1'/>"
		"<parameter name='A' value='2'/>"
		"<parameter name='B' value='3'/>"
		"<parameter name='B' value='4'/></filterref></filter>");
	put(&s, "<filter name='in'>"
		"<rule action='drop' direction='in' statematch='0'>"
		"<tcp srcipaddr='$IP[@1]' srcportstart='$A' dstportstart='$B'/>"
		"</rule></filter>");
	got = rules_of(&s, "it");
	for (char *c = got; (c = strchr(c, '\n')); c++)
		n++;
	assert(n == 8); /* two addresses, two pairs of ports, both ways */
	assert(strstr(got, "th sport 1 th dport 3"));
	assert(strstr(got, "th sport 2 th dport 4"));
	assert(!strstr(got, "th sport 1 th dport 4"));
	free(got);
	empty(&s);
}

static void cannot(struct shelf *s, const char *filter, const char *why)
{
	struct filter_library library = library_of(s);
	struct nwfilter_binding *b = binding_of(filter);
	struct error err = { 0 };
	struct filter_plan *plan;

	assert(filter_plan_of(b, NULL, &library, &plan, &err) < 0);
	if (!strstr(err.message, why))
		fprintf(stderr, "%s: %s\n", filter, err.message);
	assert(strstr(err.message, why));
	nwfilter_binding_free(b);
}

static void test_impossible(void)
{
	struct shelf s = { 0 };
	struct filter_library library = library_of(&s);
	struct nwfilter_def *a, *b;
	struct error err = { 0 };

	a = put(&s, "<filter name='a'><filterref filter='b'/></filter>");
	b = put(&s, "<filter name='b'><filterref filter='a'/></filter>");
	put(&s, "<filter name='c'><filterref filter='none'/></filter>");
	put(&s, "<filter name='d'><rule action='drop' direction='in'>"
		"<ip srcipaddr='$DHCPSERVER'/></rule></filter>");
	put(&s, "<filter name='e'><rule action='drop' direction='in'>"
		"<tcp connlimit-above='1'/></rule></filter>");
	put(&s, "<filter name='f'><rule action='drop' direction='in'>"
		"<ip srcipaddr='$IP[2]'/></rule></filter>");
	put(&s, "<filter name='g'><rule action='drop' direction='in'>"
		"<mac srcmacaddr='$IP'/></rule></filter>");
	cannot(&s, "a", "refers to too many others");
	cannot(&s, "c", "'none' is missing");
	cannot(&s, "d", "'DHCPSERVER' has no value");
	cannot(&s, "e", "connlimit-above");
	cannot(&s, "f", "has not so many values");
	cannot(&s, "g", "srcmacaddr cannot be '10.0.0.1'");
	assert(filter_check_loop(a, &library, &err) < 0);
	assert(strstr(err.message, "loop"));
	assert(filter_uses(b, "a", &library));
	assert(!filter_uses(s.defs[2], "a", &library));
	empty(&s);
}

/* What the privileged half does not believe. */
static void test_checks(void)
{
	struct filter_plan *p = xcalloc(1, sizeof(*p) +
						   sizeof(p->rules[0]));
	struct filter_rule *r = &p->rules[0];
	struct error err = { 0 };

	strcpy(p->port, "vnet0");
	p->n = 1;
	assert(filter_plan_check(p, &err) == 0);
	*r = (struct filter_rule){ .chain = FILTER_CHAINS };
	assert(filter_plan_check(p, &err) < 0);
	*r = (struct filter_rule){ .verdict = FV_JUMP, .target = 5 };
	assert(filter_plan_check(p, &err) < 0);
	*r = (struct filter_rule){ .verdict = FV_JUMP, .chain = 4,
				   .target = 6 };
	assert(filter_plan_check(p, &err) < 0);
	*r = (struct filter_rule){ .verdict = FV_REJECT, .chain = 3 };
	assert(filter_plan_check(p, &err) < 0);
	*r = (struct filter_rule){ .n = FILTER_MATCHES + 1 };
	assert(filter_plan_check(p, &err) < 0);
	*r = (struct filter_rule){ .n = 1, .m[0].key = FK_COUNT };
	assert(filter_plan_check(p, &err) < 0);
	*r = (struct filter_rule){ .n = 1, .m[0] = { .key = FK_VLAN_ID,
						     .a = { 0x10 } } };
	assert(filter_plan_check(p, &err) < 0);
	p->n = FILTER_RULES + 1;
	assert(filter_plan_check(p, &err) < 0);
	p->n = 0;
	strcpy(p->port, "a\"b");
	assert(filter_plan_check(p, &err) < 0);
	free(p);
}

/* ---- with a kernel ---- */

static char *ruleset(void)
{
	struct nft_ctx *ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	char *text;

	nft_ctx_buffer_output(ctx);
	nft_ctx_buffer_error(ctx);
	nft_run_cmd_from_buffer(ctx, "list ruleset");
	text = xstrdup(nft_ctx_get_output_buffer(ctx));
	nft_ctx_free(ctx);
	return text;
}

/* What the kernel has of a port: how often it is named. */
static int count_of(const char *what)
{
	char *text = ruleset();
	int n = 0;

	for (char *c = text; (c = strstr(c, what)); c++)
		n++;
	free(text);
	return n;
}

static const char odd[] =
	"<filter name='odd'>"
	"<rule action='drop' direction='out'><vlan vlanid='7' "
	"encap-protocol='ipv4'/></rule>"
	"<rule action='drop' direction='in'><stp type='1' root-priority='1' "
	"root-priority-hi='5' sender-address='1:2:3:4:5:6' age='3'/></rule>"
	"<rule action='drop' direction='inout'><rarp hwtype='1' "
	"protocoltype='0x800' arpdstipaddr='10.0.0.0' arpdstipmask='8'/>"
	"</rule>"
	"<rule action='accept' direction='in'><ipv6 type='1' typeend='4' "
	"code='2'/></rule>"
	"<rule action='drop' direction='out'><tcp option='5' dscp='3' "
	"srcipfrom='10.0.0.1' srcipto='10.0.0.9'/></rule>"
	"<rule action='drop' direction='out'><tcp-ipv6 dscp='3' "
	"match='no' dstipfrom='2001:db8::1' dstipto='2001:db8::9'/></rule>"
	"</filter>";

/* Not every kernel's bridges know connections, or can reject. */
static const char rare[] =
	"<filter name='rare'>"
	"<rule action='reject' direction='out'><udp dstportstart='53'/></rule>"
	"<rule action='accept' direction='out'><tcp/></rule>"
	"<rule action='accept' direction='inout'><sctp state='INVALID'/>"
	"</rule></filter>";

static int set_one(struct shelf *s, const char *name, struct error *err)
{
	struct filter_library library = library_of(s);
	struct nwfilter_binding *b = binding_of(name);
	struct filter_plan *plan;
	int r;

	nwfilter_vars_add(&b->ref.params, "GATEWAY_MAC", "52:54:00:00:00:01");
	nwfilter_vars_add(&b->ref.params, "DHCPSERVER",
			  strstr(name, "v6") ? "::1" : "10.0.0.254");
	r = filter_plan_of(b, NULL, &library, &plan, err);
	assert(r == 0);
	r = filter_set(plan, err);
	free(plan);
	nwfilter_binding_free(b);
	return r;
}

/* Each in the place of the one before, and nothing is left in the end. */
static void test_kernel(void)
{
	struct error err = { 0 };
	struct shelf s = { 0 };

	fill(&s);
	put(&s, odd);
	for (unsigned int i = 0; i < s.n; i++) {
		if (set_one(&s, s.defs[i]->name, &err) == 0)
			continue;
		fprintf(stderr, "%s: %s\n", s.defs[i]->name, err.message);
		abort();
	}
	put(&s, rare);
	if (set_one(&s, "rare", &err) < 0)
		fprintf(stderr, "%s: not tested\n", err.message);
	assert(set_one(&s, "clean-traffic", &err) == 0);
	assert(count_of("saddr 10.0.0.2 return") == 1);
	assert(set_one(&s, "no-mac-spoofing", &err) == 0);
	assert(count_of("saddr 10.0.0.2") == 0);
	assert(count_of("chain port_") == 5);
	assert(filter_remove("vnet-0", &err) == 0);
	assert(filter_remove("vnet-0", &err) == 0);
	assert(count_of("port_") == 0);
	empty(&s);
}

static char *read_file(const char *path)
{
	struct buf b = { 0 };
	FILE *f = fopen(path, "r");
	char part[4096];
	size_t n;

	assert(f);
	while ((n = fread(part, 1, sizeof(part), f)))
		buf_add(&b, part, n);
	fclose(f);
	return buf_steal(&b);
}

/* For a script: the text for a binding, with the standard and more filters. */
static int print_text(char **paths)
{
	struct shelf s = { 0 };
	struct filter_library library = library_of(&s);
	struct nwfilter_binding *b;
	struct error err = { 0 };
	struct filter_plan *plan;
	char *xml = read_file(*paths);

	fill(&s);
	assert(nwfilter_binding_parse(xml, true, &b, &err) == 0);
	free(xml);
	while (*++paths) {
		xml = read_file(*paths);
		put(&s, xml);
		free(xml);
	}
	if (filter_plan_of(b, NULL, &library, &plan, &err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	xml = filter_text(plan);
	fputs(xml, stdout);
	free(xml);
	free(plan);
	nwfilter_binding_free(b);
	empty(&s);
	return 0;
}

int main(int argc, char **argv)
{
	const char *src = getenv("srcdir");
	char *dir = xasprintf("%s/xml-schemas", src ? src : ".");
	struct error err = { 0 };

	assert(model_schemas_load(dir, &err) == 0);
	free(dir);
	if (argc > 2 && str_eq(argv[1], "--format")) {
		char *xml = read_file(argv[2]), *text = again(xml);

		fputs(text, stdout);
		free(text);
		free(xml);
		return 0;
	}
	if (argc > 2 && str_eq(argv[1], "--text"))
		return print_text(argv + 2);
	test_documents();
	test_refusals();
	test_standard();
	test_rules();
	test_iterators();
	test_impossible();
	test_checks();
	if (unshare(CLONE_NEWNET) < 0) {
		fprintf(stderr, "no namespace of its own: half is skipped\n");
		return errno == EPERM ? 0 : 1;
	}
	test_kernel();
	model_schemas_unload();
	return 0;
}
