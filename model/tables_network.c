/*
 * model/tables_network.c -- where each member of network.h is in the XML.
 */
#include "model/tables_network.h"

#include "model/tables.h"

#define WORDS(name, ...) \
	static const char *const name##_list[] = { __VA_ARGS__ }; \
	static const struct words words_##name = { name##_list, \
						   ARRAY_SIZE(name##_list) }
WORDS(mode, [NET_NAT] = "nat", [NET_ROUTE] = "route", [NET_OPEN] = "open",
      [NET_BRIDGE] = "bridge", [NET_PRIVATE] = "private",
      [NET_VEPA] = "vepa", [NET_PASSTHROUGH] = "passthrough",
      [NET_HOSTDEV] = "hostdev");
WORDS(family, "ipv4", "ipv6");
WORDS(native, "tagged", "untagged");
WORDS(unit, "seconds", "minutes", "hours");
WORDS(mac_table, "kernel", "libvirt");
WORDS(plug, "network", "bridge", "direct", "hostdev-pci");

#define LIST(path, s, items, n, t) \
	{ path, FIELD_LIST, offsetof(struct s, items), .type = &t, \
	  .n_off = offsetof(struct s, n) }

/* ---- QoS and VLANs ---- */

#define R(m) offsetof(struct net_rate, m)
static const struct field rate_fields[] = {
	{ "@average", FIELD_UINT, R(average) },
	{ "@peak", FIELD_UINT, R(peak) },
	{ "@floor", FIELD_UINT, R(floor) },
	{ "@burst", FIELD_UINT, R(burst) },
	{ 0 },
};
#undef R
static const struct xml_type type_rate = { .fields = rate_fields };

#define B(m) offsetof(struct net_bandwidth, m)
static const struct field bandwidth_fields[] = {
	{ "inbound", FIELD_STRUCT, B(in), .type = &type_rate,
	  .n_off = B(in.present) },
	{ "outbound", FIELD_STRUCT, B(out), .type = &type_rate,
	  .n_off = B(out.present) },
	{ 0 },
};
#undef B
const struct xml_type type_bandwidth = { .fields = bandwidth_fields };

static const struct field tag_fields[] = {
	{ "@id", FIELD_NUMBER, offsetof(struct net_tag, id), .max = 4095,
	  .flags = FIELD_REQUIRED, .missing = "missing vlan tag id attribute" },
	{ "@nativeMode", FIELD_STR, offsetof(struct net_tag, native_mode),
	  &words_native },
	{ 0 },
};
static const struct xml_type type_tag = {
	.size = sizeof(struct net_tag),
	.fields = tag_fields,
};
static const struct field vlan_fields[] = {
	{ "@trunk", FIELD_STR, offsetof(struct net_vlan, trunk),
	  &words_yesno },
	LIST("tag", net_vlan, tags, n_tags, type_tag),
	{ 0 },
};
const struct xml_type type_vlan = { .fields = vlan_fields };

/* ---- <forward> ---- */

#define D(m) offsetof(struct net_dev, m)
static const struct field dev_fields[] = {
	{ "@dev", FIELD_STR, D(dev), .flags = FIELD_REQUIRED,
	  .missing = "Missing required dev attribute in <forward> "
		     "<interface> element" },
	{ "@connections", FIELD_UINT, D(connections), .flags = FIELD_LIVE },
	{ 0 },
};
#undef D
const struct xml_type type_net_dev = {
	.size = sizeof(struct net_dev),
	.fields = dev_fields,
};

static const struct field pci_fields[] = {
	{ "@type", FIELD_STR, offsetof(struct dom_address, type) },
	{ "@domain", FIELD_HEX4, offsetof(struct dom_address, domain),
	  .max = 0xffff },
	{ "@bus", FIELD_HEX2, offsetof(struct dom_address, bus),
	  .max = 0xff },
	{ "@slot", FIELD_HEX2, offsetof(struct dom_address, slot),
	  .max = 0x1f },
	{ "@function", FIELD_HEX1, offsetof(struct dom_address, function),
	  .max = 7 },
	{ 0 },
};
static const struct xml_type type_pci = {
	.size = sizeof(struct dom_address),
	.fields = pci_fields,
};

#define N(m) offsetof(struct net_nat, m)
static const struct field addr_range_fields[] = {
	{ "@start", FIELD_STR, N(addr_start), .flags = FIELD_REQUIRED },
	{ "@end", FIELD_STR, N(addr_end), .flags = FIELD_REQUIRED },
	{ 0 },
};
static const struct xml_type type_addr_range = { .fields = addr_range_fields };
static const struct field port_range_fields[] = {
	{ "@start", FIELD_UINT, N(port_start), .max = 65535,
	  .flags = FIELD_REQUIRED },
	{ "@end", FIELD_UINT, N(port_end), .max = 65535,
	  .flags = FIELD_REQUIRED },
	{ 0 },
};
static const struct xml_type type_port_range = { .fields = port_range_fields };
static const struct field nat_fields[] = {
	{ "@ipv6", FIELD_STR, N(ipv6), &words_yesno },
	{ "address", FIELD_STRUCT, 0, .type = &type_addr_range,
	  .n_off = N(has_addr) },
	{ "port", FIELD_STRUCT, 0, .type = &type_port_range,
	  .n_off = N(has_ports) },
	{ 0 },
};
#undef N
static const struct xml_type type_nat = { .fields = nat_fields };

#define F(m) offsetof(struct net_forward, m)
static const struct field forward_fields[] = {
	{ "@dev", FIELD_STR, F(dev) },
	{ "@managed", FIELD_STR, F(managed), &words_yesno },
	{ "driver@name", FIELD_STR, F(driver) },
	{ "nat", FIELD_STRUCT, F(nat), .type = &type_nat,
	  .n_off = F(has_nat) },
	LIST("pf", net_forward, pfs, n_pfs, type_net_dev),
	LIST("interface", net_forward, devs, n_devs, type_net_dev),
	LIST("address", net_forward, addresses, n_addresses, type_pci),
	{ 0 },
};
#undef F
static const struct xml_type type_forward = {
	.fields = forward_fields,
};
/* ---- addresses and DHCP ---- */

#define L(m) offsetof(struct net_lease, m)
static const struct field lease_fields[] = {
	{ "@expiry", FIELD_NUMBER, L(expiry), .flags = FIELD_REQUIRED },
	{ "@unit", FIELD_STR, L(unit), &words_unit },
	{ 0 },
};
#undef L
static const struct xml_type type_lease = { .fields = lease_fields };

#define R(m) offsetof(struct net_range, m)
static const struct field range_fields[] = {
	{ "@start", FIELD_STR, R(start), .flags = FIELD_REQUIRED,
	  .missing = "Missing 'start' attribute in dhcp range" },
	{ "@end", FIELD_STR, R(end), .flags = FIELD_REQUIRED,
	  .missing = "Missing 'end' attribute in dhcp range" },
	{ "lease", FIELD_STRUCT, R(lease), .type = &type_lease,
	  .n_off = R(lease.present) },
	{ 0 },
};
#undef R
const struct xml_type type_net_range = {
	.size = sizeof(struct net_range),
	.fields = range_fields,
};

#define H(m) offsetof(struct net_dhcp_host, m)
static const struct field dhcp_host_fields[] = {
	{ "@id", FIELD_STR, H(id) },
	{ "@mac", FIELD_STR, H(mac) },
	{ "@name", FIELD_STR, H(name) },
	{ "@ip", FIELD_STR, H(ip) },
	{ "lease", FIELD_STRUCT, H(lease), .type = &type_lease,
	  .n_off = H(lease.present) },
	{ 0 },
};
#undef H
const struct xml_type type_net_dhcp_host = {
	.size = sizeof(struct net_dhcp_host),
	.fields = dhcp_host_fields,
};

#define I(m) offsetof(struct net_ip, m)
static const struct field dhcp_fields[] = {
	LIST("range", net_ip, ranges, n_ranges, type_net_range),
	LIST("host", net_ip, hosts, n_hosts, type_net_dhcp_host),
	{ "bootp@file", FIELD_STR, I(boot_file) },
	{ "bootp@server", FIELD_STR, I(boot_server) },
	{ 0 },
};
static const struct xml_type type_dhcp = { .fields = dhcp_fields };
static const struct field ip_fields[] = {
	{ "@family", FIELD_STR, I(family), &words_family },
	{ "@address", FIELD_STR, I(address), .flags = FIELD_REQUIRED,
	  .missing = "Missing address in network IP definition" },
	{ "@netmask", FIELD_STR, I(netmask) },
	{ "@prefix", FIELD_NUMBER, I(prefix), .max = 128,
	  .n_off = I(has_prefix) },
	{ "@localPtr", FIELD_STR, I(local_ptr), &words_yesno },
	{ "tftp@root", FIELD_STR, I(tftp_root) },
	{ "dhcp", FIELD_STRUCT, 0, .type = &type_dhcp,
	  .n_off = I(has_dhcp) },
	{ 0 },
};
#undef I
static const struct xml_type type_ip = {
	.size = sizeof(struct net_ip),
	.fields = ip_fields,
};

#define R(m) offsetof(struct net_route, m)
static const struct field route_fields[] = {
	{ "@family", FIELD_STR, R(family), &words_family },
	{ "@address", FIELD_STR, R(address), .flags = FIELD_REQUIRED,
	  .missing = "Missing required address attribute in route definition" },
	{ "@netmask", FIELD_STR, R(netmask) },
	{ "@prefix", FIELD_NUMBER, R(prefix), .max = 128,
	  .n_off = R(has_prefix) },
	{ "@gateway", FIELD_STR, R(gateway), .flags = FIELD_REQUIRED,
	  .missing = "Missing required gateway attribute in route definition" },
	{ "@metric", FIELD_NUMBER, R(metric), .n_off = R(has_metric) },
	{ 0 },
};
#undef R
static const struct xml_type type_route = {
	.size = sizeof(struct net_route),
	.fields = route_fields,
};

/* ---- DNS ---- */

static const struct field forwarder_fields[] = {
	{ "@domain", FIELD_STR, offsetof(struct net_forwarder, domain) },
	{ "@addr", FIELD_STR, offsetof(struct net_forwarder, addr) },
	{ 0 },
};
static const struct xml_type type_forwarder = {
	.size = sizeof(struct net_forwarder),
	.fields = forwarder_fields,
};
static const struct field txt_fields[] = {
	{ "@name", FIELD_STR, offsetof(struct net_txt, name),
	  .flags = FIELD_REQUIRED,
	  .missing = "missing required name attribute in DNS TXT record" },
	{ "@value", FIELD_STR, offsetof(struct net_txt, value) },
	{ 0 },
};
const struct xml_type type_net_txt = {
	.size = sizeof(struct net_txt),
	.fields = txt_fields,
};
#define S(m) offsetof(struct net_srv, m)
static const struct field srv_fields[] = {
	{ "@service", FIELD_STR, S(service) },
	{ "@protocol", FIELD_STR, S(protocol) },
	{ "@domain", FIELD_STR, S(domain) },
	{ "@target", FIELD_STR, S(target) },
	{ "@port", FIELD_UINT, S(port), .max = 65535 },
	{ "@priority", FIELD_UINT, S(priority), .max = 65535 },
	{ "@weight", FIELD_UINT, S(weight), .max = 65535 },
	{ 0 },
};
#undef S
const struct xml_type type_net_srv = {
	.size = sizeof(struct net_srv),
	.fields = srv_fields,
};
static const struct field hostname_fields[] = {
	{ "", FIELD_STR, offsetof(struct net_hostname, name),
	  .flags = FIELD_REQUIRED },
	{ 0 },
};
static const struct xml_type type_hostname = {
	.size = sizeof(struct net_hostname),
	.fields = hostname_fields,
};
static const struct field dns_host_fields[] = {
	{ "@ip", FIELD_STR, offsetof(struct net_dns_host, ip) },
	LIST("hostname", net_dns_host, names, n_names, type_hostname),
	{ 0 },
};
const struct xml_type type_net_dns_host = {
	.size = sizeof(struct net_dns_host),
	.fields = dns_host_fields,
};
static const struct field dns_fields[] = {
	{ "@enable", FIELD_STR, offsetof(struct net_dns, enable),
	  &words_yesno },
	{ "@forwardPlainNames", FIELD_STR,
	  offsetof(struct net_dns, plain_names), &words_yesno },
	LIST("forwarder", net_dns, forwarders, n_forwarders, type_forwarder),
	LIST("txt", net_dns, txts, n_txts, type_net_txt),
	LIST("srv", net_dns, srvs, n_srvs, type_net_srv),
	LIST("host", net_dns, hosts, n_hosts, type_net_dns_host),
	{ 0 },
};
static const struct xml_type type_dns = { .fields = dns_fields };

/* ---- the network ---- */

#define P(m) offsetof(struct net_portgroup, m)
static const struct field portgroup_fields[] = {
	{ "@name", FIELD_STR, P(name), .flags = FIELD_REQUIRED,
	  .missing = "Missing required name attribute in portgroup" },
	{ "@default", FIELD_STR, P(is_default), &words_yesno },
	{ "@trustGuestRxFilters", FIELD_STR, P(trust), &words_yesno },
	{ "vlan", FIELD_STRUCT, P(vlan), .type = &type_vlan },
	{ "bandwidth", FIELD_STRUCT, P(bandwidth), .type = &type_bandwidth },
	{ 0 },
};
#undef P
const struct xml_type type_net_portgroup = {
	XML_TYPE_EXTRA(struct net_portgroup, extra),
	.fields = portgroup_fields,
	.order = " vlan * bandwidth ",
};

#define M(m) offsetof(struct network_def, m)
static const struct field network_fields[] = {
	{ "@connections", FIELD_UINT, M(connections), .flags = FIELD_LIVE },
	{ "@ipv6", FIELD_STR, M(ipv6), &words_yesno },
	{ "@trustGuestRxFilters", FIELD_STR, M(trust), &words_yesno },
	{ "name", FIELD_STR, M(name), .flags = FIELD_REQUIRED,
	  .missing = "missing network name" },
	{ "uuid", FIELD_UUID, M(uuid), .n_off = M(uuid_given) },
	{ "title", FIELD_STR, M(title) },
	{ "description", FIELD_STR, M(description) },
	{ "metadata", FIELD_INNER, M(metadata) },
	{ "forward", FIELD_STRUCT, M(forward), .type = &type_forward,
	  .n_off = M(has_forward) },
	{ "forward@mode", FIELD_ENUM, M(mode), &words_mode,
	  .n_off = M(has_forward) },
	{ "bridge@name", FIELD_STR, M(bridge) },
	{ "bridge@zone", FIELD_STR, M(zone) },
	{ "bridge@stp", FIELD_STR, M(stp), &words_onoff },
	{ "bridge@delay", FIELD_STR, M(delay) },
	{ "bridge@macTableManager", FIELD_STR, M(mac_table),
	  &words_mac_table },
	{ "mtu@size", FIELD_UINT, M(mtu), .max = 65535 },
	{ "mac@address", FIELD_MAC, M(mac), .n_off = M(has_mac) },
	{ "domain@name", FIELD_STR, M(domain) },
	{ "domain@localOnly", FIELD_STR, M(domain_local), &words_yesno },
	{ "domain@register", FIELD_STR, M(domain_register), &words_yesno },
	{ "dns", FIELD_STRUCT, M(dns), .type = &type_dns,
	  .n_off = M(has_dns) },
	{ "vlan", FIELD_STRUCT, M(vlan), .type = &type_vlan },
	{ "bandwidth", FIELD_STRUCT, M(bandwidth), .type = &type_bandwidth },
	{ "port@isolated", FIELD_STR, M(isolated), &words_yesno },
	LIST("ip", network_def, ips, n_ips, type_ip),
	LIST("route", network_def, routes, n_routes, type_route),
	LIST("portgroup", network_def, portgroups, n_portgroups,
	     type_net_portgroup),
	{ 0 },
};
#undef M
const struct xml_type type_network = {
	XML_TYPE_EXTRA(struct network_def, extra),
	.fields = network_fields,
	.order = " name uuid title description metadata forward bridge mtu "
		 "mac domain dns vlan bandwidth port ip route virtualport "
		 "portgroup * ",
};

/* ---- ports ---- */

#define Q(m) offsetof(struct net_port, m)
static const struct field port_fields[] = {
	{ "uuid", FIELD_UUID, Q(uuid), .n_off = Q(uuid_given) },
	{ "owner/name", FIELD_STR, Q(owner_name) },
	{ "owner/uuid", FIELD_UUID, Q(owner_uuid), .n_off = Q(has_owner) },
	{ "group", FIELD_STR, Q(group) },
	{ "mac@address", FIELD_MAC, Q(mac), .n_off = Q(has_mac) },
	{ "bandwidth", FIELD_STRUCT, Q(bandwidth), .type = &type_bandwidth },
	{ "rxfilters@trustGuest", FIELD_STR, Q(trust), &words_yesno },
	{ "port@isolated", FIELD_STR, Q(isolated), &words_yesno },
	{ "vlan", FIELD_STRUCT, Q(vlan), .type = &type_vlan },
	{ "plug@type", FIELD_STR, Q(plug), &words_plug },
	{ "plug@bridge", FIELD_STR, Q(bridge) },
	{ "plug@macTableManager", FIELD_STR, Q(mac_table),
	  &words_mac_table },
	{ "plug@dev", FIELD_STR, Q(dev) },
	{ "plug@mode", FIELD_STR, Q(mode) },
	{ "plug@managed", FIELD_STR, Q(managed), &words_yesno },
	{ 0 },
};
#undef Q
const struct xml_type type_net_port = {
	XML_TYPE_EXTRA(struct net_port, extra),
	.fields = port_fields,
	.order = " uuid owner group mac bandwidth rxfilters port virtualport "
		 "vlan plug * ",
};
