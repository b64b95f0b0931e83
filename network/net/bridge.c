/*
 * network/net/bridge.c -- bridges, their addresses, routes and ports, by
 * rtnetlink(7); no program is called.
 */
#include "network/net/bridge.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/util.h"
#include "network/net/netlink.h"

enum { ALIAS_MAX = 64 };

static void alias_of(const uint8_t uuid[16], char text[ALIAS_MAX])
{
	char *p = text + sprintf(text, "vireo:");

	for (int i = 0; i < 16; i++)
		p += sprintf(p, "%02x", uuid[i]);
}

static struct ifinfomsg *link_header(struct nlmsghdr *nlh)
{
	return mnl_nlmsg_get_payload(nlh);
}

/* ---- whose it is ---- */

struct owner {
	char alias[ALIAS_MAX];
	uint8_t mac[6];
};

static int on_link(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *attrs[IFLA_IFALIAS + 1];
	struct owner *owner = arg;

	nl_attrs(nlh, sizeof(struct ifinfomsg), attrs, ARRAY_SIZE(attrs));
	if (attrs[IFLA_IFALIAS])
		snprintf(owner->alias, ALIAS_MAX, "%s",
			 mnl_attr_get_str(attrs[IFLA_IFALIAS]));
	if (attrs[IFLA_ADDRESS] &&
	    mnl_attr_get_payload_len(attrs[IFLA_ADDRESS]) == 6)
		memcpy(owner->mac, mnl_attr_get_payload(attrs[IFLA_ADDRESS]),
		       6);
	return MNL_CB_OK;
}

/*
 * 1: ours, 0: not there, -EEXIST: somebody else's.  The kernel takes no alias
 * with the request that makes a device: one that has none yet is known by its
 * MAC address.
 */
static int look(const char *name, const uint8_t uuid[16],
		const uint8_t mac[6])
{
	char buf[NL_REQUEST], want[ALIAS_MAX];
	struct owner owner = { 0 };
	struct nlmsghdr *nlh;
	int r = nl_ifindex(name);

	if (r < 0)
		return 0;
	nlh = nl_request(buf, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
	link_header(nlh)->ifi_index = r;
	r = nl_dump(nlh, on_link, &owner);
	if (r < 0)
		return r == -ENODEV ? 0 : r;
	alias_of(uuid, want);
	if (owner.alias[0])
		return str_eq(owner.alias, want) ? 1 : -EEXIST;
	return memcmp(owner.mac, mac, 6) ? -EEXIST : 1;
}

/* ---- making it ---- */

static void put_bridge(struct nlmsghdr *nlh, const struct net_plan *p)
{
	struct nlattr *info = mnl_attr_nest_start(nlh, IFLA_LINKINFO), *data;

	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "bridge");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	/* In hundredths of a second; no less than 2 s where STP is on. */
	mnl_attr_put_u32(nlh, IFLA_BR_FORWARD_DELAY,
			 (p->stp ? MAX(p->delay, 2u) : p->delay) * 100);
	mnl_attr_put_u32(nlh, IFLA_BR_STP_STATE, p->stp);
	if (p->vlans)
		mnl_attr_put_u8(nlh, IFLA_BR_VLAN_FILTERING, 1);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
}

static int create(const struct net_plan *p)
{
	char buf[NL_REQUEST];
	struct nlmsghdr *nlh = nl_request(buf, RTM_NEWLINK,
					  NLM_F_CREATE | NLM_F_EXCL,
					  sizeof(struct ifinfomsg));

	mnl_attr_put_strz(nlh, IFLA_IFNAME, p->bridge);
	mnl_attr_put(nlh, IFLA_ADDRESS, sizeof(p->mac), p->mac);
	if (p->mtu)
		mnl_attr_put_u32(nlh, IFLA_MTU, p->mtu);
	put_bridge(nlh, p);
	return nl_do(nlh);
}

static int set_up(int index, const uint8_t uuid[16])
{
	char buf[NL_REQUEST], alias[ALIAS_MAX];
	struct nlmsghdr *nlh = nl_request(buf, RTM_NEWLINK, 0,
					  sizeof(struct ifinfomsg));
	struct ifinfomsg *ifi = link_header(nlh);

	ifi->ifi_index = index;
	ifi->ifi_flags = ifi->ifi_change = IFF_UP;
	alias_of(uuid, alias);
	mnl_attr_put_str(nlh, IFLA_IFALIAS, alias);
	return nl_do(nlh);
}

static size_t ip_len(const struct plan_ip *ip)
{
	return ip->v6 ? 16 : 4;
}

static void put_broadcast(struct nlmsghdr *nlh, const struct plan_ip *ip)
{
	uint8_t all[4];

	for (int i = 0; i < 4; i++) {
		int bits = MIN(MAX((int)ip->prefix - 8 * i, 0), 8);

		all[i] = ip->addr[i] | (0xff >> bits);
	}
	mnl_attr_put(nlh, IFA_BROADCAST, sizeof(all), all);
}

/* IPv6: no duplicate can be seen while no guest is there to answer. */
static int add_address(int index, const struct plan_ip *ip)
{
	char buf[NL_REQUEST];
	struct nlmsghdr *nlh = nl_request(buf, RTM_NEWADDR,
					  NLM_F_CREATE | NLM_F_REPLACE,
					  sizeof(struct ifaddrmsg));
	struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);

	ifa->ifa_family = ip->v6 ? AF_INET6 : AF_INET;
	ifa->ifa_prefixlen = ip->prefix;
	ifa->ifa_index = index;
	mnl_attr_put(nlh, IFA_LOCAL, ip_len(ip), ip->addr);
	mnl_attr_put(nlh, IFA_ADDRESS, ip_len(ip), ip->addr);
	if (ip->v6)
		mnl_attr_put_u32(nlh, IFA_FLAGS, IFA_F_NODAD);
	else if (ip->prefix < 31)
		put_broadcast(nlh, ip);
	return nl_do(nlh);
}

static int add_route(int index, const struct plan_route *route)
{
	char buf[NL_REQUEST];
	struct nlmsghdr *nlh = nl_request(buf, RTM_NEWROUTE,
					  NLM_F_CREATE | NLM_F_REPLACE,
					  sizeof(struct rtmsg));
	struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct plan_ip *to = &route->to;

	rtm->rtm_family = to->v6 ? AF_INET6 : AF_INET;
	rtm->rtm_dst_len = to->prefix;
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_protocol = RTPROT_STATIC;
	rtm->rtm_scope = RT_SCOPE_UNIVERSE;
	rtm->rtm_type = RTN_UNICAST;
	mnl_attr_put(nlh, RTA_DST, ip_len(to), to->addr);
	mnl_attr_put(nlh, RTA_GATEWAY, ip_len(to), route->gateway);
	mnl_attr_put_u32(nlh, RTA_OIF, index);
	if (route->metric)
		mnl_attr_put_u32(nlh, RTA_PRIORITY, route->metric);
	return nl_do(nlh);
}

/* ---- what only /proc/sys can say ---- */

/* dev NULL: of all; the kernel shows the network of who asks. */
static int set_sysctl(const char *family, const char *dev, const char *name,
		      const char *value)
{
	char path[128];
	_cleanup_close_ int fd = -1;

	snprintf(path, sizeof(path), "/proc/sys/net/%s/%s%s%s/%s", family,
		 dev ? "conf/" : "", dev ? dev : "", dev ? "" : ".", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write_full(fd, value, strlen(value));
}

static bool has_v6(const struct net_plan *p)
{
	for (unsigned int i = 0; i < p->n_ips; i++)
		if (p->ips[i].v6)
			return true;
	return false;
}

static int set_ipv6(const struct net_plan *p)
{
	int r;

	if (!has_v6(p) && !p->ipv6) {
		r = set_sysctl("ipv6", p->bridge, "disable_ipv6", "1");
		return r == -ENOENT ? 0 : r; /* a host without IPv6 */
	}
	/* A guest's router advertisements are not for the host. */
	r = set_sysctl("ipv6", p->bridge, "accept_ra", "0");
	return r < 0 ? r : set_sysctl("ipv6", p->bridge, "disable_ipv6", "0");
}

/* A host that starts to forward keeps what it has from its routers. */
static int forward_packets(const struct net_plan *p)
{
	int r;

	if (p->mode == PLAN_ISOLATED || p->mode == PLAN_OPEN)
		return 0;
	r = set_sysctl("ipv4", NULL, "ip_forward", "1");
	if (r == 0 && has_v6(p))
		r = set_sysctl("ipv6", "all", "forwarding", "1");
	return r;
}

/* ---- all of it ---- */

static int set_addresses(const struct net_plan *p, int index,
			 struct error *err)
{
	int r = set_ipv6(p);

	for (unsigned int i = 0; i < p->n_ips && r == 0; i++)
		r = add_address(index, &p->ips[i]);
	if (r == 0)
		r = set_up(index, p->uuid);
	if (r < 0)
		return error_set(err, r,
				 "cannot set the addresses of bridge '%s': %m",
				 p->bridge);
	for (unsigned int i = 0; i < p->n_routes && r == 0; i++)
		r = add_route(index, &p->routes[i]);
	if (r < 0)
		return error_set(err, r, "cannot add a route to bridge '%s': %m",
				 p->bridge);
	r = forward_packets(p);
	return r < 0 ? error_set(err, r, "cannot enable packet forwarding: %m") :
		       0;
}

int bridge_up(const struct net_plan *p, struct error *err)
{
	int made, index, r = look(p->bridge, p->uuid, p->mac);

	if (r == -EEXIST)
		return error_set(err, r,
				 "network device '%s' already exists and is not this network's: give the network another <bridge name=>",
				 p->bridge);
	made = r == 0;
	if (made)
		r = create(p);
	if (r == -EOPNOTSUPP && p->vlans)
		return error_set(err, r,
				 "cannot create bridge '%s': its network has VLANs, which the host's kernel does not filter (CONFIG_BRIDGE_VLAN_FILTERING)",
				 p->bridge);
	if (r < 0)
		return error_set(err, r, "cannot create bridge '%s': %m",
				 p->bridge);
	index = nl_ifindex(p->bridge);
	r = index < 0 ? error_set(err, index, "bridge '%s' is gone",
				  p->bridge) :
			set_addresses(p, index, err);
	if (r < 0 && made)
		bridge_down(p, NULL);
	return r;
}

int bridge_down(const struct net_plan *p, struct error *err)
{
	char buf[NL_REQUEST];
	struct nlmsghdr *nlh;
	int r = look(p->bridge, p->uuid, p->mac);

	if (r <= 0) /* gone, or never ours */
		return r == -EEXIST ? 0 : r;
	nlh = nl_request(buf, RTM_DELLINK, 0, sizeof(struct ifinfomsg));
	link_header(nlh)->ifi_index = nl_ifindex(p->bridge);
	r = nl_do(nlh);
	if (r < 0 && r != -ENODEV)
		return error_set(err, r, "cannot remove bridge '%s': %m",
				 p->bridge);
	return 0;
}
