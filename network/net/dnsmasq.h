/*
 * network/net/dnsmasq.h -- what dnsmasq(8) is told of a network, and what it
 * tells of its leases.
 */
#ifndef NETWORK_NET_DNSMASQ_H
#define NETWORK_NET_DNSMASQ_H

#include "base/buf.h"
#include "model/network.h"

/* Whether the network wants it at all. */
bool dnsmasq_wanted(const struct network_def *def);

/* Its three files: options, static DHCP hosts, names.  The last two can change
 * while it runs (on SIGHUP). */
struct dnsmasq_files {
	struct buf conf, hosts, names;
};
void dnsmasq_write(const struct network_def *def,
		   struct dnsmasq_files *ret_files);
void dnsmasq_files_free(struct dnsmasq_files *files);

/*
 * Whether a line of its options may be one, for who starts it with rights: an
 * option that serves names and addresses, none that runs a program or names
 * another file of options.
 */
bool dnsmasq_line_ok(const char *line, size_t len);

struct net_lease_entry {
	int64_t expiry; /* seconds since 1970; 0: never */
	bool v6;
	char *mac; /* NULL: not known */
	char *iaid, *ip, *hostname, *client_id;
	unsigned int prefix; /* network_leases(): its subnet's */
};
/* Reads what it wrote; lines that are none are passed over. */
unsigned int leases_parse(const char *text,
			  struct net_lease_entry **ret_entries);
void leases_free(struct net_lease_entry *entries, unsigned int n);

#endif
