/*
 * cli/cmd-nodedev.c -- devices of the host.
 */
#include <string.h>

#include "cli/args.h"
#include "cli/output.h"
#include "cli/tree.h"
#include "cli/xml.h"

/* A device by name, or by "WWNN,WWPN" of a Fibre Channel host. */
static virNodeDevicePtr find(struct ctl *ctl, const struct args *args)
{
	const char *name = args_get(args, "device"), *comma = strchr(name, ',');
	_cleanup_free_ char *wwnn = NULL;
	virNodeDevicePtr d;

	if (comma) {
		wwnn = xstrndup(name, (size_t)(comma - name));
		d = virNodeDeviceLookupSCSIHostByWWN(ctl->conn, wwnn, comma + 1,
						     0);
	} else {
		d = virNodeDeviceLookupByName(ctl->conn, name);
	}
	if (!d)
		say_failed(ctl, "Could not find matching device '%s'", name);
	return d;
}

/* What a command does to one device; the texts have one %s, its name. */
struct device_action {
	int (*act)(virNodeDevicePtr d, unsigned int flags);
	const char *done, *failed;
};

#pragma GCC diagnostic ignored "-Wformat-nonliteral"

static int act(struct ctl *ctl, const struct args *args,
	       const struct device_action *a, unsigned int flags)
{
	const char *name = args_get(args, "device");
	virNodeDevicePtr d = find(ctl, args);
	int r;

	if (!d)
		return EXIT_FAILED;
	r = a->act(d, flags);
	if (r < 0)
		say_failed(ctl, a->failed, name);
	else
		say(ctl, a->done, name);
	virNodeDeviceFree(d);
	return r < 0 ? EXIT_FAILED : EXIT_OK;
}

/* Calls without flags, and one whose flags are a switch. */
static int destroy(virNodeDevicePtr d, unsigned int flags)
{
	(void)flags;
	return virNodeDeviceDestroy(d);
}

static int reattach(virNodeDevicePtr d, unsigned int flags)
{
	(void)flags;
	return virNodeDeviceReAttach(d);
}

static int reset(virNodeDevicePtr d, unsigned int flags)
{
	(void)flags;
	return virNodeDeviceReset(d);
}

static int mark(virNodeDevicePtr d, unsigned int on)
{
	return virNodeDeviceSetAutostart(d, (int)on);
}

static int run_nodedev_destroy(struct ctl *ctl, const struct args *args)
{
	static const struct device_action a = {
		destroy, "Destroyed node device '%s'\n",
		"Failed to destroy node device '%s'"
	};

	return act(ctl, args, &a, 0);
}

static int run_nodedev_reattach(struct ctl *ctl, const struct args *args)
{
	static const struct device_action a = {
		reattach, "Device %s re-attached\n",
		"Failed to re-attach device %s"
	};

	return act(ctl, args, &a, 0);
}

static int run_nodedev_reset(struct ctl *ctl, const struct args *args)
{
	static const struct device_action a = { reset, "Device %s reset\n",
						"Failed to reset device %s" };

	return act(ctl, args, &a, 0);
}

static int run_nodedev_undefine(struct ctl *ctl, const struct args *args)
{
	static const struct device_action a = {
		virNodeDeviceUndefine, "Undefined node device '%s'\n",
		"Failed to undefine node device '%s'"
	};

	return act(ctl, args, &a, 0);
}

static int run_nodedev_start(struct ctl *ctl, const struct args *args)
{
	static const struct device_action a = { virNodeDeviceCreate,
						"Device %s started\n",
						"Failed to start device %s" };

	return act(ctl, args, &a, 0);
}

static int run_nodedev_autostart(struct ctl *ctl, const struct args *args)
{
	static const struct device_action a[] = {
		{ mark, "Device %s unmarked as autostarted\n",
		  "failed to unmark device %s as autostarted" },
		{ mark, "Device %s marked as autostarted\n",
		  "failed to mark device %s as autostarted" },
	};
	unsigned int on = !args_has(args, "disable");

	return act(ctl, args, &a[on], on);
}

static int run_nodedev_detach(struct ctl *ctl, const struct args *args)
{
	const char *name = args_get(args, "device");
	const char *driver = args_get(args, "driver");
	virNodeDevicePtr d = find(ctl, args);
	int r;

	if (!d)
		return EXIT_FAILED;
	/* Without a driver the older call does, which more hosts know. */
	r = driver ? virNodeDeviceDetachFlags(d, driver, 0)
		   : virNodeDeviceDettach(d);
	if (r < 0)
		say_failed(ctl, "Failed to detach device %s", name);
	else
		say(ctl, "Device %s detached\n", name);
	virNodeDeviceFree(d);
	return r < 0 ? EXIT_FAILED : EXIT_OK;
}

/* ---- from XML ---- */

static int run_nodedev_create(struct ctl *ctl, const struct args *args)
{
	const char *file = args_get(args, "file");
	_cleanup_free_ char *xml = read_xml_file(file);
	virNodeDevicePtr d;

	if (!xml)
		return EXIT_FAILED;
	d = virNodeDeviceCreateXML(ctl->conn, xml,
				   args_has(args, "validate")
					   ? VIR_NODE_DEVICE_CREATE_XML_VALIDATE
					   : 0);
	if (!d)
		return say_failed(ctl, "Failed to create node device from %s",
				  file);
	say(ctl, "Node device %s created from %s\n", virNodeDeviceGetName(d),
	    file);
	virNodeDeviceFree(d);
	return EXIT_OK;
}

static int run_nodedev_define(struct ctl *ctl, const struct args *args)
{
	const char *file = args_get(args, "file");
	_cleanup_free_ char *xml = read_xml_file(file);
	virNodeDevicePtr d;

	if (!xml)
		return EXIT_FAILED;
	d = virNodeDeviceDefineXML(ctl->conn, xml,
				   args_has(args, "validate")
					   ? VIR_NODE_DEVICE_DEFINE_XML_VALIDATE
					   : 0);
	if (!d)
		return say_failed(ctl, "Failed to define node device from '%s'",
				  file);
	say(ctl, "Node device '%s' defined from '%s'\n",
	    virNodeDeviceGetName(d), file);
	virNodeDeviceFree(d);
	return EXIT_OK;
}

static int run_nodedev_dumpxml(struct ctl *ctl, const struct args *args)
{
	virNodeDevicePtr d = find(ctl, args);
	int status;

	if (!d)
		return EXIT_FAILED;
	status = xml_show(ctl, args, virNodeDeviceGetXMLDesc(d, 0));
	virNodeDeviceFree(d);
	return status;
}

static const char *yes_no(int v)
{
	return v ? "yes" : "no";
}

static int run_nodedev_info(struct ctl *ctl, const struct args *args)
{
	virNodeDevicePtr d = find(ctl, args);
	const char *parent;
	struct record *r;
	int on;

	if (!d)
		return EXIT_FAILED;
	parent = virNodeDeviceGetParent(d);
	r = record_new();
	record_add(r, "Name:", "name", false, "%s", virNodeDeviceGetName(d));
	record_add(r, "Parent:", "parent", false, "%s", parent ? parent : "");
	record_add(r, "Active:", "active", false, "%s",
		   yes_no(virNodeDeviceIsActive(d)));
	record_add(r, "Persistent:", "persistent", false, "%s",
		   yes_no(virNodeDeviceIsPersistent(d)));
	record_add(r, "Autostart:", "autostart", false, "%s",
		   virNodeDeviceGetAutostart(d, &on) < 0 ? "no autostart"
							 : yes_no(on));
	record_print(r, ctl);
	virNodeDeviceFree(d);
	return EXIT_OK;
}

/* ---- the list ---- */

static const struct flag_option caps[] = {
	{ "system", VIR_CONNECT_LIST_NODE_DEVICES_CAP_SYSTEM },
	{ "pci", VIR_CONNECT_LIST_NODE_DEVICES_CAP_PCI_DEV },
	{ "usb_device", VIR_CONNECT_LIST_NODE_DEVICES_CAP_USB_DEV },
	{ "usb", VIR_CONNECT_LIST_NODE_DEVICES_CAP_USB_INTERFACE },
	{ "net", VIR_CONNECT_LIST_NODE_DEVICES_CAP_NET },
	{ "scsi_host", VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI_HOST },
	{ "scsi_target", VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI_TARGET },
	{ "scsi", VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI },
	{ "storage", VIR_CONNECT_LIST_NODE_DEVICES_CAP_STORAGE },
	{ "fc_host", VIR_CONNECT_LIST_NODE_DEVICES_CAP_FC_HOST },
	{ "vports", VIR_CONNECT_LIST_NODE_DEVICES_CAP_VPORTS },
	{ "scsi_generic", VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI_GENERIC },
	{ "drm", VIR_CONNECT_LIST_NODE_DEVICES_CAP_DRM },
	{ "mdev_types", VIR_CONNECT_LIST_NODE_DEVICES_CAP_MDEV_TYPES },
	{ "mdev", VIR_CONNECT_LIST_NODE_DEVICES_CAP_MDEV },
	{ "ccw", VIR_CONNECT_LIST_NODE_DEVICES_CAP_CCW_DEV },
	{ "css", VIR_CONNECT_LIST_NODE_DEVICES_CAP_CSS_DEV },
	{ "vdpa", VIR_CONNECT_LIST_NODE_DEVICES_CAP_VDPA },
	{ "ap_card", VIR_CONNECT_LIST_NODE_DEVICES_CAP_AP_CARD },
	{ "ap_queue", VIR_CONNECT_LIST_NODE_DEVICES_CAP_AP_QUEUE },
	{ "ap_matrix", VIR_CONNECT_LIST_NODE_DEVICES_CAP_AP_MATRIX },
	{ "vpd", VIR_CONNECT_LIST_NODE_DEVICES_CAP_VPD },
	{ NULL },
};

static int read_caps(const char *list, unsigned int *ret)
{
	_cleanup_free_ char *copy = xstrdup(list);
	const struct flag_option *c;
	char *save, *word;

	for (word = copy ? strtok_r(copy, ",", &save) : NULL; word;
	     word = strtok_r(NULL, ",", &save)) {
		for (c = caps; c->name && !str_eq(c->name, word);)
			c++;
		if (!c->name) {
			say_error("Invalid capability type");
			return -1;
		}
		*ret |= c->bit;
	}
	return 0;
}

static int list_flags(const struct args *args, unsigned int *ret)
{
	bool inactive = args_has(args, "inactive"), all = args_has(args, "all");

	*ret = 0;
	if (all && inactive) {
		say_error("Option --all is incompatible with --inactive");
		return -1;
	}
	if (args_has(args, "tree") && (args_has(args, "cap") || inactive)) {
		say_error("Option --tree is incompatible with --cap and "
			  "--inactive");
		return -1;
	}
	if (inactive || all)
		*ret |= VIR_CONNECT_LIST_NODE_DEVICES_INACTIVE;
	if (!inactive)
		*ret |= VIR_CONNECT_LIST_NODE_DEVICES_ACTIVE;
	return read_caps(args_get(args, "cap"), ret);
}

static void print_tree_of(virNodeDevicePtr *all, int n)
{
	_cleanup_free_ struct tree_node *nodes =
		xcalloc((size_t)n + 1, sizeof(*nodes));

	for (int i = 0; i < n; i++) {
		nodes[i].name = virNodeDeviceGetName(all[i]);
		if (!str_eq(nodes[i].name, "computer"))
			nodes[i].parent = virNodeDeviceGetParent(all[i]);
	}
	tree_print(nodes, (size_t)n);
}

static const struct column columns[] = {
	{ "Name", "name", false },
	{ "Parent", "parent", false },
};

static void print_list(struct ctl *ctl, virNodeDevicePtr *all, int n)
{
	struct table *t = NULL;

	if (ctl->output != OUTPUT_TABLE)
		t = table_new(columns, ARRAY_SIZE(columns));
	for (int i = 0; i < n; i++) {
		const char *cells[] = { virNodeDeviceGetName(all[i]), NULL };

		if (t) {
			cells[1] = virNodeDeviceGetParent(all[i]);
			table_row(t, cells);
		} else {
			printf("%s\n", cells[0]);
		}
	}
	if (t)
		table_print(t, ctl);
}

static int by_name(const void *a, const void *b)
{
	return strcasecmp(virNodeDeviceGetName(*(virNodeDevicePtr *)a),
			  virNodeDeviceGetName(*(virNodeDevicePtr *)b));
}

static int run_nodedev_list(struct ctl *ctl, const struct args *args)
{
	virNodeDevicePtr *all = NULL;
	unsigned int flags;
	int n;

	if (list_flags(args, &flags) < 0)
		return EXIT_FAILED;
	n = virConnectListAllNodeDevices(ctl->conn, &all, flags);
	if (n < 0)
		return say_failed(ctl, "Failed to list node devices");
	qsort(all, (size_t)n, sizeof(*all), by_name);
	if (args_has(args, "tree") && ctl->output == OUTPUT_TABLE)
		print_tree_of(all, n);
	else
		print_list(ctl, all, n);
	for (int i = 0; i < n; i++)
		virNodeDeviceFree(all[i]);
	free(all);
	return EXIT_OK;
}

#define OPT_DEVICE					\
	{ .name = "device",				\
	  .help = "device of the host, by name",	\
	  .kind = OPT_MAYBE,				\
	  .required = true,				\
	  .complete = complete_nodedevs }

const struct command family_nodedev[] = {
	{ .name = "nodedev-autostart",
	  .group = "nodedev",
	  .summary = "start a defined device with the host",
	  .opts = OPTS(OPT_DEVICE,
		       FLAG("disable")),
	  .run = run_nodedev_autostart },
	{ .name = "nodedev-create",
	  .group = "nodedev",
	  .summary = "create a device from an XML file",
	  .opts = OPTS(DATA("file"), FLAG("validate")),
	  .run = run_nodedev_create },
	{ .name = "nodedev-define",
	  .group = "nodedev",
	  .summary = "define a device from an XML file",
	  .opts = OPTS(DATA("file"), FLAG("validate")),
	  .run = run_nodedev_define },
	{ .name = "nodedev-destroy",
	  .group = "nodedev",
	  .summary = "destroy (stop) a device",
	  .opts = OPTS(OPT_DEVICE),
	  .run = run_nodedev_destroy },
	{ .name = "nodedev-detach",
	  .group = "nodedev",
	  .summary = "take a device from its driver",
	  .alias = "nodedev-dettach",
	  .opts = OPTS(OPT_DEVICE,
		       STRING("driver")),
	  .run = run_nodedev_detach },
	{ .name = "nodedev-dumpxml",
	  .group = "nodedev",
	  .summary = "a device in XML",
	  .opts = OPTS(OPT_DEVICE,
		       NAMED("xpath"), FLAG("wrap")),
	  .run = run_nodedev_dumpxml },
	{ .name = "nodedev-info",
	  .group = "nodedev",
	  .summary = "the essentials about a device",
	  .opts = OPTS(OPT_DEVICE),
	  .run = run_nodedev_info },
	{ .name = "nodedev-list",
	  .group = "nodedev",
	  .summary = "list the devices of the host",
	  .opts = OPTS(FLAG("tree"), STRING("cap"), FLAG("inactive"),
		       FLAG("all")),
	  .run = run_nodedev_list },
	{ .name = "nodedev-reattach",
	  .group = "nodedev",
	  .summary = "give a device back to its driver",
	  .opts = OPTS(OPT_DEVICE),
	  .run = run_nodedev_reattach },
	{ .name = "nodedev-reset",
	  .group = "nodedev",
	  .summary = "reset a device",
	  .opts = OPTS(OPT_DEVICE),
	  .run = run_nodedev_reset },
	{ .name = "nodedev-start",
	  .group = "nodedev",
	  .summary = "start a defined device",
	  .opts = OPTS(OPT_DEVICE),
	  .run = run_nodedev_start },
	{ .name = "nodedev-undefine",
	  .group = "nodedev",
	  .summary = "remove the definition of a device",
	  .opts = OPTS(OPT_DEVICE),
	  .run = run_nodedev_undefine },
	{ NULL },
};
