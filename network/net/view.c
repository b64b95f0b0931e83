/*
 * network/net/view.c -- reading a view of the host's network.
 */
#include "network/net/view.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "base/error.h"

enum { LINE = 160 };

/* The next line that begins with the word; false at the end. */
static bool next(const char **view, const char *word, char line[LINE])
{
	while (**view) {
		size_t len = strcspn(*view, "\n"), n = strlen(word);
		const char *start = *view;

		*view += len + ((*view)[len] == '\n');
		if (len >= LINE || len <= n || strncmp(start, word, n) ||
		    start[n] != ' ')
			continue;
		memcpy(line, start + n + 1, len - n - 1);
		line[len - n - 1] = '\0';
		return true;
	}
	return false;
}

static bool next_net(const char **view, struct net_addr *ret_net,
		     char ret_dev[LINE])
{
	char line[LINE], addr[LINE], dev[LINE];
	unsigned int prefix;

	while (next(view, "net", line)) {
		if (sscanf(line, "%[^/]/%u %s", addr, &prefix, dev) != 3 ||
		    net_addr_parse(addr, ret_net) < 0 ||
		    prefix > ret_net->prefix)
			continue;
		ret_net->prefix = prefix;
		strcpy(ret_dev, dev);
		return true;
	}
	return false;
}

/* A default route is not a subnet. */
static const char *taken_by(const char *view, const struct net_addr *net,
			    const char *but, char dev[LINE])
{
	struct net_addr other;

	while (next_net(&view, &other, dev))
		if (other.prefix && !str_eq(dev, but) &&
		    net_addr_overlap(net, &other))
			return dev;
	return NULL;
}

int view_free_subnet(const char *view, unsigned int *ret_n)
{
	struct net_addr net;
	char dev[LINE];

	net_addr_parse("192.168.0.0", &net);
	net.prefix = 24;
	for (unsigned int i = 0; i < 254; i++) {
		unsigned int n = 122 + i < 255 ? 122 + i : 376 - 122 - i;

		net.bytes[2] = n;
		if (!taken_by(view, &net, NULL, dev)) {
			*ret_n = n;
			return 0;
		}
	}
	return -EADDRNOTAVAIL;
}

static int clash(const char *view, const struct network_def *def,
		 const struct net_addr *net, const char *dev,
		 struct error *err)
{
	_cleanup_free_ char *text = net_addr_format(net);
	char advice[80] = "";
	unsigned int n;

	if (!net->v6 && view_free_subnet(view, &n) == 0)
		snprintf(advice, sizeof(advice),
			 "; 192.168.%u.0/24 would be free", n);
	return error_virt(err, VIR_ERR_INTERNAL_ERROR,
			  "network '%s': %s/%u is already in use by interface %s%s",
			  def->name, text, net->prefix, dev, advice);
}

int view_clash(const char *view, const struct network_def *def,
	       struct error *err)
{
	struct net_addr net;
	char dev[LINE];

	for (unsigned int i = 0; i < def->n_ips; i++)
		if (net_addr_of_ip(&def->ips[i], &net) == 0 &&
		    taken_by(view, &net, def->bridge, dev))
			return clash(view, def, &net, dev, err);
	return 0;
}

bool view_has_dev(const char *view, const char *name)
{
	char line[LINE];

	while (next(&view, "dev", line))
		if (str_eq(line, name))
			return true;
	return false;
}

void view_neighbours(const char *view, const char *dev,
		     void (*fn)(void *arg, const char *ip, const char *mac),
		     void *arg)
{
	char line[LINE], ip[LINE], mac[LINE], behind[LINE];

	while (next(&view, "neigh", line))
		if (sscanf(line, "%s %s %s", ip, mac, behind) == 3 &&
		    str_eq(behind, dev))
			fn(arg, ip, mac);
}
