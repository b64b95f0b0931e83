/*
 * cli/cmd-device.c -- devices of domains, from XML files.
 */
#include <string.h>

#include "cli/device.h"
#include "cli/output.h"
#include "cli/xml.h"

static int run_attach_device(struct ctl *ctl, const struct args *args,
			     virDomainPtr dom)
{
	_cleanup_free_ char *xml = args_file(args, "file");

	if (!xml)
		return EXIT_FAILED;
	if (device_attach(args, dom, xml) < 0)
		return say_failed(ctl, "Failed to attach device from %s",
				  args_get(args, "file"));
	say(ctl, "Device attached successfully\n");
	return EXIT_OK;
}

static int run_detach_device(struct ctl *ctl, const struct args *args,
			     virDomainPtr dom)
{
	_cleanup_free_ char *xml = args_file(args, "file");

	if (!xml)
		return EXIT_FAILED;
	if (device_detach(args, dom, xml) < 0)
		return say_failed(ctl, "Failed to detach device from %s",
				  args_get(args, "file"));
	say(ctl, "Device detached successfully\n");
	return EXIT_OK;
}

static int run_detach_device_alias(struct ctl *ctl, const struct args *args,
				   virDomainPtr dom)
{
	const char *alias = args_get(args, "alias");
	unsigned int flags;

	if (args_affect(args, &flags) < 0)
		return EXIT_FAILED;
	if (virDomainDetachDeviceAlias(dom, alias, flags) < 0)
		return say_failed(ctl, "Failed to detach device with alias %s",
				  alias);
	say(ctl, "Device detach request sent successfully\n");
	return EXIT_OK;
}

static int run_update_device(struct ctl *ctl, const struct args *args,
			     virDomainPtr dom)
{
	_cleanup_free_ char *xml = args_file(args, "file");
	unsigned int flags;

	if (!xml || device_affect(args, dom, &flags) < 0)
		return EXIT_FAILED;
	if (args_has(args, "force"))
		flags |= VIR_DOMAIN_DEVICE_MODIFY_FORCE;
	if (virDomainUpdateDeviceFlags(dom, xml, flags) < 0)
		return say_failed(ctl, "Failed to update device from %s",
				  args_get(args, "file"));
	say(ctl, "Device updated successfully\n");
	return EXIT_OK;
}

/* ---- memory devices ---- */

static xmlNodePtr find_memory(struct xml *x, const struct args *args)
{
	const char *alias = args_get(args, "alias");
	const char *node = args_get(args, "node");
	xmlXPathObjectPtr found =
		xml_find(x, NULL, "./devices/memory[@model='virtio-mem']");
	xmlNodePtr match = NULL;
	int n = 0;

	for (int i = 0; i < xml_count(found); i++) {
		xmlNodePtr m = found->nodesetval->nodeTab[i];
		_cleanup_free_ char *a = xml_string(x, m, "./alias/@name");
		_cleanup_free_ char *cell = xml_string(x, m, "./target/node");

		if ((alias && !str_eq(alias, a)) ||
		    (node && !str_eq(node, cell)))
			continue;
		match = m;
		n++;
	}
	xmlXPathFreeObject(found);
	if (!n)
		say_error("no memory device found");
	else if (n > 1)
		say_error("multiple memory devices found, use --alias or "
			  "--node to select one");
	return n == 1 ? match : NULL;
}

/* The device with another <requested/>; NULL: said why. */
static char *resized(struct xml *x, xmlNodePtr memory, const struct args *args)
{
	xmlXPathObjectPtr found = xml_find(x, memory, "./target/requested");
	unsigned long long size = 0;
	char text[24];

	if (args_size(args, "requested-size", KIB, &size) < 0 ||
	    xml_count(found) != 1) {
		if (xml_count(found) != 1)
			say_error("virtio-mem device is missing <requested/>");
		xmlXPathFreeObject(found);
		return NULL;
	}
	snprintf(text, sizeof(text), "%llu", size / KIB);
	xmlNodeSetContent(found->nodesetval->nodeTab[0], BAD_CAST text);
	xmlSetProp(found->nodesetval->nodeTab[0], BAD_CAST "unit",
		   BAD_CAST "KiB");
	xmlXPathFreeObject(found);
	return xml_text(x, memory);
}

static int run_update_memory_device(struct ctl *ctl, const struct args *args,
				    virDomainPtr dom)
{
	_cleanup_xml_ struct xml x = { NULL };
	_cleanup_free_ char *xml = NULL;
	unsigned int flags;
	xmlNodePtr memory;

	if (args_affect(args, &flags) < 0 ||
	    args_exclusive(args, "node", "alias") < 0 ||
	    xml_open_domain(ctl, &x, dom, device_xml_flags(args, dom)) < 0)
		return EXIT_FAILED;
	memory = find_memory(&x, args);
	xml = memory ? resized(&x, memory, args) : NULL;
	if (!xml)
		return EXIT_FAILED;
	if (args_has(args, "print-xml")) {
		fputs(xml, stdout);
		return EXIT_OK;
	}
	if (virDomainUpdateDeviceFlags(dom, xml, flags) < 0)
		return say_failed(ctl, NULL);
	return EXIT_OK;
}

const struct command family_device[] = {
	{ .name = "attach-device",
	  .group = "domain",
	  .summary = "attach a device from an XML file",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), DATA("file"),
		       FLAG("persistent"), OPTS_AFFECT),
	  .on_domain = run_attach_device },
	{ .name = "detach-device",
	  .group = "domain",
	  .summary = "detach a device described in an XML file",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), DATA("file"),
		       FLAG("persistent"), OPTS_AFFECT),
	  .on_domain = run_detach_device },
	{ .name = "detach-device-alias",
	  .group = "domain",
	  .summary = "detach a device by its alias",
	  .opts = OPTS(OPT_DOMAIN(complete_active), DATA("alias"), OPTS_AFFECT),
	  .on_domain = run_detach_device_alias },
	{ .name = "update-device",
	  .group = "domain",
	  .summary = "change a device from an XML file",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), DATA("file"),
		       FLAG("persistent"), OPTS_AFFECT, FLAG("force")),
	  .on_domain = run_update_device },
	{ .name = "update-memory-device",
	  .group = "domain",
	  .summary = "change the size of a memory device",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), OPTS_AFFECT,
		       FLAG("print-xml"), STRING("alias"), NUMBER("node"),
		       NUMBER("requested-size")),
	  .on_domain = run_update_memory_device },
	{ NULL },
};
