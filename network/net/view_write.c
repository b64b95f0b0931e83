/*
 * network/net/view_write.c -- writing down what is on the host's network, by
 * dumps of rtnetlink(7).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include "base/error.h"
#include "network/net/netlink.h"
#include "network/net/view.h"

static int on_link(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *attrs[IFLA_IFNAME + 1];

	nl_attrs(nlh, sizeof(struct ifinfomsg), attrs, ARRAY_SIZE(attrs));
	if (attrs[IFLA_IFNAME])
		buf_printf(arg, "dev %s\n",
			   mnl_attr_get_str(attrs[IFLA_IFNAME]));
	return MNL_CB_OK;
}

/* An address attribute as text; false when it is neither kind. */
static bool ip_text(const struct nlattr *a, int family,
		    char text[INET6_ADDRSTRLEN])
{
	size_t want = family == AF_INET6 ? 16 : 4;

	return a && (family == AF_INET || family == AF_INET6) &&
	       mnl_attr_get_payload_len(a) == want &&
	       inet_ntop(family, mnl_attr_get_payload(a), text,
			 INET6_ADDRSTRLEN);
}

/* Link-local and multicast ones are behind every device. */
static bool is_everywhere(const struct nlattr *a, int family)
{
	const uint8_t *b = mnl_attr_get_payload(a);

	return family == AF_INET6 &&
	       (b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80));
}

static int on_route(const struct nlmsghdr *nlh, void *arg)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attrs[RTA_TABLE + 1];
	char ip[INET6_ADDRSTRLEN], dev[IF_NAMESIZE];

	nl_attrs(nlh, sizeof(*rtm), attrs, ARRAY_SIZE(attrs));
	if (rtm->rtm_table != RT_TABLE_MAIN || rtm->rtm_type != RTN_UNICAST ||
	    !attrs[RTA_OIF] || !ip_text(attrs[RTA_DST], rtm->rtm_family, ip) ||
	    is_everywhere(attrs[RTA_DST], rtm->rtm_family) ||
	    !if_indextoname(mnl_attr_get_u32(attrs[RTA_OIF]), dev))
		return MNL_CB_OK;
	buf_printf(arg, "net %s/%u %s\n", ip, rtm->rtm_dst_len, dev);
	return MNL_CB_OK;
}

static int on_neighbour(const struct nlmsghdr *nlh, void *arg)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attrs[NDA_LLADDR + 1];
	char ip[INET6_ADDRSTRLEN], dev[IF_NAMESIZE];
	const uint8_t *m;

	nl_attrs(nlh, sizeof(*ndm), attrs, ARRAY_SIZE(attrs));
	if (!ip_text(attrs[NDA_DST], ndm->ndm_family, ip) ||
	    !attrs[NDA_LLADDR] ||
	    mnl_attr_get_payload_len(attrs[NDA_LLADDR]) != 6 ||
	    (ndm->ndm_state & (NUD_FAILED | NUD_NOARP)) ||
	    !if_indextoname(ndm->ndm_ifindex, dev))
		return MNL_CB_OK;
	m = mnl_attr_get_payload(attrs[NDA_LLADDR]);
	buf_printf(arg, "neigh %s %02x:%02x:%02x:%02x:%02x:%02x %s\n", ip,
		   m[0], m[1], m[2], m[3], m[4], m[5], dev);
	return MNL_CB_OK;
}

int view_write(struct buf *out, struct error *err)
{
	static const struct {
		unsigned int type;
		size_t size;
		nl_fn *fn;
	} dumps[] = {
		{ RTM_GETLINK, sizeof(struct ifinfomsg), on_link },
		{ RTM_GETROUTE, sizeof(struct rtmsg), on_route },
		{ RTM_GETNEIGH, sizeof(struct ndmsg), on_neighbour },
	};
	char buf[NL_REQUEST];
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(dumps) && r == 0; i++)
		r = nl_dump(nl_request(buf, dumps[i].type, NLM_F_DUMP,
				       dumps[i].size),
			    dumps[i].fn, out);
	return r < 0 ? error_set(err, r,
				 "cannot look at the host's network: %m") :
		       0;
}
