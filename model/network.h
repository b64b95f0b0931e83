/*
 * model/network.h -- virtual networks as their XML describes them.
 *
 * As in domain.h: strings are NULL when absent, and what is not interpreted
 * is kept in "extra".  Addresses stay text here; network_def_parse() has
 * checked that they are what they should be.
 */
#ifndef MODEL_NETWORK_H
#define MODEL_NETWORK_H

#include "model/domain.h"

enum net_mode {
	NET_ISOLATED, /* no <forward> */
	NET_NAT, NET_ROUTE, NET_OPEN,
	NET_BRIDGE, NET_PRIVATE, NET_VEPA, NET_PASSTHROUGH, NET_HOSTDEV,
};

struct net_dev { /* <interface>, <pf> */
	char *dev;
	unsigned int connections;
};

struct net_nat {
	char *ipv6; /* "yes" */
	char *addr_start, *addr_end;
	unsigned int port_start, port_end;
	bool has_addr, has_ports;
};

struct net_forward {
	char *dev;
	char *managed;
	char *driver; /* hostdev: "vfio" */
	bool has_nat;
	struct net_nat nat;
	unsigned int n_devs;
	struct net_dev *devs;
	unsigned int n_pfs;
	struct net_dev *pfs;
	unsigned int n_addresses;
	struct dom_address *addresses;
};

struct net_lease {
	bool present;
	unsigned int expiry; /* 0: for ever */
	char *unit;	     /* "seconds", "minutes", "hours" */
};
struct net_range {
	char *start, *end;
	struct net_lease lease;
};
struct net_dhcp_host {
	char *id, *mac, *name, *ip;
	struct net_lease lease;
};
struct net_ip {
	char *family; /* "ipv4", "ipv6"; NULL: the first */
	char *address, *netmask;
	unsigned int prefix;
	bool has_prefix;
	char *local_ptr;
	char *tftp_root;
	bool has_dhcp;
	unsigned int n_ranges;
	struct net_range *ranges;
	unsigned int n_hosts;
	struct net_dhcp_host *hosts;
	char *boot_file, *boot_server;
};

struct net_route {
	char *family, *address, *netmask, *gateway;
	unsigned int prefix, metric;
	bool has_prefix, has_metric;
};

struct net_forwarder {
	char *domain, *addr;
};
struct net_txt {
	char *name, *value;
};
struct net_srv {
	char *service, *protocol, *domain, *target;
	unsigned int port, priority, weight;
};
struct net_hostname {
	char *name;
};
struct net_dns_host {
	char *ip;
	unsigned int n_names;
	struct net_hostname *names;
};
struct net_dns {
	char *enable, *plain_names; /* "yes", "no" */
	unsigned int n_forwarders;
	struct net_forwarder *forwarders;
	unsigned int n_txts;
	struct net_txt *txts;
	unsigned int n_srvs;
	struct net_srv *srvs;
	unsigned int n_hosts;
	struct net_dns_host *hosts;
};

struct net_portgroup {
	char *name;
	char *is_default; /* "yes" */
	char *trust; /* guests' receive filters */
	struct net_vlan vlan;
	struct net_bandwidth bandwidth;
	char *extra;
};

struct net_option { /* dnsmasq:option */
	char *value;
};

struct network_def {
	char *name;
	uint8_t uuid[UUID_LEN];
	bool uuid_given; /* false only while it is read */
	char *ipv6;	 /* "yes": between guests, even without an address */
	char *trust;
	unsigned int connections; /* live */
	char *title, *description;
	char *metadata;
	bool has_forward;
	enum net_mode mode;
	struct net_forward forward;
	char *bridge, *stp, *delay, *mac_table, *zone;
	unsigned int mtu;
	uint8_t mac[6];
	bool has_mac;
	char *domain, *domain_local, *domain_register;
	bool has_dns;
	struct net_dns dns;
	struct net_vlan vlan;
	struct net_bandwidth bandwidth;
	char *isolated; /* <port isolated> */
	unsigned int n_ips;
	struct net_ip *ips;
	unsigned int n_routes;
	struct net_route *routes;
	unsigned int n_portgroups;
	struct net_portgroup *portgroups;
	char *extra;
};

enum { NETWORK_LIVE = 1, NETWORK_VALIDATE = 2 };

int network_def_parse(const char *xml, unsigned int flags,
		      struct network_def **ret_def, struct error *err);
char *network_def_format(const struct network_def *def, unsigned int flags);
struct network_def *network_def_copy(const struct network_def *def);
void network_def_free(struct network_def *def);
/* Checks, and fills in what can be said without knowing the host. */
int network_def_complete(struct network_def *def, struct error *err);

/* Whether the network has a bridge that we make. */
static inline bool network_has_bridge(const struct network_def *def)
{
	return def->mode <= NET_OPEN;
}

/* A named portgroup, or with name NULL the default one; NULL: none. */
const struct net_portgroup *network_portgroup(const struct network_def *def,
					      const char *name);

/* to's own tags are freed. */
void net_vlan_set(struct net_vlan *to, const struct net_vlan *from);
bool net_vlan_same(const struct net_vlan *a, const struct net_vlan *b);

/* ---- addresses ---- */

struct net_addr {
	bool v6;
	uint8_t bytes[16];
	unsigned int prefix;
};
/* An address alone (prefix: all of it); -EINVAL. */
int net_addr_parse(const char *text, struct net_addr *ret_addr);
/* The same with prefix or netmask; neither: its class's, or 64. */
int net_addr_of_ip(const struct net_ip *ip, struct net_addr *ret_addr);
int net_addr_of_route(const struct net_route *route,
		      struct net_addr *ret_addr);
/* Whether both networks have an address in common. */
bool net_addr_overlap(const struct net_addr *a, const struct net_addr *b);
char *net_addr_format(const struct net_addr *addr); /* without prefix */

/* ---- those whose subnet may be another one ---- */

bool network_def_moves(const struct network_def *def);
/* Its first IPv4 /24 becomes 192.168.TO.0/24; false: it has none. */
bool network_def_move(struct network_def *def, unsigned int to);

/* ---- changes of one element (net-update) ---- */

/* command, section: virNetworkUpdateCommand, virNetworkUpdateSection.  Nothing
 * changes where it fails. */
int network_def_update(struct network_def *def, unsigned int command,
		       unsigned int section, int index, const char *xml,
		       struct error *err);

/* ---- ports: who is plugged in ---- */

struct net_port {
	uint8_t uuid[UUID_LEN];
	bool uuid_given;
	char *owner_name;
	uint8_t owner_uuid[UUID_LEN];
	bool has_owner;
	char *group;
	uint8_t mac[6];
	bool has_mac;
	struct net_bandwidth bandwidth;
	char *trust;
	char *isolated;
	struct net_vlan vlan;
	char *plug; /* "network", "bridge", "direct", "hostdev-pci" */
	char *bridge, *mac_table;
	char *dev, *mode;
	char *managed;
	struct dom_address address;
	char *extra;
};
int net_port_parse(const char *xml, struct net_port **ret_port,
		   struct error *err);
char *net_port_format(const struct net_port *port);
struct net_port *net_port_copy(const struct net_port *port);
void net_port_free(struct net_port *port);

#endif
