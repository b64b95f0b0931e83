/*
 * network/net/rules_watch.c -- news of changes of the host's rulesets
 * (nfnetlink's multicast group of nftables).
 *
 * A transaction ends with one message about the new generation of the
 * rulesets; what it did is in those before it.  Of those it only matters
 * whether they are about our table.
 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/util.h"
#include "network/net/filter.h"
#include "network/net/netlink.h"
#include "network/net/rules.h"

enum { NEWS = 65536 };

static int join(int fd)
{
	struct sockaddr_nl self = { .nl_family = AF_NETLINK };
	int group = NFNLGRP_NFTABLES;

	if (bind(fd, (struct sockaddr *)&self, sizeof(self)) < 0 ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group,
		       sizeof(group)) < 0)
		return -errno;
	return 0;
}

int rules_watch_open(struct error *err)
{
	_cleanup_close_ int fd = socket(AF_NETLINK,
					SOCK_RAW | SOCK_CLOEXEC |
						SOCK_NONBLOCK,
					NETLINK_NETFILTER);
	int r = fd < 0 ? -errno : join(fd);

	return r < 0 ? error_set(err, r,
				 "cannot watch the host's rulesets: %m") :
		       steal_fd(&fd);
}

/* Of tables, chains, rules, sets and elements: all name their table first. */
static_assert(NFTA_TABLE_NAME == 1 && NFTA_CHAIN_TABLE == 1 &&
	      NFTA_RULE_TABLE == 1 && NFTA_SET_TABLE == 1 &&
	      NFTA_SET_ELEM_LIST_TABLE == 1 && NFTA_OBJ_TABLE == 1);

static bool is_ours(const struct nlmsghdr *nlh, int family)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attrs[NFTA_TABLE_NAME + 1];

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*nfg))
		return false;
	nl_attrs(nlh, sizeof(*nfg), attrs, ARRAY_SIZE(attrs));
	return nfg->nfgen_family == family && attrs[NFTA_TABLE_NAME] &&
	       str_eq(mnl_attr_get_str(attrs[NFTA_TABLE_NAME]),
		      family == NFPROTO_BRIDGE ? FILTER_TABLE : RULES_TABLE);
}

static unsigned int count(const void *news, int len, int family,
			  bool *ours)
{
	const int gen = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN;
	const struct nlmsghdr *nlh = news;
	unsigned int n = 0;

	for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len))
		if (nlh->nlmsg_type != gen) {
			*ours |= is_ours(nlh, family);
		} else {
			n += *ours;
			*ours = false;
		}
	return n;
}

static unsigned int watch_read(int fd, int family)
{
	_cleanup_free_ char *news = xmalloc(NEWS);
	unsigned int n = 0;
	bool lost = false, ours = false;

	for (;;) {
		ssize_t len = recv(fd, news, NEWS, MSG_DONTWAIT);

		if (len > 0)
			n += count(news, (int)len, family, &ours);
		else if (len < 0 && errno == ENOBUFS)
			lost = true;
		else if (len == 0 || errno != EINTR)
			break;
	}
	return lost ? UINT_MAX : n;
}

unsigned int rules_watch_read(int fd)
{
	return watch_read(fd, NFPROTO_INET);
}

unsigned int filter_watch_read(int fd)
{
	return watch_read(fd, NFPROTO_BRIDGE);
}
