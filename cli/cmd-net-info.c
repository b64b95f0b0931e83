/*
 * cli/cmd-net-info.c -- what there is to know about a virtual network:
 * net-info, net-dumpxml, net-dhcp-leases, and its ports.
 */
#include <string.h>
#include <time.h>

#include "cli/network.h"
#include "cli/output.h"
#include "cli/xml.h"

/* ---- net-info ---- */

static const char *yes_no(int value)
{
	return value < 0 ? "unknown" : value ? "yes" : "no";
}

static void add_bridge(struct record *r, virNetworkPtr net)
{
	_cleanup_free_ char *bridge = virNetworkGetBridgeName(net);

	if (bridge)
		record_add(r, "Bridge:", "bridge", false, "%s", bridge);
	virResetLastError(); /* some have none */
}

static int run_net_info(struct ctl *ctl, const struct args *args)
{
	virNetworkPtr net = ctl_network(ctl, args_get(args, "network"));
	struct record *r = net ? record_new() : NULL;
	char uuid[VIR_UUID_STRING_BUFLEN];
	int on;

	if (!net)
		return EXIT_FAILED;
	record_add(r, "Name:", "name", false, "%s", virNetworkGetName(net));
	if (virNetworkGetUUIDString(net, uuid) == 0)
		record_add(r, "UUID:", "uuid", false, "%s", uuid);
	record_add(r, "Active:", "active", false, "%s",
		   yes_no(virNetworkIsActive(net)));
	record_add(r, "Persistent:", "persistent", false, "%s",
		   yes_no(virNetworkIsPersistent(net)));
	record_add(r, "Autostart:", "autostart", false, "%s",
		   virNetworkGetAutostart(net, &on) < 0 ? "no autostart" :
							  yes_no(on));
	add_bridge(r, net);
	record_print(r, ctl);
	virNetworkFree(net);
	return EXIT_OK;
}

/* ---- net-dumpxml ---- */

static int run_net_dumpxml(struct ctl *ctl, const struct args *args)
{
	virNetworkPtr net = ctl_network(ctl, args_get(args, "network"));
	unsigned int flags = args_has(args, "inactive") ?
				     VIR_NETWORK_XML_INACTIVE : 0;
	char *xml;

	if (!net)
		return EXIT_FAILED;
	xml = virNetworkGetXMLDesc(net, flags);
	if (!xml)
		say_failed(ctl, NULL);
	virNetworkFree(net);
	return xml ? xml_show(ctl, args, xml) : EXIT_FAILED;
}

/* ---- net-dhcp-leases ---- */

static const struct column lease_columns[] = {
	{ "Expiry Time", "expiry", false },
	{ "MAC address", "mac", false },
	{ "Protocol", "protocol", false },
	{ "IP address", "ip", false },
	{ "Hostname", "hostname", false },
	{ "Client ID or DUID", "client-id", false },
};

static void add_lease(struct table *t, virNetworkDHCPLeasePtr lease)
{
	_cleanup_free_ char *ip = xasprintf("%s/%u", lease->ipaddr,
					    lease->prefix);
	time_t when = lease->expirytime;
	char expiry[40] = "";
	struct tm tm;

	strftime(expiry, sizeof(expiry), "%Y-%m-%d %H:%M:%S",
		 localtime_r(&when, &tm));
	table_row(t, (const char *const[]){
			     expiry, lease->mac,
			     lease->type == VIR_IP_ADDR_TYPE_IPV6 ? "ipv6" :
								    "ipv4",
			     ip, lease->hostname, lease->clientid });
	virNetworkDHCPLeaseFree(lease);
}

static int run_net_dhcp_leases(struct ctl *ctl, const struct args *args)
{
	virNetworkPtr net = ctl_network(ctl, args_get(args, "network"));
	virNetworkDHCPLeasePtr *leases = NULL;
	struct table *t;
	int n;

	if (!net)
		return EXIT_FAILED;
	n = virNetworkGetDHCPLeases(net, args_get(args, "mac"), &leases, 0);
	if (n < 0)
		say_failed(ctl, "Failed to get leases info for %s",
			   args_get(args, "network"));
	virNetworkFree(net);
	if (n < 0)
		return EXIT_FAILED;
	t = table_new(lease_columns, ARRAY_SIZE(lease_columns));
	for (int i = 0; i < n; i++)
		add_lease(t, leases[i]);
	free(leases);
	table_print(t, ctl);
	return EXIT_OK;
}

/* ---- ports ---- */

static int by_uuid(const void *pa, const void *pb)
{
	char a[VIR_UUID_STRING_BUFLEN] = "", b[VIR_UUID_STRING_BUFLEN] = "";

	virNetworkPortGetUUIDString(*(virNetworkPortPtr *)pa, a);
	virNetworkPortGetUUIDString(*(virNetworkPortPtr *)pb, b);
	return strcmp(a, b);
}

static void print_ports(struct ctl *ctl, const struct args *args,
			virNetworkPortPtr *ports, int n)
{
	static const struct column columns[] = { { "UUID", "uuid", false } };
	bool words = ctl->output == OUTPUT_TABLE && args_has(args, "uuid");
	struct table *t = words ? NULL : table_new(columns, 1);
	char uuid[VIR_UUID_STRING_BUFLEN] = "";

	for (int i = 0; i < n; i++) {
		virNetworkPortGetUUIDString(ports[i], uuid);
		if (words)
			puts(uuid);
		else
			table_row(t, (const char *const[]){ uuid });
		virNetworkPortFree(ports[i]);
	}
	if (!words)
		table_print(t, ctl);
}

static int run_net_port_list(struct ctl *ctl, const struct args *args)
{
	virNetworkPortPtr *ports = NULL;
	virNetworkPtr net;
	int n;

	if (args_has(args, "table") && args_has(args, "uuid")) {
		say_error("Only one argument from --table and --uuid may be specified.");
		return EXIT_FAILED;
	}
	net = ctl_network(ctl, args_get(args, "network"));
	if (!net)
		return EXIT_FAILED;
	n = virNetworkListAllPorts(net, &ports, 0);
	if (n < 0)
		say_failed(ctl, NULL);
	virNetworkFree(net);
	if (n < 0)
		return EXIT_FAILED;
	qsort(ports, n, sizeof(*ports), by_uuid);
	print_ports(ctl, args, ports, n);
	free(ports);
	return EXIT_OK;
}

static virNetworkPortPtr find_port(struct ctl *ctl, const struct args *args)
{
	virNetworkPtr net = ctl_network(ctl, args_get(args, "network"));
	const char *uuid = args_get(args, "port");
	virNetworkPortPtr port;

	if (!net)
		return NULL;
	port = virNetworkPortLookupByUUIDString(net, uuid);
	if (!port)
		say_failed(ctl, "failed to get network port '%s'", uuid);
	virNetworkFree(net);
	return port;
}

static int run_net_port_dumpxml(struct ctl *ctl, const struct args *args)
{
	virNetworkPortPtr port = find_port(ctl, args);
	char *xml;

	if (!port)
		return EXIT_FAILED;
	xml = virNetworkPortGetXMLDesc(port, 0);
	if (!xml)
		say_failed(ctl, NULL);
	virNetworkPortFree(port);
	return xml ? xml_show(ctl, args, xml) : EXIT_FAILED;
}

static int run_net_port_delete(struct ctl *ctl, const struct args *args)
{
	virNetworkPortPtr port = find_port(ctl, args);
	char uuid[VIR_UUID_STRING_BUFLEN] = "";
	int status = EXIT_OK;

	if (!port)
		return EXIT_FAILED;
	virNetworkPortGetUUIDString(port, uuid);
	if (virNetworkPortDelete(port, 0) < 0)
		status = say_failed(ctl, "Failed to delete network port %s",
				    uuid);
	else
		say(ctl, "Network port %s deleted\n", uuid);
	virNetworkPortFree(port);
	return status;
}

const struct command family_net_info[] = {
	{
		.name = "net-info",
		.group = "network",
		.summary = "network information",
		.opts = OPTS(DATA("network")),
		.run = run_net_info,
	},
	{
		.name = "net-dumpxml",
		.group = "network",
		.summary = "network information in XML",
		.opts = OPTS(DATA("network"), FLAG("inactive"),
			     STRING("xpath"), FLAG("wrap")),
		.run = run_net_dumpxml,
	},
	{
		.name = "net-dhcp-leases",
		.group = "network",
		.summary = "print lease info for a given network",
		.opts = OPTS(DATA("network"),
			     STRING("mac", "only of this MAC address")),
		.run = run_net_dhcp_leases,
	},
	{
		.name = "net-port-list",
		.group = "network",
		.summary = "list network ports",
		.details = "A port is one guest's card in the network.",
		.opts = OPTS(DATA("network"), FLAG("uuid"),
			     FLAG("table", "list a table (default)")),
		.run = run_net_port_list,
	},
	{
		.name = "net-port-dumpxml",
		.group = "network",
		.summary = "network port information in XML",
		.opts = OPTS(DATA("network"), DATA("port", "the port's uuid"),
			     STRING("xpath"), FLAG("wrap")),
		.run = run_net_port_dumpxml,
	},
	{
		.name = "net-port-delete",
		.group = "network",
		.summary = "delete the specified network port",
		.opts = OPTS(DATA("network"), DATA("port", "the port's uuid")),
		.run = run_net_port_delete,
	},
	{ NULL },
};
