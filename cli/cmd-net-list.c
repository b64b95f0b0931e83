/*
 * cli/cmd-net-list.c -- the virtual networks there are.
 */
#include <string.h>

#include "cli/network.h"
#include "cli/output.h"

static const struct flag_option filters[] = {
	{ "inactive", VIR_CONNECT_LIST_NETWORKS_INACTIVE },
	{ "all", VIR_CONNECT_LIST_NETWORKS_ACTIVE |
			 VIR_CONNECT_LIST_NETWORKS_INACTIVE },
	{ "transient", VIR_CONNECT_LIST_NETWORKS_TRANSIENT },
	{ "persistent", VIR_CONNECT_LIST_NETWORKS_PERSISTENT },
	{ "autostart", VIR_CONNECT_LIST_NETWORKS_AUTOSTART },
	{ "no-autostart", VIR_CONNECT_LIST_NETWORKS_NO_AUTOSTART },
	{ NULL },
};

static const struct column columns[] = {
	{ "Name", "name", false },
	{ "State", "state", false },
	{ "Autostart", "autostart", false },
	{ "Persistent", "persistent", false },
};

/* As virsh: active ones first. */
static int by_state_and_name(const void *pa, const void *pb)
{
	virNetworkPtr a = *(virNetworkPtr *)pa, b = *(virNetworkPtr *)pb;
	int active = (virNetworkIsActive(b) > 0) - (virNetworkIsActive(a) > 0);

	return active ? active : strcasecmp(virNetworkGetName(a),
					    virNetworkGetName(b));
}

static const char *autostart_of(virNetworkPtr net)
{
	int on;

	return virNetworkGetAutostart(net, &on) < 0 ? "no autostart" :
	       on				     ? "yes" : "no";
}

static void print_row(struct table *t, virNetworkPtr net)
{
	table_row(t, (const char *const[]){
			     virNetworkGetName(net),
			     virNetworkIsActive(net) > 0 ? "active" :
							   "inactive",
			     autostart_of(net),
			     virNetworkIsPersistent(net) > 0 ? "yes" : "no" });
}

/* --name and --uuid print bare words for scripts. */
static void print_word(const struct args *args, virNetworkPtr net)
{
	char uuid[VIR_UUID_STRING_BUFLEN] = "";

	if (args_has(args, "uuid")) {
		virNetworkGetUUIDString(net, uuid);
		puts(uuid);
	} else {
		puts(virNetworkGetName(net));
	}
}

static int check(const struct args *args, unsigned int *ret_flags)
{
	if (args_has(args, "table") + args_has(args, "name") +
		    args_has(args, "uuid") > 1) {
		say_error("Only one argument from --table, --name and --uuid may be specified.");
		return -1;
	}
	*ret_flags = args_flags(args, filters);
	if (!(*ret_flags & (VIR_CONNECT_LIST_NETWORKS_ACTIVE |
			    VIR_CONNECT_LIST_NETWORKS_INACTIVE)))
		*ret_flags |= VIR_CONNECT_LIST_NETWORKS_ACTIVE;
	return 0;
}

static int run_net_list(struct ctl *ctl, const struct args *args)
{
	bool words = ctl->output == OUTPUT_TABLE &&
		     (args_has(args, "name") || args_has(args, "uuid"));
	virNetworkPtr *nets = NULL;
	struct table *t = NULL;
	unsigned int flags;
	int n;

	if (check(args, &flags) < 0)
		return EXIT_FAILED;
	n = virConnectListAllNetworks(ctl->conn, &nets, flags);
	if (n < 0)
		return say_failed(ctl, "Failed to list networks");
	qsort(nets, n, sizeof(*nets), by_state_and_name);
	if (!words)
		t = table_new(columns, ARRAY_SIZE(columns));
	for (int i = 0; i < n; i++) {
		if (words)
			print_word(args, nets[i]);
		else
			print_row(t, nets[i]);
		virNetworkFree(nets[i]);
	}
	free(nets);
	if (!words)
		table_print(t, ctl);
	return EXIT_OK;
}

const struct command family_net_list[] = {
	{
		.name = "net-list",
		.group = "network",
		.summary = "list networks",
		.details = "Active networks only, unless a filter says "
			   "otherwise.",
		.opts = OPTS(FLAG("inactive", "list inactive networks"),
			     FLAG("all", "list inactive & active networks"),
			     FLAG("persistent", "list persistent networks"),
			     FLAG("transient", "list transient networks"),
			     FLAG("autostart"), FLAG("no-autostart"),
			     FLAG("uuid"), FLAG("name", "list names only"),
			     FLAG("table", "list a table (default)")),
		.run = run_net_list,
	},
	{ NULL },
};
