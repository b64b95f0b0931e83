/*
 * network/net/dnsmasq.c -- a network's definition as options of dnsmasq(8).
 *
 * Definitions were checked when they were read (model/complete_network.c): no
 * text here can begin a line of its own.  Whoever starts dnsmasq looks at every
 * line again.
 */
#include "network/net/dnsmasq.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/error.h"

enum { LEASES_MAX = 65535 };

static bool has_dns(const struct network_def *def)
{
	return !str_eq(def->dns.enable, "no");
}

bool dnsmasq_wanted(const struct network_def *def)
{
	return network_has_bridge(def) && def->n_ips &&
	       (has_dns(def) || def->ips[0].has_dhcp ||
		(def->n_ips > 1 && def->ips[1].has_dhcp));
}

/* ---- DNS ---- */

static void put_forwarders(struct buf *b, const struct net_dns *dns)
{
	bool all = false;

	for (unsigned int i = 0; i < dns->n_forwarders; i++) {
		const struct net_forwarder *f = &dns->forwarders[i];

		buf_puts(b, "server=");
		if (f->domain)
			buf_printf(b, "/%s/", f->domain);
		buf_printf(b, "%s\n", f->addr ? f->addr : "#");
		all |= !f->domain;
	}
	if (all)
		buf_puts(b, "no-resolv\n");
}

static void put_srv(struct buf *b, const struct net_srv *s,
		    const char *domain)
{
	buf_printf(b, "srv-host=_%s._%s", s->service, s->protocol);
	if (s->domain || domain)
		buf_printf(b, ".%s", s->domain ? s->domain : domain);
	if (s->target)
		buf_printf(b, ",%s", s->target);
	if (s->target && (s->port || s->priority || s->weight))
		buf_printf(b, ",%u", s->port ? s->port : 1);
	if (s->target && (s->priority || s->weight))
		buf_printf(b, ",%u,%u", s->priority, s->weight);
	buf_puts(b, "\n");
}

/* As one string of the record, whatever it contains. */
static void put_txt(struct buf *b, const struct net_txt *t)
{
	buf_printf(b, "txt-record=%s", t->name);
	if (t->value) {
		buf_puts(b, ",\"");
		for (const char *p = t->value; *p; p++)
			buf_printf(b, *p == '"' || *p == '\\' ? "\\%c" : "%c",
				   *p);
		buf_puts(b, "\"");
	}
	buf_puts(b, "\n");
}

static void put_local_zone(struct buf *b, const struct network_def *def)
{
	if (!def->domain)
		return;
	if (str_eq(def->domain_local, "yes"))
		buf_printf(b, "local=/%s/\n", def->domain);
	buf_printf(b, "domain=%s\nexpand-hosts\n", def->domain);
}

/* The subnet's part of the reverse zone is nobody else's to answer. */
static void put_local_ptr(struct buf *b, const struct net_ip *ip)
{
	struct net_addr a;

	if (!str_eq(ip->local_ptr, "yes") || net_addr_of_ip(ip, &a) < 0 ||
	    a.prefix % (a.v6 ? 4 : 8))
		return;
	buf_puts(b, "local=/");
	for (int i = (int)a.prefix / (a.v6 ? 4 : 8) - 1; i >= 0; i--) {
		if (a.v6)
			buf_printf(b, "%x.", i % 2 ? a.bytes[i / 2] & 15 :
						     a.bytes[i / 2] >> 4);
		else
			buf_printf(b, "%u.", a.bytes[i]);
	}
	buf_printf(b, "%s/\n", a.v6 ? "ip6.arpa" : "in-addr.arpa");
}

static void put_dns(struct buf *b, const struct network_def *def)
{
	const struct net_dns *dns = &def->dns;

	if (!has_dns(def)) {
		buf_puts(b, "port=0\n");
		return;
	}
	if (str_eq(dns->plain_names, "no"))
		buf_puts(b, "domain-needed\n");
	put_forwarders(b, dns);
	for (unsigned int i = 0; i < dns->n_srvs; i++)
		put_srv(b, &dns->srvs[i], def->domain);
	for (unsigned int i = 0; i < dns->n_txts; i++)
		put_txt(b, &dns->txts[i]);
	for (unsigned int i = 0; i < def->n_ips; i++)
		put_local_ptr(b, &def->ips[i]);
}

/* ---- DHCP ---- */

static char *lease_text(const struct net_lease *lease)
{
	if (!lease->present)
		return xstrdup("");
	if (!lease->expiry)
		return xstrdup(",infinite");
	if (!lease->unit)
		return xasprintf(",%um", lease->expiry);
	return xasprintf(",%u%c", lease->expiry,
			 str_eq(lease->unit, "seconds") ? 's' :
			 str_eq(lease->unit, "minutes") ? 'm' : 'h');
}

static void put_range(struct buf *b, const struct net_range *range,
		      const struct net_addr *net)
{
	_cleanup_free_ char *lease = lease_text(&range->lease);
	uint8_t mask[4] = { 0 };
	char text[INET_ADDRSTRLEN];

	buf_printf(b, "dhcp-range=%s,%s", range->start, range->end);
	if (net->v6) {
		buf_printf(b, ",%u%s\n", net->prefix, lease);
		return;
	}
	for (unsigned int i = 0; i < net->prefix; i++)
		mask[i / 8] |= 0x80 >> i % 8;
	inet_ntop(AF_INET, mask, text, sizeof(text));
	buf_printf(b, ",%s%s\n", text, lease);
}

/* No range: those addresses that hosts have. */
static void put_static_range(struct buf *b, const struct net_ip *ip,
			     const struct net_addr *net)
{
	if (ip->n_ranges || !ip->n_hosts)
		return;
	if (net->v6)
		buf_printf(b, "dhcp-range=%s,static,%u\n", ip->address,
			   net->prefix);
	else
		buf_printf(b, "dhcp-range=%s,static\n", ip->address);
}

static unsigned int range_size(const struct net_range *range)
{
	struct net_addr first, last;
	uint32_t a, z;

	if (net_addr_parse(range->start, &first) < 0 ||
	    net_addr_parse(range->end, &last) < 0)
		return 0;
	memcpy(&a, first.bytes + (first.v6 ? 12 : 0), 4);
	memcpy(&z, last.bytes + (last.v6 ? 12 : 0), 4);
	return MIN(ntohl(z) - ntohl(a), LEASES_MAX - 1u) + 1;
}

static unsigned int put_dhcp(struct buf *b, const struct net_ip *ip)
{
	struct net_addr net;
	unsigned int leases = ip->n_hosts;

	if (!ip->has_dhcp || net_addr_of_ip(ip, &net) < 0)
		return 0;
	for (unsigned int i = 0; i < ip->n_ranges; i++) {
		put_range(b, &ip->ranges[i], &net);
		leases += range_size(&ip->ranges[i]);
	}
	put_static_range(b, ip, &net);
	if (ip->tftp_root)
		buf_printf(b, "enable-tftp\ntftp-root=%s\n", ip->tftp_root);
	if (ip->boot_file)
		buf_printf(b, "dhcp-boot=%s%s%s\n", ip->boot_file,
			   ip->boot_server ? ",," : "",
			   ip->boot_server ? ip->boot_server : "");
	return leases;
}

/* Without DHCP guests still learn their IPv6 prefix. */
static void put_ra(struct buf *b, const struct network_def *def)
{
	for (unsigned int i = 0; i < def->n_ips; i++) {
		const struct net_ip *ip = &def->ips[i];
		struct net_addr a;

		if (net_addr_of_ip(ip, &a) < 0 || !a.v6)
			continue;
		if (ip->has_dhcp)
			buf_puts(b, "enable-ra\n");
		else
			buf_printf(b, "enable-ra\ndhcp-range=%s,ra-only\n",
				   ip->address);
	}
}

/* Of a network that leads nowhere its guests get no default route... */
static void put_no_router(struct buf *b, const struct network_def *def)
{
	if (def->mode == NET_ISOLATED)
		buf_puts(b, "dhcp-option=3\nno-resolv\n");
	if (def->mode == NET_ISOLATED && def->n_ips > 1)
		buf_puts(b, "ra-param=*,0,0\n"); /* ... of either kind */
}

static void put_conf(struct buf *b, const struct network_def *def)
{
	unsigned int leases = 0;

	buf_puts(b, "strict-order\n");
	put_local_zone(b, def);
	put_dns(b, def);
	put_no_router(b, def);
	for (unsigned int i = 0; i < def->n_ips; i++)
		leases += put_dhcp(b, &def->ips[i]);
	if (leases)
		buf_printf(b, "dhcp-no-override\ndhcp-authoritative\ndhcp-lease-max=%u\n",
			   MIN(leases, (unsigned int)LEASES_MAX));
	if (def->mtu)
		buf_printf(b, "dhcp-option=option:mtu,%u\n", def->mtu);
	put_ra(b, def);
}

/* ---- what can change ---- */

static void put_host(struct buf *b, const struct net_dhcp_host *h, bool v6)
{
	_cleanup_free_ char *lease = lease_text(&h->lease);
	const char *separator = "";

	if (h->id) {
		buf_printf(b, "id:%s", h->id);
		separator = ",";
	} else if (h->mac) {
		buf_puts(b, h->mac);
		separator = ",";
	}
	if (h->name) {
		buf_printf(b, "%s%s", separator, h->name);
		separator = ",";
	}
	if (h->ip)
		buf_printf(b, v6 ? "%s[%s]" : "%s%s", separator, h->ip);
	buf_printf(b, "%s\n", lease);
}

static void put_names(struct buf *b, const struct net_dns *dns)
{
	for (unsigned int i = 0; i < dns->n_hosts; i++) {
		buf_puts(b, dns->hosts[i].ip);
		for (unsigned int j = 0; j < dns->hosts[i].n_names; j++)
			buf_printf(b, "\t%s", dns->hosts[i].names[j].name);
		buf_puts(b, "\n");
	}
}

void dnsmasq_write(const struct network_def *def,
		   struct dnsmasq_files *ret_files)
{
	*ret_files = (struct dnsmasq_files){ 0 };
	put_conf(&ret_files->conf, def);
	for (unsigned int i = 0; i < def->n_ips; i++)
		for (unsigned int j = 0; j < def->ips[i].n_hosts; j++)
			put_host(&ret_files->hosts, &def->ips[i].hosts[j],
				 strchr(def->ips[i].address, ':'));
	put_names(&ret_files->names, &def->dns);
}

void dnsmasq_files_free(struct dnsmasq_files *files)
{
	buf_free(&files->conf);
	buf_free(&files->hosts);
	buf_free(&files->names);
}

bool dnsmasq_line_ok(const char *line, size_t len)
{
	static const char *const options[] = {
		"strict-order", "local=", "domain=", "expand-hosts", "port=0",
		"domain-needed", "no-resolv", "server=", "srv-host=",
		"txt-record=", "dhcp-range=", "dhcp-option=", "dhcp-boot=",
		"dhcp-no-override", "dhcp-authoritative", "dhcp-lease-max=",
		"enable-ra", "ra-param=", "enable-tftp", "tftp-root=",
	};

	if (!len || memchr(line, '\r', len) || memchr(line, '\0', len))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		size_t n = strlen(options[i]);

		/* Options with a value, or exactly the word. */
		if (len >= n && !memcmp(line, options[i], n) &&
		    (options[i][n - 1] == '=' || len == n))
			return true;
	}
	return false;
}
