/*
 * cli/cmd-iface.c -- interfaces of the host.
 */
#include <string.h>

#include "cli/args.h"
#include "cli/edit.h"
#include "cli/output.h"
#include "cli/xml.h"

static bool is_mac(const char *s)
{
	return strlen(s) == 17 && strspn(s, "0123456789abcdefABCDEF:") == 17;
}

static virInterfacePtr find(struct ctl *ctl, const struct args *args)
{
	const char *name = args_get(args, "interface");
	virInterfacePtr i = virInterfaceLookupByName(ctl->conn, name);

	if (!i && is_mac(name))
		i = virInterfaceLookupByMACString(ctl->conn, name);
	if (!i)
		say_failed(ctl, "failed to get interface '%s'", name);
	return i;
}

/* What a command does to one interface; the texts have one %s, its name. */
struct iface_action {
	int (*act)(virInterfacePtr i, unsigned int flags);
	const char *done, *failed;
};

#pragma GCC diagnostic ignored "-Wformat-nonliteral"

static int act(struct ctl *ctl, const struct args *args,
	       const struct iface_action *a)
{
	const char *name = args_get(args, "interface");
	virInterfacePtr i = find(ctl, args);
	int r;

	if (!i)
		return EXIT_FAILED;
	r = a->act(i, 0);
	if (r < 0)
		say_failed(ctl, a->failed, name);
	else
		say(ctl, a->done, name);
	virInterfaceFree(i);
	return r < 0 ? EXIT_FAILED : EXIT_OK;
}

static int undefine(virInterfacePtr i, unsigned int flags)
{
	(void)flags; /* the call has none */
	return virInterfaceUndefine(i);
}

static int run_iface_undefine(struct ctl *ctl, const struct args *args)
{
	static const struct iface_action a = {
		undefine, "Interface %s undefined\n",
		"Failed to undefine interface %s"
	};

	return act(ctl, args, &a);
}

static int run_iface_start(struct ctl *ctl, const struct args *args)
{
	static const struct iface_action a = { virInterfaceCreate,
					       "Interface %s started\n",
					       "Failed to start interface %s" };

	return act(ctl, args, &a);
}

static int run_iface_destroy(struct ctl *ctl, const struct args *args)
{
	static const struct iface_action a = {
		virInterfaceDestroy, "Interface %s destroyed\n",
		"Failed to destroy interface %s"
	};

	return act(ctl, args, &a);
}

static const struct column columns[] = {
	{ "Name", "name", false },
	{ "State", "state", false },
	{ "MAC Address", "mac", false },
};

static int by_name(const void *a, const void *b)
{
	return strcasecmp(virInterfaceGetName(*(virInterfacePtr *)a),
			  virInterfaceGetName(*(virInterfacePtr *)b));
}

static int run_iface_list(struct ctl *ctl, const struct args *args)
{
	unsigned int flags = VIR_CONNECT_LIST_INTERFACES_ACTIVE;
	virInterfacePtr *all = NULL;
	struct table *t;
	int n;

	if (args_exclusive(args, "all", "inactive") < 0)
		return EXIT_FAILED;
	if (args_has(args, "inactive"))
		flags = VIR_CONNECT_LIST_INTERFACES_INACTIVE;
	if (args_has(args, "all"))
		flags |= VIR_CONNECT_LIST_INTERFACES_INACTIVE;
	n = virConnectListAllInterfaces(ctl->conn, &all, flags);
	if (n < 0)
		return say_failed(ctl, "Failed to list interfaces");
	qsort(all, (size_t)n, sizeof(*all), by_name);
	t = table_new(columns, ARRAY_SIZE(columns));
	for (int i = 0; i < n; i++) {
		const char *cells[] = { virInterfaceGetName(all[i]),
					virInterfaceIsActive(all[i])
						? "active"
						: "inactive",
					virInterfaceGetMACString(all[i]) };

		table_row(t, cells);
		virInterfaceFree(all[i]);
	}
	free(all);
	table_print(t, ctl);
	return EXIT_OK;
}

static int run_iface_name(struct ctl *ctl, const struct args *args)
{
	virInterfacePtr i = find(ctl, args);

	if (!i)
		return EXIT_FAILED;
	say_value(ctl, "name", virInterfaceGetName(i));
	virInterfaceFree(i);
	return EXIT_OK;
}

static int run_iface_mac(struct ctl *ctl, const struct args *args)
{
	virInterfacePtr i = find(ctl, args);

	if (!i)
		return EXIT_FAILED;
	say_value(ctl, "mac", virInterfaceGetMACString(i));
	virInterfaceFree(i);
	return EXIT_OK;
}

static int run_iface_dumpxml(struct ctl *ctl, const struct args *args)
{
	virInterfacePtr i = find(ctl, args);
	int status;

	if (!i)
		return EXIT_FAILED;
	status = xml_show(
		ctl, args,
		virInterfaceGetXMLDesc(i, args_has(args, "inactive")
						  ? VIR_INTERFACE_XML_INACTIVE
						  : 0));
	virInterfaceFree(i);
	return status;
}

static int define(struct ctl *ctl, void *object, const char *xml)
{
	virInterfacePtr i = virInterfaceDefineXML(ctl->conn, xml, 0);

	(void)object;
	if (!i)
		return -1;
	virInterfaceFree(i);
	return 0;
}

static int run_iface_define(struct ctl *ctl, const struct args *args)
{
	const char *file = args_get(args, "file");
	_cleanup_free_ char *xml = read_xml_file(file);
	virInterfacePtr i;

	if (!xml)
		return EXIT_FAILED;
	i = virInterfaceDefineXML(
		ctl->conn, xml,
		args_has(args, "validate") ? VIR_INTERFACE_DEFINE_VALIDATE : 0);
	if (!i)
		return say_failed(ctl, "Failed to define interface from %s",
				  file);
	say(ctl, "Interface %s defined from %s\n", virInterfaceGetName(i),
	    file);
	virInterfaceFree(i);
	return EXIT_OK;
}

static char *get_xml(void *object)
{
	return virInterfaceGetXMLDesc(object, VIR_INTERFACE_XML_INACTIVE);
}

static int run_iface_edit(struct ctl *ctl, const struct args *args)
{
	static const struct edit edit = {
		get_xml, define,
		"Interface %s XML configuration not changed.\n",
		"Interface %s XML configuration edited.\n"
	};
	virInterfacePtr i = find(ctl, args);
	int status;

	if (!i)
		return EXIT_FAILED;
	status = edit_object(ctl, &edit, i, virInterfaceGetName(i));
	virInterfaceFree(i);
	return status;
}

/* ---- changes that can be taken back ---- */

static int change(struct ctl *ctl, int r, const char *verb, const char *done)
{
	if (r < 0)
		return say_failed(ctl,
				  "Failed to %s network config change "
				  "transaction",
				  verb);
	say(ctl, "Network config change transaction %s\n", done);
	return EXIT_OK;
}

static int run_iface_begin(struct ctl *ctl, const struct args *args)
{
	(void)args;
	return change(ctl, virInterfaceChangeBegin(ctl->conn, 0), "begin",
		      "started");
}

static int run_iface_commit(struct ctl *ctl, const struct args *args)
{
	(void)args;
	return change(ctl, virInterfaceChangeCommit(ctl->conn, 0), "commit",
		      "committed");
}

static int run_iface_rollback(struct ctl *ctl, const struct args *args)
{
	(void)args;
	return change(ctl, virInterfaceChangeRollback(ctl->conn, 0), "rollback",
		      "rolled back");
}

#define OPT_INTERFACE							\
	{ .name = "interface",						\
	  .help = "interface of the host, by name or MAC address",	\
	  .kind = OPT_MAYBE,						\
	  .required = true,						\
	  .complete = complete_interfaces }

const struct command family_iface[] = {
	{ .name = "iface-begin",
	  .group = "interface",
	  .summary = "keep the present settings, to go back to them",
	  .run = run_iface_begin },
	{ .name = "iface-commit",
	  .group = "interface",
	  .summary = "keep the changes since iface-begin",
	  .run = run_iface_commit },
	{ .name = "iface-define",
	  .group = "interface",
	  .summary = "define an interface from an XML file",
	  .opts = OPTS(DATA("file"), FLAG("validate")),
	  .run = run_iface_define },
	{ .name = "iface-destroy",
	  .group = "interface",
	  .summary = "take an interface down",
	  .opts = OPTS(OPT_INTERFACE),
	  .run = run_iface_destroy },
	{ .name = "iface-dumpxml",
	  .group = "interface",
	  .summary = "an interface in XML",
	  .opts = OPTS(OPT_INTERFACE,
		  FLAG("inactive"), NAMED("xpath"), FLAG("wrap")),
	  .run = run_iface_dumpxml },
	{ .name = "iface-edit",
	  .group = "interface",
	  .summary = "edit the XML of an interface",
	  .opts = OPTS(OPT_INTERFACE),
	  .run = run_iface_edit },
	{ .name = "iface-list",
	  .group = "interface",
	  .summary = "list the interfaces of the host",
	  .opts = OPTS(FLAG("inactive"), FLAG("all")),
	  .run = run_iface_list },
	{ .name = "iface-mac",
	  .group = "interface",
	  .summary = "the MAC address of an interface",
	  .opts = OPTS(OPT_INTERFACE),
	  .run = run_iface_mac },
	{ .name = "iface-name",
	  .group = "interface",
	  .summary = "the name of an interface",
	  .opts = OPTS(OPT_INTERFACE),
	  .run = run_iface_name },
	{ .name = "iface-rollback",
	  .group = "interface",
	  .summary = "go back to the settings before iface-begin",
	  .run = run_iface_rollback },
	{ .name = "iface-start",
	  .group = "interface",
	  .summary = "bring an interface up",
	  .opts = OPTS(OPT_INTERFACE),
	  .run = run_iface_start },
	{ .name = "iface-undefine",
	  .group = "interface",
	  .summary = "remove the definition of an interface",
	  .opts = OPTS(OPT_INTERFACE),
	  .run = run_iface_undefine },
	{ NULL },
};
