/*
 * daemon/handlers_addresses.c -- a guest's addresses, as the leases of its
 * networks, the host's neighbours or its agent tell them.
 */
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "daemon/guestinfo.h"
#include "daemon/networks.h"
#include "daemon/reply.h"
#include "network/net/view.h"

enum { MAC_TEXT = 18 };

static void mac_text(const struct dom_iface *i, char text[MAC_TEXT])
{
	snprintf(text, MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", i->mac[0],
		 i->mac[1], i->mac[2], i->mac[3], i->mac[4], i->mac[5]);
}

static void add_address(wire_dom_iface *to, const char *ip,
			unsigned int prefix)
{
	wire_ip_addr *a;

	if (to->addrs.addrs_len == WIRE_INTERFACES_MAX)
		return;
	to->addrs.addrs_val = xrealloc(to->addrs.addrs_val,
				       to->addrs.addrs_len + 1, sizeof(*a));
	a = &to->addrs.addrs_val[to->addrs.addrs_len++];
	a->type = strchr(ip, ':') ? VIR_IP_ADDR_TYPE_IPV6 :
				    VIR_IP_ADDR_TYPE_IPV4;
	a->addr = xstrdup(ip);
	a->prefix = prefix;
}

/* ---- leases ---- */

static int add_leases(struct call *call, const struct dom_iface *i,
		      wire_dom_iface *to, struct error *err)
{
	struct networks *nets = registry_networks(call->reg);
	struct net_lease_entry *entries = NULL;
	struct network_ref ref;
	unsigned int all = 0;
	char mac[MAC_TEXT];
	int n;

	if (i->type != IFACE_NETWORK ||
	    network_by_name(nets, i->source, &ref, NULL) < 0)
		return 0;
	mac_text(i, mac);
	n = network_leases(nets, ref.uuid, mac, &entries, &all, err);
	for (int k = 0; k < n; k++)
		add_address(to, entries[k].ip, entries[k].prefix);
	leases_free(entries, all);
	return MIN(n, 0);
}

/* ---- neighbours ---- */

struct wanted {
	char mac[MAC_TEXT];
	wire_dom_iface *to;
};

static void on_neighbour(void *arg, const char *ip, const char *mac)
{
	const struct wanted *w = arg;

	if (!strcasecmp(mac, w->mac))
		add_address(w->to, ip, 0);
}

static void add_neighbours(const char *view, const struct dom_iface *i,
			   wire_dom_iface *to)
{
	const char *bridge = i->type == IFACE_NETWORK ? i->net_bridge :
			     i->type == IFACE_BRIDGE  ? i->source :
							NULL;
	struct wanted w = { .to = to };

	mac_text(i, w.mac);
	if (bridge)
		view_neighbours(view, bridge, on_neighbour, &w);
}

/* ---- both ---- */

static void name_iface(const struct dom_iface *i, wire_dom_iface *to)
{
	char mac[MAC_TEXT];

	mac_text(i, mac);
	to->name = xstrdup(i->target_dev ? i->target_dev : "");
	to->mac = xmalloc(sizeof(*to->mac));
	*to->mac = xstrdup(mac);
}

/* view NULL: leases. */
static int reply_ifaces(struct call *call, const struct domain_def *def,
			const char *view, wire_iface_addrs *reply,
			struct error *err)
{
	wire_dom_iface *list = xcalloc(def->n_ifaces + 1, sizeof(*list));
	int r = 0;

	reply->ifaces.ifaces_val = list;
	for (unsigned int i = 0; i < def->n_ifaces && r == 0; i++) {
		wire_dom_iface *to = &list[reply->ifaces.ifaces_len];

		if (view)
			add_neighbours(view, &def->ifaces[i], to);
		else
			r = add_leases(call, &def->ifaces[i], to, err);
		if (!to->addrs.addrs_len)
			continue; /* nothing is known of that one */
		name_iface(&def->ifaces[i], to);
		reply->ifaces.ifaces_len++;
	}
	return r;
}

static int from_host(struct call *call, const wire_iface_addrs_args *args,
		     wire_iface_addrs *reply, struct error *err)
{
	_cleanup_free_ char *view = NULL;
	struct domain_def *def;
	int r = 0;

	if (args->source == VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP)
		r = networks_view(registry_networks(call->reg), &view, err);
	if (r < 0)
		return r;
	def = domain_get_def(call->reg, wire_uuid_of(&args->dom), true, err);
	if (!def)
		return err->errnum;
	r = reply_ifaces(call, def, view, reply, err);
	domain_def_free(def);
	return r;
}

int handle_domain_interface_addresses(struct call *call,
				      const wire_iface_addrs_args *args,
				      wire_iface_addrs *reply,
				      struct error *err)
{
	struct domain_info info;
	int r = call_flags(call, args->flags, 0, err);

	if (r >= 0)
		r = domain_get_info(call->reg, wire_uuid_of(&args->dom), &info,
				    err);
	if (r < 0)
		return r;
	if (!info.active)
		return error_virt(err, VIR_ERR_OPERATION_INVALID, "%s",
				  "domain is not running");
	switch (args->source) {
	case VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT:
		return guestinfo_interfaces(call, &args->dom, reply, err);
	case VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE:
	case VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP:
		return from_host(call, args, reply, err);
	}
	return error_virt(err, VIR_ERR_ARGUMENT_UNSUPPORTED,
			  "unsupported IP address data source %u",
			  args->source);
}
