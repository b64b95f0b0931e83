/*
 * model/network_move.c -- networks that need not have the subnet that they
 * name, which say so in their metadata:
 *
 *	<metadata>
 *	  <vireo:subnet xmlns:vireo='urn:vireo:network' choose='free'/>
 *	</metadata>
 *
 * All addresses of their IPv4 subnet (a /24) move to another 192.168.N.0/24.
 */
#include <string.h>

#include "base/error.h"
#include "model/network.h"
#include "model/xml.h"

#define NAMESPACE "urn:vireo:network"

static bool says_free(const xmlNode *n)
{
	_cleanup_free_ char *choose = NULL;

	if (!xml_name(n) || !str_eq(xml_name(n), "subnet") || !n->ns ||
	    !str_eq((const char *)n->ns->href, NAMESPACE))
		return false;
	choose = xml_attr(n, "choose");
	return choose && str_eq(choose, "free");
}

bool network_def_moves(const struct network_def *def)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_xml_ xmlDoc *doc = NULL;
	const xmlNode *n;

	if (!def->metadata)
		return false;
	text = xasprintf("<metadata>%s</metadata>", def->metadata);
	if (xml_parse(text, "metadata", &doc, NULL) < 0)
		return false;
	n = xml_child(xmlDocGetRootElement(doc), NULL);
	while (n && !says_free(n))
		n = xml_next(n, NULL);
	return n;
}

static void move(char **text, const struct net_addr *from, unsigned int to)
{
	struct net_addr a;

	if (net_addr_parse(*text, &a) < 0 || !net_addr_overlap(&a, from))
		return;
	a.bytes[0] = 192;
	a.bytes[1] = 168;
	a.bytes[2] = to;
	free(*text);
	*text = net_addr_format(&a);
}

static void move_ip(struct net_ip *ip, const struct net_addr *from,
		    unsigned int to)
{
	move(&ip->address, from, to);
	move(&ip->boot_server, from, to);
	for (unsigned int i = 0; i < ip->n_ranges; i++) {
		move(&ip->ranges[i].start, from, to);
		move(&ip->ranges[i].end, from, to);
	}
	for (unsigned int i = 0; i < ip->n_hosts; i++)
		move(&ip->hosts[i].ip, from, to);
}

bool network_def_move(struct network_def *def, unsigned int to)
{
	struct net_addr from;
	unsigned int at = 0;

	while (at < def->n_ips &&
	       (net_addr_of_ip(&def->ips[at], &from) < 0 || from.v6 ||
		from.prefix != 24))
		at++;
	if (at == def->n_ips)
		return false;
	for (unsigned int i = 0; i < def->n_ips; i++)
		move_ip(&def->ips[i], &from, to);
	for (unsigned int i = 0; i < def->n_routes; i++)
		move(&def->routes[i].gateway, &from, to);
	for (unsigned int i = 0; i < def->dns.n_hosts; i++)
		move(&def->dns.hosts[i].ip, &from, to);
	return true;
}
