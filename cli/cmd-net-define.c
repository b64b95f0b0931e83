/*
 * cli/cmd-net-define.c -- virtual networks and their ports from XML:
 * net-define, net-create, net-edit, net-port-create.
 */
#include "cli/edit.h"
#include "cli/network.h"
#include "cli/output.h"

static int told(struct ctl *ctl, virNetworkPtr net, const char *verb,
		const char *file)
{
	say(ctl, "Network %s %sd from %s\n", virNetworkGetName(net), verb,
	    file);
	virNetworkFree(net);
	return EXIT_OK;
}

static int run_net_define(struct ctl *ctl, const struct args *args)
{
	const char *file = args_get(args, "file");
	_cleanup_free_ char *xml = read_xml_file(file);
	virNetworkPtr net;

	if (!xml)
		return EXIT_FAILED;
	net = args_has(args, "validate") ?
		      virNetworkDefineXMLFlags(ctl->conn, xml,
					       VIR_NETWORK_DEFINE_VALIDATE) :
		      virNetworkDefineXML(ctl->conn, xml);
	return net ? told(ctl, net, "define", file) :
		     say_failed(ctl, "Failed to define network from %s", file);
}

static int run_net_create(struct ctl *ctl, const struct args *args)
{
	const char *file = args_get(args, "file");
	_cleanup_free_ char *xml = read_xml_file(file);
	virNetworkPtr net;

	if (!xml)
		return EXIT_FAILED;
	net = args_has(args, "validate") ?
		      virNetworkCreateXMLFlags(ctl->conn, xml,
					       VIR_NETWORK_CREATE_VALIDATE) :
		      virNetworkCreateXML(ctl->conn, xml);
	return net ? told(ctl, net, "create", file) :
		     say_failed(ctl, "Failed to create network from %s", file);
}

/* ---- net-edit ---- */

static char *get_xml(void *object)
{
	return virNetworkGetXMLDesc(object, VIR_NETWORK_XML_INACTIVE);
}

static int define_xml(struct ctl *ctl, void *object, const char *xml)
{
	virNetworkPtr net = virNetworkDefineXML(ctl->conn, xml);

	(void)object;
	if (!net)
		return -1;
	virNetworkFree(net);
	return 0;
}

static int run_net_edit(struct ctl *ctl, const struct args *args)
{
	static const struct edit edit = {
		get_xml, define_xml,
		"Network %s XML configuration not changed.\n",
		"Network %s XML configuration edited.\n",
	};
	virNetworkPtr net = ctl_network(ctl, args_get(args, "network"));
	int status;

	if (!net)
		return EXIT_FAILED;
	status = edit_object(ctl, &edit, net, virNetworkGetName(net));
	virNetworkFree(net);
	return status;
}

/* ---- ports ---- */

static int create_port(struct ctl *ctl, const struct args *args,
		       virNetworkPtr net, const char *xml)
{
	unsigned int flags = args_has(args, "validate") ?
				     VIR_NETWORK_PORT_CREATE_VALIDATE : 0;
	virNetworkPortPtr port = virNetworkPortCreateXML(net, xml, flags);
	const char *file = args_get(args, "file");
	char uuid[VIR_UUID_STRING_BUFLEN] = "";

	if (!port)
		return say_failed(ctl, "Failed to create network from %s",
				  file);
	virNetworkPortGetUUIDString(port, uuid);
	say(ctl, "Network port %s created from %s\n", uuid, file);
	virNetworkPortFree(port);
	return EXIT_OK;
}

static int run_net_port_create(struct ctl *ctl, const struct args *args)
{
	virNetworkPtr net = ctl_network(ctl, args_get(args, "network"));
	_cleanup_free_ char *xml = net ? read_xml_file(args_get(args, "file")) :
					 NULL;
	int status = xml ? create_port(ctl, args, net, xml) : EXIT_FAILED;

	if (net)
		virNetworkFree(net);
	return status;
}

const struct command family_net_define[] = {
	{
		.name = "net-define",
		.group = "network",
		.summary = "define or modify a persistent network from an XML "
			   "file",
		.details = "The network is not started; one that runs changes "
			   "when it is started anew.",
		.opts = OPTS(DATA("file"), FLAG("validate")),
		.run = run_net_define,
	},
	{
		.name = "net-create",
		.group = "network",
		.summary = "create a network from an XML file",
		.details = "The network is transient: it vanishes when it "
			   "stops.",
		.opts = OPTS(DATA("file"), FLAG("validate")),
		.run = run_net_create,
	},
	{
		.name = "net-edit",
		.group = "network",
		.summary = "edit XML configuration for a network",
		.opts = OPTS(DATA("network")),
		.run = run_net_edit,
	},
	{
		.name = "net-port-create",
		.group = "network",
		.summary = "create a network port from an XML file",
		.opts = OPTS(DATA("network"), DATA("file"), FLAG("validate")),
		.run = run_net_port_create,
	},
	{ NULL },
};
