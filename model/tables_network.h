/*
 * model/tables_network.h -- the tables of network.h's structs, for use inside
 * model/.
 */
#ifndef MODEL_TABLES_NETWORK_H
#define MODEL_TABLES_NETWORK_H

#include "model/bind.h"
#include "model/network.h"

extern const struct xml_type type_network, type_net_port;
extern const struct xml_type type_bandwidth, type_vlan;
/* What net-update changes by itself. */
extern const struct xml_type type_net_range, type_net_dhcp_host, type_net_dev;
extern const struct xml_type type_net_portgroup, type_net_dns_host;
extern const struct xml_type type_net_txt, type_net_srv;

#endif
