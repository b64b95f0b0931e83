/*
 * network/net/plan.c -- plans: made of definitions, and checked.
 */
#include "network/net/plan.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "model/network.h"

static int too_many(const struct network_def *def, const char *what,
		    unsigned int max, struct error *err)
{
	return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
			  "network '%s' has more than %u %s", def->name, max,
			  what);
}

static void set_ip(struct plan_ip *ip, const struct net_addr *a)
{
	memcpy(ip->addr, a->bytes, sizeof(ip->addr));
	ip->v6 = a->v6;
	ip->prefix = a->prefix;
}

static void set_ips(const struct network_def *def, struct net_plan *p)
{
	struct net_addr a;

	for (unsigned int i = 0; i < def->n_ips; i++)
		if (net_addr_of_ip(&def->ips[i], &a) == 0)
			set_ip(&p->ips[p->n_ips++], &a);
}

static void set_routes(const struct network_def *def, struct net_plan *p)
{
	struct net_addr to, via;

	for (unsigned int i = 0; i < def->n_routes; i++) {
		const struct net_route *r = &def->routes[i];
		struct plan_route *route = &p->routes[p->n_routes];

		if (net_addr_of_route(r, &to) < 0 ||
		    net_addr_parse(r->gateway, &via) < 0)
			continue;
		set_ip(&route->to, &to);
		memcpy(route->gateway, via.bytes, sizeof(route->gateway));
		route->metric = r->has_metric ? r->metric : 0;
		p->n_routes++;
	}
}

static void set_nat(const struct net_nat *nat, struct net_plan *p)
{
	struct net_addr a;

	p->nat6 = str_eq(nat->ipv6, "yes");
	if (nat->has_ports) {
		p->port_first = nat->port_start;
		p->port_last = nat->port_end;
	}
	if (!nat->has_addr)
		return;
	if (net_addr_parse(nat->addr_start, &a) == 0)
		memcpy(p->nat_first, a.bytes, 4);
	if (net_addr_parse(nat->addr_end, &a) == 0)
		memcpy(p->nat_last, a.bytes, 4);
}

static bool has_vlans(const struct network_def *def)
{
	if (def->vlan.n_tags)
		return true;
	for (unsigned int i = 0; i < def->n_portgroups; i++)
		if (def->portgroups[i].vlan.n_tags)
			return true;
	return false;
}

static void set_devs(const struct network_def *def, struct net_plan *p)
{
	for (unsigned int i = 0; i < def->forward.n_devs; i++)
		snprintf(p->devs[p->n_devs++], PLAN_NAME, "%s",
			 def->forward.devs[i].dev);
}

static enum plan_mode plan_mode(enum net_mode mode)
{
	switch (mode) {
	case NET_NAT:
		return PLAN_NAT;
	case NET_ROUTE:
		return PLAN_ROUTE;
	case NET_OPEN:
		return PLAN_OPEN;
	default:
		return PLAN_ISOLATED;
	}
}

static struct plan_rate plan_rate(const struct net_rate *r)
{
	return r->present ? (struct plan_rate){ r->average, r->peak,
						r->burst } :
			    (struct plan_rate){ 0 };
}

int plan_rates_of(const struct net_bandwidth *bandwidth,
		  struct plan_rates *ret_rates, struct error *err)
{
	if (bandwidth->in.floor || bandwidth->out.floor)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "<bandwidth>: 'floor' is not supported, leave it out");
	*ret_rates = (struct plan_rates){ plan_rate(&bandwidth->in),
					  plan_rate(&bandwidth->out) };
	return 0;
}

int net_plan_of(const struct network_def *def, struct net_plan *ret_plan,
		struct error *err)
{
	struct net_plan p = { .mode = plan_mode(def->mode),
			      .mtu = def->mtu,
			      .stp = !str_eq(def->stp, "off"),
			      .ipv6 = str_eq(def->ipv6, "yes"),
			      .vlans = has_vlans(def) };

	if (def->n_ips > PLAN_IPS)
		return too_many(def, "addresses", PLAN_IPS, err);
	if (def->n_routes > PLAN_ROUTES)
		return too_many(def, "routes", PLAN_ROUTES, err);
	if (def->forward.n_devs > PLAN_DEVS)
		return too_many(def, "interfaces", PLAN_DEVS, err);
	memcpy(p.uuid, def->uuid, sizeof(p.uuid));
	memcpy(p.mac, def->mac, sizeof(p.mac));
	snprintf(p.bridge, sizeof(p.bridge), "%s", def->bridge);
	p.delay = def->delay ? strtoul(def->delay, NULL, 10) : 0;
	set_ips(def, &p);
	set_routes(def, &p);
	set_devs(def, &p);
	set_nat(&def->forward.nat, &p);
	*ret_plan = p;
	return plan_rates_of(&def->bandwidth, &ret_plan->rates, err);
}

/* ---- checking ---- */

bool net_ifname_ok(const char name[PLAN_NAME])
{
	size_t len = strnlen(name, PLAN_NAME);

	if (!len || len == PLAN_NAME || str_eq(name, ".") ||
	    str_eq(name, ".."))
		return false;
	for (size_t i = 0; i < len; i++)
		if (name[i] <= ' ' || name[i] > '~' ||
		    strchr("/\"*%:\\{}", name[i]))
			return false;
	return true;
}

static bool ip_ok(const struct plan_ip *ip)
{
	return ip->v6 <= 1 && ip->prefix <= (ip->v6 ? 128 : 32);
}

static bool counts_ok(const struct net_plan *p)
{
	return p->n_ips <= PLAN_IPS && p->n_routes <= PLAN_ROUTES &&
	       p->n_devs <= PLAN_DEVS && p->mode < PLAN_MODES &&
	       p->port_first <= p->port_last && p->delay <= 300 &&
	       p->mtu <= 65535;
}

int net_plan_check(const struct net_plan *p, struct error *err)
{
	bool ok = counts_ok(p) && net_ifname_ok(p->bridge) &&
		  !(p->mac[0] & 1);

	for (unsigned int i = 0; ok && i < p->n_ips; i++)
		ok = ip_ok(&p->ips[i]);
	for (unsigned int i = 0; ok && i < p->n_routes; i++)
		ok = ip_ok(&p->routes[i].to);
	for (unsigned int i = 0; ok && i < p->n_devs; i++)
		ok = net_ifname_ok(p->devs[i]);
	return ok ? 0 : error_set(err, -EINVAL,
				  "the plan of a network is not one");
}
