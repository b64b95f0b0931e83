/*
 * tests/unit/net.c -- networks on a host: in a network namespace of the test's
 * own, against the kernel and dnsmasq.
 *
 * Without the right to make one, only what needs no kernel is tested.
 */
#include <assert.h>
#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <nftables/libnftables.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>

#include "base/error.h"
#include "network/net/bridge.h"
#include "network/net/dnsmasq.h"
#include "network/net/netlink.h"
#include "network/net/nft.h"
#include "network/net/rate.h"
#include "network/net/rules.h"
#include "network/net/view.h"

static struct network_def *parse(const char *xml)
{
	struct network_def *def = NULL;
	struct error err = { 0 };

	if (network_def_parse(xml, 0, &def, &err) < 0)
		fprintf(stderr, "%s\n", err.message);
	assert(def);
	return def;
}

static const char nat_xml[] =
	"<network><name>n</name><bridge name='vtest0'/><forward mode='nat'>"
	"<nat ipv6='yes'/></forward><domain name='lab.example'/>"
	"<dns><txt name='t' value='a \"b\"'/>"
	"<srv service='sip' protocol='tcp' target='s' port='5060'/>"
	"<host ip='10.77.0.9'><hostname>nine</hostname></host></dns>"
	"<ip address='10.77.0.1' prefix='24'><dhcp>"
	"<range start='10.77.0.10' end='10.77.0.20'/>"
	"<host mac='52:54:00:00:00:01' name='one' ip='10.77.0.5'/></dhcp></ip>"
	"<ip family='ipv6' address='fd77::1' prefix='64'/>"
	"<route address='10.78.0.0' prefix='16' gateway='10.77.0.5'/>"
	"<portgroup name='red'><vlan><tag id='42'/></vlan></portgroup>"
	"</network>";

static bool has(const char *text, const char *part)
{
	if (strstr(text, part))
		return true;
	fprintf(stderr, "no '%s' in:\n%s\n", part, text);
	return false;
}

static void test_dnsmasq(void)
{
	struct network_def *def = parse(nat_xml);
	struct dnsmasq_files files;
	const char *line;

	assert(dnsmasq_wanted(def));
	dnsmasq_write(def, &files);
	assert(has(files.conf.data, "\ndhcp-range=10.77.0.10,10.77.0.20,255.255.255.0\n"));
	assert(has(files.conf.data, "\ndhcp-lease-max=12\n"));
	assert(has(files.conf.data, "\ndhcp-range=fd77::1,ra-only\n"));
	assert(has(files.conf.data, "\ntxt-record=t,\"a \\\"b\\\"\"\n"));
	assert(has(files.conf.data, "\nsrv-host=_sip._tcp.lab.example,s,5060\n"));
	assert(!strcmp(files.hosts.data, "52:54:00:00:00:01,one,10.77.0.5\n"));
	assert(!strcmp(files.names.data, "10.77.0.9\tnine\n"));
	/* What we write is what we let through. */
	for (line = files.conf.data; *line; line = strchr(line, '\n') + 1)
		assert(dnsmasq_line_ok(line, strcspn(line, "\n")));
	assert(!dnsmasq_line_ok("dhcp-script=/bin/sh", 19));
	assert(!dnsmasq_line_ok("conf-file=/etc/x", 16));
	assert(!dnsmasq_line_ok("port=01", 7));
	assert(!dnsmasq_line_ok("", 0));
	dnsmasq_files_free(&files);
	network_def_free(def);
}

static void test_leases(void)
{
	struct net_lease_entry *e;
	unsigned int n = leases_parse(
		"1700000000 52:54:00:00:00:01 10.77.0.5 one 01:52:54\n"
		"rubbish\n"
		"0 52:54:00:00:00:02 10.77.0.6 * *\n"
		"1 2 not-an-address * *\n"
		"duid 00:01:00:01:aa\n"
		"1700000001 123 fd77::5 * 00:03:00:01:52:54:00:00:00:03\n",
		&e);

	assert(n == 3);
	assert(e[0].expiry == 1700000000 && str_eq(e[0].hostname, "one"));
	assert(!e[1].hostname && !e[1].client_id && !e[1].expiry);
	assert(e[2].v6 && str_eq(e[2].mac, "52:54:00:00:00:03"));
	leases_free(e, n);
}

static void test_clash(void)
{
	static const char view[] = "dev lo\ndev eth0\n"
				   "net 0.0.0.0/0 eth0\n"
				   "net 192.168.122.0/23 eth0\n"
				   "net 10.77.0.128/25 vtest0\n"
				   "neigh 10.77.0.5 52:54:00:00:00:01 vtest0\n";
	struct network_def *def = parse(nat_xml);
	struct error err = { 0 };
	unsigned int n = 0;

	assert(view_clash(view, def, &err) == 0); /* its own */
	free(def->bridge);
	def->bridge = xstrdup("other");
	assert(view_clash(view, def, &err) < 0);
	assert(has(err.message, "10.77.0.1/24 is already in use by interface vtest0; 192.168.124.0/24"));
	assert(view_free_subnet(view, &n) == 0 && n == 124);
	assert(view_free_subnet("", &n) == 0 && n == 122);
	assert(view_free_subnet("net 192.168.0.0/17 a\nnet 192.168.128.0/17 a\n",
				&n) == -EADDRNOTAVAIL);
	assert(view_has_dev(view, "eth0") && !view_has_dev(view, "eth"));
	network_def_free(def);
}

static void test_plan_check(void)
{
	struct network_def *def = parse(nat_xml);
	struct net_plan plan, bad;

	assert(net_plan_of(def, &plan, NULL) == 0);
	assert(net_plan_check(&plan, NULL) == 0);
	bad = plan;
	bad.n_ips = PLAN_IPS + 1;
	assert(net_plan_check(&bad, NULL) < 0);
	bad = plan;
	memset(bad.bridge, 'a', sizeof(bad.bridge));
	assert(net_plan_check(&bad, NULL) < 0);
	bad = plan;
	strcpy(bad.bridge, "a\"; }");
	assert(net_plan_check(&bad, NULL) < 0);
	bad = plan;
	bad.ips[0].prefix = 33;
	assert(net_plan_check(&bad, NULL) < 0);
	network_def_free(def);
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

static void flush_ruleset(void)
{
	struct nft_ctx *ctx = nft_ctx_new(NFT_CTX_DEFAULT);

	assert(nft_run_cmd_from_buffer(ctx, "flush ruleset") == 0);
	nft_ctx_free(ctx);
}

static void say(const struct error *err)
{
	if (err->message[0])
		fprintf(stderr, "%s\n", err->message);
}

static void test_bridge(const struct net_plan *plan)
{
	struct net_plan other = *plan;
	struct error err = { 0 };
	struct buf view = { 0 };

	assert(bridge_up(plan, &err) == 0 || (say(&err), false));
	/* Again: there is nothing to do. */
	assert(bridge_up(plan, &err) == 0 || (say(&err), false));
	assert(view_write(&view, &err) == 0);
	assert(has(view.data, "dev vtest0\n"));
	assert(has(view.data, "net 10.77.0.0/24 vtest0\n"));
	assert(has(view.data, "net 10.78.0.0/16 vtest0\n"));
	assert(has(view.data, "net fd77::/64 vtest0\n"));
	buf_free(&view);
	/* Another network's, whatever its name. */
	other.uuid[0] ^= 1;
	assert(bridge_up(&other, &err) == -EEXIST);
	assert(bridge_down(&other, &err) == 0);
	assert(if_nametoindex("vtest0"));
	strcpy(other.bridge, "lo");
	assert(bridge_down(&other, &err) == 0 && if_nametoindex("lo"));
	assert(bridge_down(plan, &err) == 0);
	assert(!if_nametoindex("vtest0"));
	assert(bridge_down(plan, &err) == 0);
}

static void test_rules(const struct net_plan *plan)
{
	struct net_plan second = *plan;
	_cleanup_free_ char *one = NULL, *two = NULL, *again = NULL,
			    *three = NULL;
	struct error err = { 0 };

	if (rules_set(plan, &err) < 0)
		fprintf(stderr, "%s\n%s", err.message, rules_text(plan));
	assert(!err.message[0]);
	one = ruleset();
	assert(has(one, "\"vtest0\" : jump to_"));
	assert(has(one, "\"vtest0\" : jump nat_"));
	assert(has(one, "masquerade to :1024-65535"));
	assert(rules_set(plan, &err) == 0 || (say(&err), false));
	again = ruleset();
	assert(!strcmp(one, again));
	flush_ruleset();
	assert(rules_set(plan, &err) == 0);
	second.uuid[0] ^= 1;
	strcpy(second.bridge, "vtest1");
	second.ips[0].addr[1] = 99;
	second.ips[1].addr[1] = 99;
	assert(rules_set(&second, &err) == 0 || (say(&err), false));
	two = ruleset();
	assert(has(two, "vtest0") && has(two, "vtest1"));
	assert(rules_remove(&second, &err) == 0 || (say(&err), false));
	/* Once more: it is gone already. */
	assert(rules_remove(&second, &err) == 0 || (say(&err), false));
	three = ruleset();
	assert(!strcmp(one, three));
}

/* Whatever somebody takes away of a network's rules, it is noticed. */
static void test_intact(const struct net_plan *plan)
{
	static const char *const harm[] = {
		"flush ruleset", "flush table inet vireo",
		"delete table inet vireo", "flush map inet vireo nat",
		"flush chain inet vireo forward",
	};
	struct error err = { 0 };
	int fd = rules_watch_open(&err);

	assert(fd >= 0 || (say(&err), false));
	assert(!rules_intact(plan));
	assert(rules_watch_read(fd) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(harm); i++) {
		assert(rules_set(plan, &err) == 0 || (say(&err), false));
		assert(rules_intact(plan));
		assert(rules_watch_read(fd) == 1);
		assert(nft_run(harm[i], "this", NULL, &err) == 0);
		assert(!rules_intact(plan));
		assert(rules_watch_read(fd) == 1);
	}
	/* Another's table is not our business. */
	assert(nft_run("add table inet docker; add chain inet docker c",
		       "this", NULL, &err) == 0);
	assert(nft_run("delete table inet docker", "this", NULL, &err) == 0);
	assert(nft_run("flush nonsense", "this", NULL, &err) < 0);
	assert(has(err.message, "nftables refuses this: "));
	assert(rules_watch_read(fd) == 0);
	fd_close(fd);
}

/* ---- rates ---- */

static int on_class(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *attrs[TCA_OPTIONS + 1];
	const struct nlattr *htb[TCA_HTB_PARMS + 1];

	nl_attrs(nlh, sizeof(struct tcmsg), attrs, ARRAY_SIZE(attrs));
	nl_nested(attrs[TCA_OPTIONS], htb, ARRAY_SIZE(htb));
	if (htb[TCA_HTB_PARMS])
		memcpy(arg, mnl_attr_get_payload(htb[TCA_HTB_PARMS]),
		       sizeof(struct tc_htb_opt));
	return MNL_CB_OK;
}

static struct tc_htb_opt class_of(const char *ifname)
{
	char buf[NL_REQUEST];
	struct nlmsghdr *nlh = nl_request(buf, RTM_GETTCLASS, NLM_F_DUMP,
					  sizeof(struct tcmsg));
	struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);
	struct tc_htb_opt opt = { 0 };

	tcm->tcm_ifindex = nl_ifindex(ifname);
	assert(nl_dump(nlh, on_class, &opt) == 0);
	return opt;
}

/* Not every kernel can police what comes in: then that is said. */
static void test_rates(const struct net_plan *plan)
{
	struct plan_rates rates = { .in = { .average = 1000, .peak = 3000,
					    .burst = 64 } };
	struct error err = { 0 };
	struct tc_htb_opt opt;
	int r;

	assert(rates_set(plan->bridge, &rates, &err) == -ENODEV);
	assert(bridge_up(plan, &err) == 0 || (say(&err), false));
	for (int again = 0; again < 2; again++) {
		assert(rates_set(plan->bridge, &rates, &err) == 0 ||
		       (say(&err), false));
		opt = class_of("vtest0");
		assert(opt.rate.rate == 1000000 && opt.ceil.rate == 3000000);
		/* 64 KiB at 1 MB/s: 65.536 ms, in units of 64 ns. */
		assert(opt.buffer == 1024000);
	}
	rates.in = (struct plan_rate){ .average = 5000000 }; /* 40 Gbit/s */
	assert(rates_set(plan->bridge, &rates, &err) == 0);
	assert(class_of("vtest0").rate.rate == UINT32_MAX);
	rates.in.average = 0;
	rates.out.average = 1000;
	r = rates_set(plan->bridge, &rates, &err);
	assert(r == 0 || (r == -EOPNOTSUPP && has(err.message, "act_police")));
	assert(!class_of("vtest0").rate.rate);
	rates.out.average = 0;
	assert(rates_set(plan->bridge, &rates, &err) == 0);
	assert(bridge_down(plan, &err) == 0);
}

/* Rules of other modes are ones that the kernel takes, too. */
static void test_modes(const struct net_plan *plan)
{
	struct net_plan p = *plan;
	struct error err = { 0 };

	for (int mode = 0; mode < PLAN_MODES; mode++) {
		p.mode = mode;
		p.n_devs = 1;
		strcpy(p.devs[0], "eth9");
		assert(rules_set(&p, &err) == 0 || (say(&err), false));
		assert(rules_intact(&p));
		assert(rules_remove(&p, &err) == 0 || (say(&err), false));
	}
	p.mode = PLAN_NAT;
	memcpy(p.nat_first, "\xc0\0\2\1", 4);
	memcpy(p.nat_last, "\xc0\0\2\7", 4);
	assert(rules_set(&p, &err) == 0 || (say(&err), false));
	assert(rules_intact(&p));
	assert(rules_remove(&p, &err) == 0);
}

int main(void)
{
	struct network_def *def = parse(nat_xml);
	struct net_plan plan;

	test_dnsmasq();
	test_leases();
	test_clash();
	test_plan_check();
	assert(net_plan_of(def, &plan, NULL) == 0);
	assert(plan.vlans);
	plan.vlans = 0; /* not every kernel's bridges know them */
	network_def_free(def);
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0) {
		fprintf(stderr, "no namespace of its own: half is skipped\n");
		return errno == EPERM ? 0 : 1;
	}
	test_bridge(&plan);
	test_rates(&plan);
	test_intact(&plan);
	test_rules(&plan);
	test_modes(&plan);
	return 0;
}
