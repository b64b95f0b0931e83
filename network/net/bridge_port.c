/*
 * network/net/bridge_port.c -- one port of a bridge: isolation, and the VLANs
 * that it is in (bridge(8)), by rtnetlink(7).
 */
#include <errno.h>
#include <libvirt/virterror.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/util.h"
#include "model/network.h"
#include "network/net/bridge.h"
#include "network/net/netlink.h"

enum { VLAN_FIRST = 1, VLAN_LAST = 4094 };

/* ---- as the definition has it ---- */

static int add_tag(struct bridge_port *p, const struct net_tag *tag,
		   bool trunk, struct error *err)
{
	bool untagged = !trunk || str_eq(tag->native_mode, "untagged");

	if (tag->id < VLAN_FIRST || tag->id > VLAN_LAST)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "there is no VLAN %u", tag->id);
	if (untagged || tag->native_mode) {
		p->native = untagged ? BRIDGE_UNTAGGED : BRIDGE_TAGGED;
		p->untagged = tag->id;
		return 0;
	}
	if (p->n_tags == BRIDGE_TAGS)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "a port can have %u VLAN tags at most",
				  BRIDGE_TAGS);
	p->tags[p->n_tags++] = tag->id;
	return 0;
}

int bridge_port_of(const char *ifname, const struct net_vlan *vlan,
		   bool isolated, struct bridge_port *ret_port,
		   struct error *err)
{
	struct bridge_port p = { .isolated = isolated };
	bool trunk = vlan->n_tags > 1 || str_eq(vlan->trunk, "yes");
	int r = 0;

	snprintf(p.ifname, sizeof(p.ifname), "%s", ifname);
	for (unsigned int i = 0; i < vlan->n_tags && r == 0; i++)
		r = add_tag(&p, &vlan->tags[i], trunk, err);
	if (r == 0)
		*ret_port = p;
	return r;
}

/* ---- to the kernel ---- */

static struct nlmsghdr *port_request(char *buf, unsigned int type, int index)
{
	struct nlmsghdr *nlh = nl_request(buf, type, 0,
					  sizeof(struct ifinfomsg));
	struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);

	ifi->ifi_family = AF_BRIDGE;
	ifi->ifi_index = index;
	return nlh;
}

static int isolate(int index, bool yes)
{
	char buf[NL_REQUEST];
	struct nlmsghdr *nlh = port_request(buf, RTM_SETLINK, index);
	struct nlattr *port = mnl_attr_nest_start(nlh, IFLA_PROTINFO |
						  NLA_F_NESTED);

	mnl_attr_put_u8(nlh, IFLA_BRPORT_ISOLATED, yes);
	mnl_attr_nest_end(nlh, port);
	return nl_do(nlh);
}

struct seen {
	int master;
	bool filters;
};

static int on_link(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *attrs[IFLA_LINKINFO + 1], *info[IFLA_INFO_DATA + 1];
	const struct nlattr *data[IFLA_BR_VLAN_FILTERING + 1];
	struct seen *seen = arg;

	nl_attrs(nlh, sizeof(struct ifinfomsg), attrs, ARRAY_SIZE(attrs));
	if (attrs[IFLA_MASTER])
		seen->master = (int)mnl_attr_get_u32(attrs[IFLA_MASTER]);
	nl_nested(attrs[IFLA_LINKINFO], info, ARRAY_SIZE(info));
	if (!info[IFLA_INFO_KIND] || !info[IFLA_INFO_DATA] ||
	    !str_eq(mnl_attr_get_str(info[IFLA_INFO_KIND]), "bridge"))
		return MNL_CB_OK;
	nl_nested(info[IFLA_INFO_DATA], data, ARRAY_SIZE(data));
	seen->filters = data[IFLA_BR_VLAN_FILTERING] &&
			mnl_attr_get_u8(data[IFLA_BR_VLAN_FILTERING]);
	return MNL_CB_OK;
}

static int look(int index, struct seen *seen)
{
	char buf[NL_REQUEST];
	struct nlmsghdr *nlh = nl_request(buf, RTM_GETLINK, 0,
					  sizeof(struct ifinfomsg));

	((struct ifinfomsg *)mnl_nlmsg_get_payload(nlh))->ifi_index = index;
	*seen = (struct seen){ 0 };
	return nl_dump(nlh, on_link, seen);
}

/* Without filtering the bridge would carry everything to everybody. */
static int bridge_filters(int index, bool *ret_filters)
{
	struct seen seen;
	int r = look(index, &seen);

	if (r == 0 && !seen.master)
		r = -ENODEV;
	if (r == 0)
		r = look(seen.master, &seen);
	*ret_filters = r == 0 && seen.filters;
	return r;
}

static void put_vlan(struct nlmsghdr *nlh, uint16_t id, uint16_t flags)
{
	struct bridge_vlan_info info = { .vid = id, .flags = flags };

	mnl_attr_put(nlh, IFLA_BRIDGE_VLAN_INFO, sizeof(info), &info);
}

/* RTM_DELLINK of this family takes VLANs from the port, not the port away. */
static int drop_vlans(int index)
{
	char buf[NL_REQUEST];
	struct nlmsghdr *nlh = port_request(buf, RTM_DELLINK, index);
	struct nlattr *spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);
	int r;

	put_vlan(nlh, VLAN_FIRST, BRIDGE_VLAN_INFO_RANGE_BEGIN);
	put_vlan(nlh, VLAN_LAST, BRIDGE_VLAN_INFO_RANGE_END);
	mnl_attr_nest_end(nlh, spec);
	r = nl_do(nlh);
	return r == -ENOENT ? 0 : r;
}

static int set_vlans(int index, const struct bridge_port *port)
{
	char buf[NL_REQUEST];
	struct nlmsghdr *nlh;
	struct nlattr *spec;
	int r = drop_vlans(index);

	if (r < 0)
		return r;
	nlh = port_request(buf, RTM_SETLINK, index);
	spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);
	for (uint32_t i = 0; i < port->n_tags; i++)
		put_vlan(nlh, port->tags[i], 0);
	if (port->native)
		put_vlan(nlh, port->untagged, BRIDGE_VLAN_INFO_PVID |
			 (port->native == BRIDGE_UNTAGGED ?
				  BRIDGE_VLAN_INFO_UNTAGGED : 0));
	if (!port->native && !port->n_tags) /* where every new port is */
		put_vlan(nlh, VLAN_FIRST, BRIDGE_VLAN_INFO_PVID |
			 BRIDGE_VLAN_INFO_UNTAGGED);
	mnl_attr_nest_end(nlh, spec);
	return nl_do(nlh);
}

static bool is_ok(const struct bridge_port *p)
{
	bool ok = net_ifname_ok(p->ifname) && p->n_tags <= BRIDGE_TAGS &&
		  p->native <= BRIDGE_TAGGED &&
		  (!p->native || (p->untagged >= VLAN_FIRST &&
				  p->untagged <= VLAN_LAST));

	for (uint32_t i = 0; ok && i < p->n_tags; i++)
		ok = p->tags[i] >= VLAN_FIRST && p->tags[i] <= VLAN_LAST;
	return ok;
}

static int failed(const struct bridge_port *port, int r, struct error *err)
{
	return error_set(err, r, "cannot set up port '%s': %m", port->ifname);
}

int bridge_set_port(const struct bridge_port *port, struct error *err)
{
	bool filters, tagged = port->n_tags || port->native;
	int index, r;

	if (!is_ok(port))
		return error_set(err, -EINVAL, "not a bridge's port");
	index = r = nl_ifindex(port->ifname);
	if (r >= 0)
		r = bridge_filters(index, &filters);
	if (r < 0)
		return failed(port, r, err);
	if (tagged && !filters)
		return error_set(err, -EOPNOTSUPP,
				 "the bridge of '%s' does not filter VLANs: it needs vlan_filtering, and a kernel that has it",
				 port->ifname);
	r = isolate(index, port->isolated);
	if (r == -EOPNOTSUPP && !port->isolated)
		r = 0;
	if (r == 0 && filters)
		r = set_vlans(index, port);
	return r < 0 ? failed(port, r, err) : 0;
}
