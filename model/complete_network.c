/*
 * model/complete_network.c -- whether a network can be, and what it means where
 * it says nothing.
 */
#include <libvirt/virterror.h>
#include <string.h>
#include <sys/random.h>

#include "base/error.h"
#include "model/complete.h"
#include "model/network.h"

enum { PORT_FIRST = 1024, PORT_LAST = 65535, IFNAME_MAX = 15 };

static int bad(struct error *err, const char *what, const char *text,
	       const struct network_def *def)
{
	return error_virt(err, VIR_ERR_XML_ERROR,
			  "Invalid %s '%.80s' in network '%s'", what,
			  text ? text : "", def->name);
}

/* Text that goes into a line of a configuration file. */
static bool is_plain(const char *text)
{
	for (; text && *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

static bool is_name(const char *text)
{
	return text && *text && strlen(text) <= 255 &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.*") ==
		       strlen(text);
}

static int check_ifname(const char *name, const struct network_def *def,
			struct error *err)
{
	if (!name || (*name && strlen(name) <= IFNAME_MAX && is_plain(name) &&
		      !strpbrk(name, "/ \"*") && !str_eq(name, ".") &&
		      !str_eq(name, "..")))
		return 0;
	return bad(err, "interface name", name, def);
}

/* ---- DHCP ---- */

static int check_inside(const char *text, const struct net_addr *net,
			const char *what, const struct network_def *def,
			struct error *err)
{
	struct net_addr a;

	if (net_addr_parse(text, &a) < 0 || a.v6 != net->v6)
		return bad(err, what, text, def);
	if (net_addr_overlap(&a, net))
		return 0;
	return error_virt(err, VIR_ERR_INTERNAL_ERROR,
			  "%s '%s' is not in network '%s's subnet", what, text,
			  def->name);
}

static int check_range(const struct net_range *range,
		       const struct net_addr *net,
		       const struct network_def *def, struct error *err)
{
	struct net_addr first, last;
	int r = check_inside(range->start, net, "DHCP range start", def, err);

	if (r == 0)
		r = check_inside(range->end, net, "DHCP range end", def, err);
	if (r < 0)
		return r;
	net_addr_parse(range->start, &first);
	net_addr_parse(range->end, &last);
	if (memcmp(first.bytes, last.bytes, sizeof(first.bytes)) > 0)
		return error_virt(err, VIR_ERR_INTERNAL_ERROR,
				  "invalid range %s - %s for network '%s': it ends before it begins",
				  range->start, range->end, def->name);
	return 0;
}

static bool is_mac(const char *text)
{
	unsigned int b[6];
	int end = 0;

	return sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2],
		      &b[3], &b[4], &b[5], &end) == 6 && !text[end] &&
	       !(b[0] & 1);
}

static int check_host(const struct net_dhcp_host *h,
		      const struct net_addr *net,
		      const struct network_def *def, struct error *err)
{
	if (h->mac && (net->v6 || !is_mac(h->mac)))
		return bad(err, net->v6 ? "'mac' (IPv6 hosts have 'id')" :
					  "MAC address", h->mac, def);
	if (h->id && (!is_plain(h->id) || strpbrk(h->id, ", ")))
		return bad(err, "host id", h->id, def);
	if (h->name && !is_name(h->name))
		return bad(err, "host name", h->name, def);
	if (!h->mac && !h->name && !h->id)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "At least one of name, mac, or id attribute must be specified for static host definition in network '%s'",
				  def->name);
	if (!h->ip)
		return h->name || h->mac ? 0 :
					   bad(err, "host", h->id, def);
	return check_inside(h->ip, net, "static host address", def, err);
}

static int check_dhcp(const struct net_ip *ip, const struct net_addr *net,
		      const struct network_def *def, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < ip->n_ranges && r == 0; i++)
		r = check_range(&ip->ranges[i], net, def, err);
	for (unsigned int i = 0; i < ip->n_hosts && r == 0; i++)
		r = check_host(&ip->hosts[i], net, def, err);
	if (r == 0 && (!is_plain(ip->boot_file) ||
		       (ip->boot_file && strchr(ip->boot_file, ','))))
		r = bad(err, "boot file", ip->boot_file, def);
	if (r == 0 && ip->boot_server && !is_name(ip->boot_server))
		r = bad(err, "boot server", ip->boot_server, def);
	return r;
}

static int check_ip(struct net_ip *ip, const struct network_def *def,
		    struct error *err)
{
	struct net_addr a;

	if (net_addr_of_ip(ip, &a) < 0)
		return bad(err, "address or netmask", ip->address, def);
	if (ip->family && str_eq(ip->family, "ipv6") != a.v6)
		return bad(err, "family of address", ip->address, def);
	if (!is_plain(ip->tftp_root) ||
	    (ip->tftp_root && (*ip->tftp_root != '/' ||
			       strchr(ip->tftp_root, ','))))
		return bad(err, "TFTP root", ip->tftp_root, def);
	return check_dhcp(ip, &a, def, err);
}

/* One IPv4 and one IPv6 subnet may have DHCP: dnsmasq serves one of each. */
static int check_ips(struct network_def *def, struct error *err)
{
	unsigned int dhcp[2] = { 0 };
	int r = 0;

	for (unsigned int i = 0; i < def->n_ips && r == 0; i++) {
		struct net_ip *ip = &def->ips[i];

		r = check_ip(ip, def, err);
		if (r == 0 && ip->has_dhcp &&
		    ++dhcp[strchr(ip->address, ':') != NULL] > 1)
			r = error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				       "Multiple dhcp sections found in network '%s': dhcp is supported only for a single IPv4 and a single IPv6 address",
				       def->name);
	}
	return r;
}

static int check_routes(const struct network_def *def, struct error *err)
{
	for (unsigned int i = 0; i < def->n_routes; i++) {
		const struct net_route *route = &def->routes[i];
		struct net_addr to, via;

		if (net_addr_of_route(route, &to) < 0)
			return bad(err, "route", route->address, def);
		if (net_addr_parse(route->gateway, &via) < 0 ||
		    via.v6 != to.v6)
			return bad(err, "gateway", route->gateway, def);
	}
	return 0;
}

/* ---- DNS ---- */

static int check_dns_host(const struct net_dns_host *h,
			  const struct network_def *def, struct error *err)
{
	struct net_addr a;

	if (net_addr_parse(h->ip, &a) < 0)
		return bad(err, "IP address of a DNS host", h->ip, def);
	for (unsigned int i = 0; i < h->n_names; i++)
		if (!is_name(h->names[i].name))
			return bad(err, "DNS host name", h->names[i].name,
				   def);
	return h->n_names ? 0 : bad(err, "DNS host without a name", h->ip, def);
}

static int check_srv(const struct net_srv *s, const struct network_def *def,
		     struct error *err)
{
	if (!is_name(s->service) || !is_name(s->protocol))
		return bad(err, "service or protocol of a DNS SRV record",
			   s->service, def);
	if ((s->domain && !is_name(s->domain)) ||
	    (s->target && !is_name(s->target)))
		return bad(err, "name in a DNS SRV record", s->service, def);
	if (!s->target && (s->port || s->priority || s->weight))
		return bad(err, "DNS SRV record without a target", s->service,
			   def);
	return 0;
}

static int check_forwarder(const struct net_forwarder *f,
			   const struct network_def *def, struct error *err)
{
	struct net_addr a;

	if (!f->addr && !f->domain)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "Invalid forwarder element, must contain at least one of addr or domain in network '%s'",
				  def->name);
	if (f->addr && net_addr_parse(f->addr, &a) < 0)
		return bad(err, "forwarder", f->addr, def);
	return f->domain && !is_name(f->domain) ?
		       bad(err, "forwarder's domain", f->domain, def) : 0;
}

static int check_dns(const struct network_def *def, struct error *err)
{
	const struct net_dns *dns = &def->dns;
	int r = 0;

	for (unsigned int i = 0; i < dns->n_hosts && r == 0; i++)
		r = check_dns_host(&dns->hosts[i], def, err);
	for (unsigned int i = 0; i < dns->n_srvs && r == 0; i++)
		r = check_srv(&dns->srvs[i], def, err);
	for (unsigned int i = 0; i < dns->n_forwarders && r == 0; i++)
		r = check_forwarder(&dns->forwarders[i], def, err);
	for (unsigned int i = 0; i < dns->n_txts && r == 0; i++)
		if (!is_name(dns->txts[i].name) ||
		    !is_plain(dns->txts[i].value))
			r = bad(err, "DNS TXT record", dns->txts[i].name, def);
	return r;
}

/* ---- <forward> ---- */

static int check_nat(const struct network_def *def, struct error *err)
{
	const struct net_nat *nat = &def->forward.nat;
	struct net_addr a;

	if (def->forward.has_nat && def->mode != NET_NAT)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "<nat> is only for <forward mode='nat'>, in network '%s'",
				  def->name);
	if (nat->has_addr && (net_addr_parse(nat->addr_start, &a) < 0 || a.v6 ||
			      net_addr_parse(nat->addr_end, &a) < 0 || a.v6))
		return bad(err, "NAT address", nat->addr_start, def);
	if (nat->has_ports && nat->port_start > nat->port_end)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "the NAT port range of network '%s' ends before it begins",
				  def->name);
	return 0;
}

/* A host's bridge or device is not made by us and has none of our services. */
static int check_outside(const struct network_def *def, struct error *err)
{
	const char *extra = def->n_ips	  ? "<ip>" :
			    def->has_dns  ? "<dns>" :
			    def->domain	  ? "<domain>" :
			    def->n_routes ? "<route>" :
					    NULL;

	if (extra)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "Unsupported %s element in network %s with a forward mode that uses the host's devices",
				  extra, def->name);
	if (def->mode == NET_BRIDGE && def->bridge && def->forward.n_devs)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "A network with forward mode='bridge' can specify a bridge name or a forward dev, but not both (network '%s')",
				  def->name);
	if (def->mode == NET_HOSTDEV ?
		    !def->forward.n_pfs && !def->forward.n_addresses :
		    !def->bridge && !def->forward.n_devs && !def->forward.n_pfs)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "network '%s' names no bridge, interface, address or pf to forward to",
				  def->name);
	return 0;
}

static int check_forward(struct network_def *def, struct error *err)
{
	struct net_forward *f = &def->forward;
	int r = check_nat(def, err);

	if (r == 0 && f->dev && !f->n_devs && def->mode != NET_HOSTDEV) {
		f->devs = xcalloc(1, sizeof(*f->devs));
		f->devs[f->n_devs++].dev = xstrdup(f->dev);
	}
	for (unsigned int i = 0; i < f->n_devs && r == 0; i++)
		r = check_ifname(f->devs[i].dev, def, err);
	if (r == 0 && f->n_pfs > 1)
		r = error_virt(err, VIR_ERR_XML_ERROR,
			       "Only one <pf> is allowed, in network '%s'",
			       def->name);
	for (unsigned int i = 0; i < f->n_pfs && r == 0; i++)
		r = check_ifname(f->pfs[i].dev, def, err);
	if (r == 0 && !network_has_bridge(def))
		r = check_outside(def, err);
	return r;
}

static void default_forward(struct network_def *def)
{
	struct net_nat *nat = &def->forward.nat;

	if (def->has_forward && def->mode == NET_ISOLATED)
		def->mode = NET_NAT;
	if (def->mode != NET_NAT || nat->has_ports)
		return;
	def->forward.has_nat = nat->has_ports = true;
	nat->port_start = PORT_FIRST;
	nat->port_end = PORT_LAST;
}

/* ---- the rest ---- */

static void default_bridge(struct network_def *def)
{
	static const uint8_t prefix[3] = { 0x52, 0x54, 0x00 };

	default_str(&def->stp, "on");
	default_str(&def->delay, "0");
	if (def->has_mac)
		return;
	memcpy(def->mac, prefix, sizeof(prefix));
	if (getrandom(def->mac + 3, 3, 0) != 3)
		abort(); /* so few bytes cannot be interrupted */
	def->has_mac = true;
}

static int check_portgroups(const struct network_def *def, struct error *err)
{
	unsigned int defaults = 0;

	for (unsigned int i = 0; i < def->n_portgroups; i++) {
		const struct net_portgroup *g = &def->portgroups[i];

		if (network_portgroup(def, g->name) != g)
			return error_virt(err, VIR_ERR_XML_ERROR,
					  "multiple portgroups with the same name '%s' in network '%s'",
					  g->name, def->name);
		defaults += str_eq(g->is_default, "yes");
	}
	if (defaults > 1)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "multiple portgroups of network '%s' are the default one",
				  def->name);
	return 0;
}

static int check_names(const struct network_def *def, struct error *err)
{
	uint64_t delay;

	if (!*def->name || strchr(def->name, '/') || !is_plain(def->name))
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "name %s cannot contain '/'", def->name);
	if (def->domain && !is_name(def->domain))
		return bad(err, "domain", def->domain, def);
	if (def->delay && parse_u64(def->delay, 10, 300, &delay) < 0)
		return bad(err, "delay", def->delay, def);
	if (str_eq(def->bridge, ""))
		return bad(err, "bridge name", "", def);
	return check_ifname(def->bridge, def, err);
}

int network_def_complete(struct network_def *def, struct error *err)
{
	int r = check_names(def, err);

	default_forward(def);
	if (r == 0)
		r = check_forward(def, err);
	if (r == 0)
		r = check_ips(def, err);
	if (r == 0)
		r = check_routes(def, err);
	if (r == 0)
		r = check_dns(def, err);
	if (r == 0)
		r = check_portgroups(def, err);
	if (r < 0)
		return r;
	if (network_has_bridge(def))
		default_bridge(def);
	if (!def->uuid_given)
		uuid_generate_v4(def->uuid);
	def->uuid_given = true;
	return 0;
}
