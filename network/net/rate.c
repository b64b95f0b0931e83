/*
 * network/net/rate.c -- how much passes through a network device in a second,
 * by the kernel's traffic control (tc(8)) over rtnetlink(7).
 *
 * What goes to the guests leaves the host through the device: it waits in a
 * class of a hierarchical token bucket (sch_htb).  What comes from them has
 * been sent already: what is too much of it is dropped (an ingress queue whose
 * only filter matches everything and polices it).  Both end with the device.
 */
#include "network/net/rate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/util.h"
#include "network/net/netlink.h"

enum {
	ROOT = 0x10000,	 /* 1: */
	CLASS = 0x10001, /* 1:1 */
	INGRESS = 0xffff0000,
	CELLS = 256,
	CELL_LOG = 13,
	/* The longest frame, before it is cut into segments. */
	FRAME_MAX = 256 << 10,
	BURST_MIN = 64 << 10,
	QUANTUM_MIN = 1600,
	QUANTUM_MAX = 200000,
};
static_assert((FRAME_MAX >> CELL_LOG) < CELLS);

static uint64_t bytes_a_second(uint32_t kilobytes)
{
	return kilobytes * 1000ull;
}

/* The kernel counts bytes in the time that they take, in 64 ns. */
static uint32_t ticks(uint64_t bytes, uint64_t rate)
{
	unsigned __int128 n = (unsigned __int128)bytes * 1000000000 / rate / 64;

	return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static struct nlmsghdr *request(char *buf, unsigned int type,
				unsigned int flags, int index,
				uint32_t parent, uint32_t handle)
{
	struct nlmsghdr *nlh = nl_request(buf, type, flags,
					  sizeof(struct tcmsg));
	struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);

	tcm->tcm_family = AF_UNSPEC;
	tcm->tcm_ifindex = index;
	tcm->tcm_parent = parent;
	tcm->tcm_handle = handle;
	return nlh;
}

static struct tc_ratespec ratespec(uint64_t rate)
{
	return (struct tc_ratespec){
		.cell_log = CELL_LOG,
		.linklayer = TC_LINKLAYER_ETHERNET,
		.rate = (uint32_t)MIN(rate, (uint64_t)UINT32_MAX),
	};
}

/* ---- to the guests ---- */

static int add_root(int index)
{
	const struct tc_htb_glob glob = { .version = TC_HTB_PROTOVER,
					  .rate2quantum = 10,
					  .defcls = CLASS & 0xffff };
	char buf[NL_REQUEST];
	struct nlmsghdr *nlh = request(buf, RTM_NEWQDISC,
				       NLM_F_CREATE | NLM_F_EXCL, index,
				       TC_H_ROOT, ROOT);
	struct nlattr *options;

	mnl_attr_put_strz(nlh, TCA_KIND, "htb");
	options = mnl_attr_nest_start(nlh, TCA_OPTIONS);
	mnl_attr_put(nlh, TCA_HTB_INIT, sizeof(glob), &glob);
	mnl_attr_nest_end(nlh, options);
	return nl_do(nlh);
}

/* Without a burst: what a tenth of a second carries. */
static struct tc_htb_opt htb_options(const struct plan_rate *r)
{
	uint64_t rate = bytes_a_second(r->average);
	uint64_t ceil = bytes_a_second(MAX(r->peak, r->average));
	uint64_t burst = r->burst ? r->burst * 1024ull :
				    MAX(rate / 10, (uint64_t)QUANTUM_MIN);

	return (struct tc_htb_opt){
		.rate = ratespec(rate),
		.ceil = ratespec(ceil),
		.buffer = ticks(burst, rate),
		.cbuffer = ticks(MIN(burst, MAX(ceil / 10,
						(uint64_t)QUANTUM_MIN)),
				 ceil),
		.quantum = (uint32_t)MIN(MAX(rate / 10,
					     (uint64_t)QUANTUM_MIN),
					 (uint64_t)QUANTUM_MAX),
	};
}

static int add_class(int index, const struct plan_rate *r)
{
	const struct tc_htb_opt opt = htb_options(r);
	char buf[NL_REQUEST];
	struct nlmsghdr *nlh = request(buf, RTM_NEWTCLASS,
				       NLM_F_CREATE | NLM_F_EXCL, index, ROOT,
				       CLASS);
	struct nlattr *options;

	mnl_attr_put_strz(nlh, TCA_KIND, "htb");
	options = mnl_attr_nest_start(nlh, TCA_OPTIONS);
	mnl_attr_put(nlh, TCA_HTB_PARMS, sizeof(opt), &opt);
	if (opt.rate.rate == UINT32_MAX)
		mnl_attr_put_u64(nlh, TCA_HTB_RATE64,
				 bytes_a_second(r->average));
	if (opt.ceil.rate == UINT32_MAX)
		mnl_attr_put_u64(nlh, TCA_HTB_CEIL64,
				 bytes_a_second(MAX(r->peak, r->average)));
	mnl_attr_nest_end(nlh, options);
	return nl_do(nlh);
}

/* ---- from the guests ---- */

static int add_ingress(int index)
{
	char buf[NL_REQUEST];
	struct nlmsghdr *nlh = request(buf, RTM_NEWQDISC,
				       NLM_F_CREATE | NLM_F_EXCL, index,
				       TC_H_INGRESS, INGRESS);

	mnl_attr_put_strz(nlh, TCA_KIND, "ingress");
	return nl_do(nlh);
}

/* Without a burst: what a second carries, as libvirt has it.  Never so little
 * that a long frame would not pass at all. */
static void put_police(struct nlmsghdr *nlh, const struct plan_rate *r)
{
	uint64_t rate = bytes_a_second(r->average);
	uint64_t burst = (r->burst ? r->burst : r->average) * 1024ull;
	struct tc_police police = {
		.action = TC_POLICE_SHOT,
		.burst = ticks(MAX(burst, (uint64_t)BURST_MIN), rate),
		.mtu = FRAME_MAX,
		.rate = ratespec(rate),
	};
	struct nlattr *nest = mnl_attr_nest_start(nlh, TCA_U32_POLICE);
	uint32_t table[CELLS];

	for (unsigned int i = 0; i < CELLS; i++)
		table[i] = ticks((i + 1ull) << CELL_LOG, rate);
	mnl_attr_put(nlh, TCA_POLICE_TBF, sizeof(police), &police);
	mnl_attr_put(nlh, TCA_POLICE_RATE, sizeof(table), table);
	if (police.rate.rate == UINT32_MAX)
		mnl_attr_put_u64(nlh, TCA_POLICE_RATE64, rate);
	mnl_attr_nest_end(nlh, nest);
}

static int add_filter(int index, const struct plan_rate *r)
{
	struct {
		struct tc_u32_sel sel;
		struct tc_u32_key all;
	} match = { .sel = { .flags = TC_U32_TERMINAL, .nkeys = 1 } };
	char buf[NL_REQUEST];
	struct nlmsghdr *nlh = request(buf, RTM_NEWTFILTER,
				       NLM_F_CREATE | NLM_F_EXCL, index,
				       INGRESS, 0);
	struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);
	struct nlattr *options;

	tcm->tcm_info = TC_H_MAKE(1 << 16, htons(ETH_P_ALL));
	mnl_attr_put_strz(nlh, TCA_KIND, "u32");
	options = mnl_attr_nest_start(nlh, TCA_OPTIONS);
	mnl_attr_put_u32(nlh, TCA_U32_CLASSID, 1);
	mnl_attr_put(nlh, TCA_U32_SEL, sizeof(match), &match);
	put_police(nlh, r);
	mnl_attr_nest_end(nlh, options);
	return nl_do(nlh);
}

/* ---- both ---- */

/* What is not there need not go. */
static int drop(int index, uint32_t parent, uint32_t handle)
{
	char buf[NL_REQUEST];
	int r = nl_do(request(buf, RTM_DELQDISC, 0, index, parent, handle));

	return r == -ENOENT || r == -EINVAL ? 0 : r;
}

static int set_in(int index, const struct plan_rate *rate)
{
	int r = drop(index, TC_H_ROOT, ROOT);

	if (r < 0 || !rate->average)
		return r;
	r = add_root(index);
	if (r == 0)
		r = add_class(index, rate);
	if (r < 0)
		drop(index, TC_H_ROOT, ROOT);
	return r;
}

static int set_out(int index, const struct plan_rate *rate)
{
	int r = drop(index, TC_H_INGRESS, INGRESS);

	if (r < 0 || !rate->average)
		return r;
	r = add_ingress(index);
	if (r == 0)
		r = add_filter(index, rate);
	if (r < 0)
		drop(index, TC_H_INGRESS, INGRESS);
	return r;
}

static int failed(struct error *err, int r, const char *ifname,
		  const char *way, const char *modules)
{
	if (r == -ENOENT)
		return error_set(err, -EOPNOTSUPP,
				 "cannot limit what goes %s the guests on '%s': this host's kernel has no %s",
				 way, ifname, modules);
	return error_set(err, r,
			 "cannot limit what goes %s the guests on '%s': %m",
			 way, ifname);
}

int rates_set(const char ifname[PLAN_NAME], const struct plan_rates *rates,
	      struct error *err)
{
	int index, r;

	if (!net_ifname_ok(ifname))
		return error_set(err, -EINVAL, "not a network device's name");
	index = nl_ifindex(ifname);
	if (index < 0)
		return error_set(err, index, "there is no network device '%s'",
				 ifname);
	r = set_in(index, &rates->in);
	if (r < 0)
		return failed(err, r, ifname, "to", "sch_htb");
	r = set_out(index, &rates->out);
	return r < 0 ? failed(err, r, ifname, "from",
			      "cls_u32, act_police or sch_ingress") : 0;
}
