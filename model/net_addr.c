/*
 * model/net_addr.c -- IP addresses and networks of network definitions.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "model/network.h"

static unsigned int bits(const struct net_addr *a)
{
	return a->v6 ? 128 : 32;
}

int net_addr_parse(const char *text, struct net_addr *ret_addr)
{
	struct net_addr a = { .v6 = text && strchr(text, ':') };

	if (!text ||
	    inet_pton(a.v6 ? AF_INET6 : AF_INET, text, a.bytes) != 1)
		return -EINVAL;
	a.prefix = bits(&a);
	*ret_addr = a;
	return 0;
}

/* The ones of a netmask; -EINVAL when a zero is before a one. */
static int mask_prefix(const char *text, bool v6)
{
	struct net_addr mask;
	unsigned int n = 0;

	if (net_addr_parse(text, &mask) < 0 || mask.v6 != v6)
		return -EINVAL;
	while (n < bits(&mask) && mask.bytes[n / 8] & (0x80 >> n % 8))
		n++;
	for (unsigned int i = n; i < bits(&mask); i++)
		if (mask.bytes[i / 8] & (0x80 >> i % 8))
			return -EINVAL;
	return n;
}

/* What an address without a mask meant before CIDR (RFC 791, 3.2). */
static unsigned int class_prefix(const struct net_addr *a)
{
	if (a->v6)
		return 64;
	if (!(a->bytes[0] & 0x80))
		return 8;
	return (a->bytes[0] & 0xc0) == 0x80 ? 16 : 24;
}

static int with_prefix(const char *text, const char *netmask, bool has_prefix,
		       unsigned int prefix, struct net_addr *ret_addr)
{
	struct net_addr a;
	int r = net_addr_parse(text, &a);

	if (r < 0)
		return r;
	if (netmask)
		r = mask_prefix(netmask, a.v6);
	else
		r = has_prefix ? (int)prefix : (int)class_prefix(&a);
	if (r < 0 || (unsigned int)r > bits(&a))
		return -EINVAL;
	a.prefix = r;
	*ret_addr = a;
	return 0;
}

int net_addr_of_ip(const struct net_ip *ip, struct net_addr *ret_addr)
{
	return with_prefix(ip->address, ip->netmask, ip->has_prefix,
			   ip->prefix, ret_addr);
}

/* 0.0.0.0 and :: without a mask are everything. */
int net_addr_of_route(const struct net_route *route,
		      struct net_addr *ret_addr)
{
	static const uint8_t none[16];
	int r = with_prefix(route->address, route->netmask, route->has_prefix,
			    route->prefix, ret_addr);

	if (r == 0 && !route->netmask && !route->has_prefix &&
	    !memcmp(ret_addr->bytes, none, sizeof(none)))
		ret_addr->prefix = 0;
	return r;
}

bool net_addr_overlap(const struct net_addr *a, const struct net_addr *b)
{
	unsigned int n = MIN(a->prefix, b->prefix);

	if (a->v6 != b->v6 || memcmp(a->bytes, b->bytes, n / 8))
		return false;
	return !(n % 8) ||
	       !((a->bytes[n / 8] ^ b->bytes[n / 8]) & (0xff00 >> n % 8));
}

char *net_addr_format(const struct net_addr *addr)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(addr->v6 ? AF_INET6 : AF_INET, addr->bytes, text,
		  sizeof(text));
	return xstrdup(text);
}
