/*
 * cli/cmd-net.c -- commands that do one thing to one virtual network: start,
 * destroy, undefine, autostart, update; and its names.
 */
#include <string.h>

#include "cli/network.h"
#include "cli/output.h"

/* The texts are ours, each with one %s. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

struct net_action {
	int (*act)(virNetworkPtr net);
	const char *done, *failed;
};

static int net_action(struct ctl *ctl, const struct args *args,
		      const struct net_action *action)
{
	virNetworkPtr net = ctl_network(ctl, args_get(args, "network"));
	int status = EXIT_OK;

	if (!net)
		return EXIT_FAILED;
	if (action->act(net) < 0)
		status = say_failed(ctl, action->failed,
				    args_get(args, "network"));
	else
		say(ctl, action->done, virNetworkGetName(net));
	virNetworkFree(net);
	return status;
}

static int mark(virNetworkPtr net)
{
	return virNetworkSetAutostart(net, 1);
}

static int unmark(virNetworkPtr net)
{
	return virNetworkSetAutostart(net, 0);
}

#define ACTION(id, call, done, failed)                                    \
	static int run_net_##id(struct ctl *ctl, const struct args *args) \
	{                                                                 \
		static const struct net_action a = { call, done, failed }; \
									  \
		return net_action(ctl, args, &a);                         \
	}

ACTION(start, virNetworkCreate, "Network %s started\n",
       "Failed to start network %s")
ACTION(destroy, virNetworkDestroy, "Network %s destroyed\n",
       "Failed to destroy network %s")
ACTION(undefine, virNetworkUndefine, "Network %s has been undefined\n",
       "Failed to undefine network %s")

static int run_net_autostart(struct ctl *ctl, const struct args *args)
{
	static const struct net_action actions[] = {
		{ mark, "Network %s marked as autostarted\n",
		  "failed to mark network %s as autostarted" },
		{ unmark, "Network %s unmarked as autostarted\n",
		  "failed to unmark network %s as autostarted" },
	};

	return net_action(ctl, args, &actions[args_has(args, "disable")]);
}

/* ---- names ---- */

static int run_net_uuid(struct ctl *ctl, const struct args *args)
{
	const char *name = args_get(args, "network");
	virNetworkPtr net = virNetworkLookupByName(ctl->conn, name);
	char uuid[VIR_UUID_STRING_BUFLEN];
	int r;

	if (!net)
		return say_failed(ctl, "failed to get network '%s'", name);
	r = virNetworkGetUUIDString(net, uuid);
	if (r == 0)
		say_value(ctl, "uuid", uuid);
	virNetworkFree(net);
	return r == 0 ? EXIT_OK : say_failed(ctl, "failed to get network UUID");
}

static int run_net_name(struct ctl *ctl, const struct args *args)
{
	const char *uuid = args_get(args, "network");
	bool is_uuid = strlen(uuid) == VIR_UUID_STRING_BUFLEN - 1;
	virNetworkPtr net = is_uuid ? virNetworkLookupByUUIDString(ctl->conn,
								   uuid) :
				      NULL;

	if (!is_uuid) {
		say_error("failed to get network '%s'", uuid);
		return EXIT_FAILED;
	}
	if (!net)
		return say_failed(ctl, "failed to get network '%s'", uuid);
	say_value(ctl, "name", virNetworkGetName(net));
	virNetworkFree(net);
	return EXIT_OK;
}

/* ---- net-update ---- */

static const char *const commands[] = {
	[VIR_NETWORK_UPDATE_COMMAND_MODIFY] = "modify",
	[VIR_NETWORK_UPDATE_COMMAND_DELETE] = "delete",
	[VIR_NETWORK_UPDATE_COMMAND_ADD_LAST] = "add-last",
	[VIR_NETWORK_UPDATE_COMMAND_ADD_FIRST] = "add-first",
};

static const char *const sections[] = {
	[VIR_NETWORK_SECTION_BRIDGE] = "bridge",
	[VIR_NETWORK_SECTION_DOMAIN] = "domain",
	[VIR_NETWORK_SECTION_IP] = "ip",
	[VIR_NETWORK_SECTION_IP_DHCP_HOST] = "ip-dhcp-host",
	[VIR_NETWORK_SECTION_IP_DHCP_RANGE] = "ip-dhcp-range",
	[VIR_NETWORK_SECTION_FORWARD] = "forward",
	[VIR_NETWORK_SECTION_FORWARD_INTERFACE] = "forward-interface",
	[VIR_NETWORK_SECTION_FORWARD_PF] = "forward-pf",
	[VIR_NETWORK_SECTION_PORTGROUP] = "portgroup",
	[VIR_NETWORK_SECTION_DNS_HOST] = "dns-host",
	[VIR_NETWORK_SECTION_DNS_TXT] = "dns-txt",
	[VIR_NETWORK_SECTION_DNS_SRV] = "dns-srv",
};

/* 0: it is none of them. */
static unsigned int number_of(const char *const *names, unsigned int n,
			      const char *name)
{
	for (unsigned int i = 1; i < n; i++)
		if (str_eq(names[i], name))
			return i;
	return 0;
}

static int args_command(const struct args *args, unsigned int *ret)
{
	const char *name = args_get(args, "command");

	*ret = str_eq(name, "add") ?
		       VIR_NETWORK_UPDATE_COMMAND_ADD_LAST :
		       number_of(commands, ARRAY_SIZE(commands), name);
	if (!*ret)
		say_error("unrecognized command name '%s'", name);
	return *ret ? 0 : -1;
}

static int args_section(const struct args *args, unsigned int *ret)
{
	const char *name = args_get(args, "section");

	*ret = number_of(sections, ARRAY_SIZE(sections), name);
	if (!*ret)
		say_error("unrecognized section name '%s'", name);
	return *ret ? 0 : -1;
}

static int args_where(const struct args *args, unsigned int *ret)
{
	static const struct flag_option flags[] = {
		{ "config", VIR_NETWORK_UPDATE_AFFECT_CONFIG },
		{ "live", VIR_NETWORK_UPDATE_AFFECT_LIVE },
		{ NULL },
	};

	*ret = args_flags(args, flags);
	return args_exclusive(args, "current", "live") < 0 ||
			       args_exclusive(args, "current", "config") < 0 ?
		       -1 : 0;
}

/* The element itself, or a file that has it. */
static char *args_element(const struct args *args)
{
	const char *xml = args_get(args, "xml");

	return xml[0] == '<' ? xstrdup(xml) : read_xml_file(xml);
}

static void tell_update(struct ctl *ctl, virNetworkPtr net, unsigned int where)
{
	bool live = where & VIR_NETWORK_UPDATE_AFFECT_LIVE;
	bool config = where & VIR_NETWORK_UPDATE_AFFECT_CONFIG;

	if (!live && !config)
		live = virNetworkIsActive(net) > 0;
	if (ctl->output == OUTPUT_TABLE)
		printf("Updated network %s %s", virNetworkGetName(net),
		       live && config ? "persistent config and live state" :
		       live	      ? "live state" :
					"persistent config");
}

static int run_net_update(struct ctl *ctl, const struct args *args)
{
	unsigned int command, section, where;
	_cleanup_free_ char *xml = NULL;
	int index = -1, status = EXIT_OK;
	virNetworkPtr net;

	if (args_where(args, &where) < 0 ||
	    args_command(args, &command) < 0 ||
	    args_section(args, &section) < 0 ||
	    args_int(args, "parent-index", &index) < 0)
		return EXIT_FAILED;
	xml = args_element(args);
	net = xml ? ctl_network(ctl, args_get(args, "network")) : NULL;
	if (!net)
		return EXIT_FAILED;
	if (virNetworkUpdate(net, command, section, index, xml, where) < 0)
		status = say_failed(ctl, "Failed to update network %s",
				    args_get(args, "network"));
	else
		tell_update(ctl, net, where);
	virNetworkFree(net);
	return status;
}

/* ---- the commands ---- */

#define NET_COMMAND(id, text, more, ...)                      \
	{                                                     \
		.name = "net-" #id,                           \
		.group = "network",                           \
		.summary = text,                              \
		.details = more,                              \
		.opts = OPTS(DATA("network"), ##__VA_ARGS__), \
		.run = run_net_##id,                          \
	}

const struct command family_net[] = {
	NET_COMMAND(autostart, "autostart a network",
		    "Has it started whenever the host starts.",
		    FLAG("disable")),
	NET_COMMAND(destroy, "destroy (stop) a network",
		    "Takes its bridge, its rules and its DHCP server from the "
		    "host; its definition stays."),
	NET_COMMAND(name, "convert a network UUID to network name", NULL),
	NET_COMMAND(start, "start a (previously defined) inactive network",
		    "Makes its bridge and its rules on the host, and starts "
		    "its DHCP and DNS server."),
	NET_COMMAND(undefine, "undefine a persistent network",
		    "One that runs becomes transient."),
	NET_COMMAND(update,
		    "update parts of an existing network's configuration",
		    "Guests stay connected.",
		    DATA("command",
			 "add-first, add-last (add), delete or modify"),
		    DATA("section", "which part: ip-dhcp-host, dns-host, ..."),
		    DATA("xml", "the element, or a file that has it"),
		    NUMBER("parent-index", "which parent has the element"),
		    OPTS_AFFECT),
	NET_COMMAND(uuid, "convert a network name to network UUID", NULL),
	{ NULL },
};
