/*
 * cli/cmd-disk.c -- disks of domains, described by options.
 */
#include <string.h>
#include <sys/stat.h>

#include "cli/device.h"
#include "cli/output.h"
#include "cli/xml.h"

/* ---- addresses ---- */

/* "pci:0000.00.07.0" and the like, numbers in hexadecimal or decimal. */
struct address {
	const char *type;    /* as the option spells it */
	const char *shape;   /* names of the attributes, with spaces */
	const char *targets; /* prefixes of the disks that have such */
};

static const struct address addresses[] = {
	{ "pci", "domain bus slot function", "vd" },
	{ "ccw", "cssid ssid devno", "vd" },
	{ "scsi", "controller bus unit", "sd" },
	{ "usb", "bus port", "sd" },
	{ "sata", "controller bus unit", "sd" },
	{ "ide", "controller bus unit", "hd" },
};

static const struct address *find_address(const char *text)
{
	size_t len = strcspn(text, ":");

	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++)
		if (strlen(addresses[i].type) == len &&
		    strncmp(addresses[i].type, text, len) == 0)
			return &addresses[i];
	return NULL;
}

static void add_number(struct buf *b, const struct address *a, const char *name,
		       unsigned long v)
{
	bool hex = str_eq(a->type, "pci") || str_eq(a->type, "ccw");
	int width = !hex					      ? 0
		    : str_eq(name, "domain") || str_eq(name, "devno") ? 4
		    : str_eq(name, "function")			      ? 1
								      : 2;

	if (!hex)
		buf_printf(b, " %s='%lu'", name, v);
	else
		buf_printf(b, " %s='0x%0*lx'", name, width, v);
}

/* The numbers behind the colon; false: not as many as there should be. */
static bool add_numbers(struct buf *b, const struct address *a,
			const char *text, bool decimal)
{
	_cleanup_free_ char *names = xstrdup(a->shape);
	const char *p = strchr(text, ':') + 1;
	char *save, *end, *name;

	for (name = strtok_r(names, " ", &save); name;
	     name = strtok_r(NULL, " ", &save)) {
		unsigned long v = strtoul(p, &end, decimal ? 10 : 16);

		if (end == p)
			return false;
		add_number(b, a, name, v);
		p = *end == '.' || *end == ':' ? end + 1 : end;
	}
	return !*p;
}

static int add_address(struct buf *b, const struct args *args,
		       const char *target)
{
	const char *text = args_get(args, "address");
	const struct address *a = text ? find_address(text) : NULL;
	bool pci;

	if (!text)
		return 0;
	if (a && strncmp(target, a->targets, 2) != 0) {
		say_error("a disk %s has no address of type %s", target,
			  a->type);
		return -1;
	}
	pci = a && a->targets[0] == 'v';
	buf_printf(b, "  <address type='%s'",
		   !a				   ? ""
		   : pci || str_eq(a->type, "usb") ? a->type
						   : "drive");
	if (!a || !strchr(text, ':') || !add_numbers(b, a, text, !pci)) {
		say_error("Invalid address.");
		return -1;
	}
	if (args_has(args, "multifunction"))
		buf_puts(b, " multifunction='on'");
	buf_puts(b, "/>\n");
	return 0;
}

/* ---- attach-disk ---- */

static const char *source_type(const struct args *args)
{
	const char *type = args_get(args, "sourcetype");
	const char *driver = args_get(args, "driver");
	struct stat st;

	if (type)
		return type;
	if (args_has(args, "source-protocol"))
		return "network";
	return !str_eq(driver, "file") && !str_eq(driver, "tap") &&
			       stat(args_get(args, "source"), &st) == 0 &&
			       S_ISBLK(st.st_mode)
		       ? "block"
		       : "file";
}

static int check_disk(const struct args *args, const char *type)
{
	static const char *const needs[][2] = {
		{ "source-host-name", "source-protocol" },
		{ "source-host-transport", "source-protocol" },
		{ "source-host-socket", "source-protocol" },
		{ "source-host-socket", "source-host-transport" },
	};
	const char *mode = args_get(args, "mode");

	for (size_t i = 0; i < ARRAY_SIZE(needs); i++)
		if (args_requires(args, needs[i][0], needs[i][1]) < 0)
			return -1;
	if (args_exclusive(args, "source-host-name", "source-host-socket") < 0)
		return -1;
	if (!str_eq(type, "file") && !str_eq(type, "block") &&
	    !str_eq(type, "network")) {
		say_error("Unknown source type: '%s'", type);
		return -1;
	}
	if (str_eq(type, "network") != args_has(args, "source-protocol")) {
		say_error("--source-protocol option requires --sourcetype "
			  "network");
		return -1;
	}
	if (mode && !str_eq(mode, "readonly") && !str_eq(mode, "shareable")) {
		say_error("No support for %s in command 'attach-disk'", mode);
		return -1;
	}
	return 0;
}

static void add_host(struct buf *b, const struct args *args)
{
	const char *name = args_get(args, "source-host-name");
	const char *colon = name ? strchr(name, ':') : NULL;
	_cleanup_free_ char *host =
		colon ? xstrndup(name, (size_t)(colon - name)) : xstrdup(name);
	_cleanup_buf_ struct buf h = { 0 };

	xml_attr(&h, "transport", args_get(args, "source-host-transport"));
	xml_attr(&h, "socket", args_get(args, "source-host-socket"));
	xml_attr(&h, "name", host);
	xml_attr(&h, "port", colon ? colon + 1 : NULL);
	if (h.len)
		buf_printf(b, ">\n    <host%s/>\n  </source>\n", h.data);
	else
		buf_puts(b, "/>\n");
}

static void add_source(struct buf *b, const struct args *args, const char *type)
{
	const char *source = args_get(args, "source");

	if (str_eq(type, "network")) {
		buf_puts(b, "  <source");
		xml_attr(b, "protocol", args_get(args, "source-protocol"));
		xml_attr(b, "name", source);
		add_host(b, args);
	} else if (*source) {
		buf_puts(b, "  <source");
		xml_attr(b, str_eq(type, "block") ? "dev" : "file", source);
		buf_puts(b, "/>\n");
	}
}

static void add_driver(struct buf *b, const struct args *args)
{
	static const char *const attrs[][2] = {
		{ "name", "driver" },
		{ "type", "subdriver" },
		{ "iothread", "iothread" },
		{ "cache", "cache" },
		{ "io", "io" },
	};
	_cleanup_buf_ struct buf d = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(attrs); i++)
		xml_attr(&d, attrs[i][0], args_get(args, attrs[i][1]));
	if (d.len)
		buf_printf(b, "  <driver%s/>\n", d.data);
}

static int disk_xml(struct buf *b, const struct args *args)
{
	const char *type = source_type(args);

	if (check_disk(args, type) < 0)
		return -1;
	buf_puts(b, "<disk");
	xml_attr(b, "type", type);
	xml_attr(b, "device", args_get(args, "type"));
	xml_attr(b, "rawio", args_has(args, "rawio") ? "yes" : NULL);
	buf_puts(b, ">\n");
	add_driver(b, args);
	add_source(b, args, type);
	buf_puts(b, "  <target");
	xml_attr(b, "dev", args_get(args, "target"));
	xml_attr(b, "bus", args_get(args, "targetbus"));
	buf_puts(b, "/>\n");
	if (args_has(args, "mode"))
		buf_printf(b, "  <%s/>\n", args_get(args, "mode"));
	xml_line(b, 2, "serial", args_get(args, "serial"));
	if (args_has(args, "alias")) {
		buf_puts(b, "  <alias");
		xml_attr(b, "name", args_get(args, "alias"));
		buf_puts(b, "/>\n");
	}
	xml_line(b, 2, "wwn", args_get(args, "wwn"));
	if (add_address(b, args, args_get(args, "target")) < 0)
		return -1;
	buf_puts(b, "</disk>\n");
	return 0;
}

static int run_attach_disk(struct ctl *ctl, const struct args *args,
			   virDomainPtr dom)
{
	_cleanup_buf_ struct buf b = { 0 };

	if (disk_xml(&b, args) < 0)
		return EXIT_FAILED;
	if (args_has(args, "print-xml")) {
		fputs(b.data, stdout);
		return EXIT_OK;
	}
	if (device_attach(args, dom, b.data) < 0)
		return say_failed(ctl, "Failed to attach disk");
	say(ctl, "Disk attached successfully\n");
	return EXIT_OK;
}

/* ---- a disk that is there ---- */

static xmlNodePtr find_disk(struct ctl *ctl, struct xml *x,
			    const struct args *args, virDomainPtr dom,
			    const char *name)
{
	xmlNodePtr disk;

	if (xml_open_domain(ctl, x, dom, device_xml_flags(args, dom)) < 0)
		return NULL;
	disk = xml_find_disk(x, name);
	if (!disk)
		say_error("No disk found whose source path or target is %s",
			  name);
	return disk;
}

static int run_detach_disk(struct ctl *ctl, const struct args *args,
			   virDomainPtr dom)
{
	_cleanup_xml_ struct xml x = { NULL };
	xmlNodePtr disk =
		find_disk(ctl, &x, args, dom, args_get(args, "target"));
	_cleanup_free_ char *xml = disk ? xml_text(&x, disk) : NULL;

	if (!xml)
		return EXIT_FAILED;
	if (args_has(args, "print-xml")) {
		fputs(xml, stdout);
		return EXIT_OK;
	}
	if (device_detach(args, dom, xml) < 0)
		return say_failed(ctl, "Failed to detach disk");
	say(ctl, "Disk detached successfully\n");
	return EXIT_OK;
}

enum media { MEDIA_UPDATE, MEDIA_EJECT, MEDIA_INSERT };

static const struct {
	const char *name, *done;
} media[] = {
	[MEDIA_UPDATE] = { "update", "Successfully updated media.\n" },
	[MEDIA_EJECT] = { "eject", "Successfully ejected media.\n" },
	[MEDIA_INSERT] = { "insert", "Successfully inserted media.\n" },
};

/* What is to be done, or -1: said why. */
static int media_action(const struct args *args)
{
	int action = args_has(args, "eject")	? MEDIA_EJECT
		     : args_has(args, "insert") ? MEDIA_INSERT
						: MEDIA_UPDATE;

	if (args_exclusive(args, "eject", "insert") < 0 ||
	    args_exclusive(args, "eject", "update") < 0 ||
	    args_exclusive(args, "insert", "update") < 0 ||
	    args_exclusive(args, "eject", "block") < 0)
		return -1;
	return action;
}

/* Takes the medium out of the XML and puts the new one in. */
static int change_source(struct xml *x, xmlNodePtr disk,
			 const struct args *args, int action)
{
	const char *path = args_get(args, "path");
	const char *source = args_get(args, "source");
	xmlXPathObjectPtr found = xml_find(x, disk, "./source");
	bool has = xml_count(found) > 0;
	_cleanup_free_ char *device = xml_string(x, disk, "./@device");
	struct stat st;
	bool block;

	if (!str_eq(device, "cdrom") && !str_eq(device, "floppy")) {
		say_error("No disk found whose source path or target is %s",
			  path);
		xmlXPathFreeObject(found);
		return -1;
	}
	if (action == MEDIA_INSERT && !source) {
		say_error("New disk media source was not specified");
		xmlXPathFreeObject(found);
		return -1;
	}
	if ((action == MEDIA_EJECT && !has) ||
	    (action == MEDIA_INSERT && has)) {
		say_error(has ? "The disk device '%s' already has media"
			      : "The disk device '%s' doesn't have media",
			  path);
		xmlXPathFreeObject(found);
		return -1;
	}
	if (has) {
		xmlUnlinkNode(found->nodesetval->nodeTab[0]);
		xmlFreeNode(found->nodesetval->nodeTab[0]);
		found->nodesetval->nodeTab[0] = NULL;
	}
	xmlXPathFreeObject(found);
	if (action == MEDIA_EJECT || !source)
		return 0;
	block = args_has(args, "block") ||
		(stat(source, &st) == 0 && S_ISBLK(st.st_mode));
	xmlSetProp(disk, BAD_CAST "type", BAD_CAST(block ? "block" : "file"));
	xmlNewProp(xmlNewChild(disk, NULL, BAD_CAST "source", NULL),
		   BAD_CAST(block ? "dev" : "file"), BAD_CAST source);
	return 0;
}

static int run_change_media(struct ctl *ctl, const struct args *args,
			    virDomainPtr dom)
{
	int action = media_action(args);
	_cleanup_xml_ struct xml x = { NULL };
	_cleanup_free_ char *xml = NULL;
	unsigned int flags;
	xmlNodePtr disk;

	if (action < 0 || args_affect(args, &flags) < 0)
		return EXIT_FAILED;
	disk = find_disk(ctl, &x, args, dom, args_get(args, "path"));
	if (!disk || change_source(&x, disk, args, action) < 0)
		return EXIT_FAILED;
	xml = xml_text(&x, disk);
	if (args_has(args, "print-xml")) {
		fputs(xml, stdout);
		return EXIT_OK;
	}
	if (args_has(args, "force"))
		flags |= VIR_DOMAIN_DEVICE_MODIFY_FORCE;
	if (virDomainUpdateDeviceFlags(dom, xml, flags) < 0)
		return say_failed(ctl, "Failed to complete action %s on media",
				  media[action].name);
	if (ctl->output == OUTPUT_TABLE)
		fputs(media[action].done, stdout);
	return EXIT_OK;
}

/* In KiB, the older call, unless that cannot say it. */
static int run_blockresize(struct ctl *ctl, const struct args *args,
			   virDomainPtr dom)
{
	const char *path = args_get(args, "path");
	unsigned int flags = VIR_DOMAIN_BLOCK_RESIZE_BYTES;
	unsigned long long size;

	if (args_size(args, "size", KIB, &size) < 0)
		return EXIT_FAILED;
	if (size % KIB == 0) {
		size /= KIB;
		flags = 0;
	}
	if (virDomainBlockResize(dom, path, size, flags) < 0)
		return say_failed(ctl, "Failed to resize block device '%s'",
				  path);
	say(ctl, "Block device '%s' is resized", path);
	return EXIT_OK;
}

const struct command family_disk[] = {
	{ .name = "attach-disk",
	  .group = "domain",
	  .summary = "attach a disk",
	  .opts = OPTS(OPT_DOMAIN(complete_domains),
		       { .name = "source",
			 .help = "file, block device or name of the image",
			 .kind = OPT_MAYBE,
			 .required = true },
		       DATA("target"), STRING("targetbus"), STRING("driver"),
		       STRING("subdriver"), STRING("iothread"), STRING("cache"),
		       STRING("io"), STRING("type", "disk, cdrom or floppy"),
		       STRING("mode", "readonly or shareable"),
		       STRING("sourcetype"), STRING("serial"), STRING("wwn"),
		       STRING("alias"), FLAG("rawio"), STRING("address"),
		       FLAG("multifunction"), FLAG("print-xml"),
		       STRING("source-protocol"), STRING("source-host-name"),
		       STRING("source-host-transport"),
		       STRING("source-host-socket"), FLAG("persistent"),
		       OPTS_AFFECT, ALIAS("shareable", "mode=shareable")),
	  .on_domain = run_attach_disk },
	{ .name = "detach-disk",
	  .group = "domain",
	  .summary = "detach a disk",
	  .opts = OPTS(OPT_DOMAIN(complete_domains),
		       DATA("target", "target or source of the disk"),
		       FLAG("persistent"), OPTS_AFFECT, FLAG("print-xml")),
	  .on_domain = run_detach_disk },
	{ .name = "change-media",
	  .group = "domain",
	  .summary = "change the medium of a CD or floppy drive",
	  .opts = OPTS(OPT_DOMAIN(complete_domains),
		       DATA("path", "target or source of the drive"),
		       STRING("source"), FLAG("eject"), FLAG("insert"),
		       FLAG("update"), OPTS_AFFECT, FLAG("force"),
		       FLAG("print-xml"),
		       FLAG("block", "the source is a block device")),
	  .on_domain = run_change_media },
	{ .name = "blockresize",
	  .group = "domain",
	  .summary = "change the size of a disk",
	  .details = "A running guest is told. Of volumes that no guest uses: "
		     "see vol-resize.",
	  .opts = OPTS(OPT_DOMAIN(complete_domains),
		       DATA("path", "the disk, by target or source"),
		       DATA_NUMBER("size",
				   "new size, KiB unless it has a unit")),
	  .on_domain = run_blockresize },
	{ NULL },
};
