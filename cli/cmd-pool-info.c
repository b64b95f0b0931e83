/*
 * cli/cmd-pool-info.c -- what there is to know about storage pools: pool-info,
 * pool-dumpxml, pool-capabilities, find-storage-pool-sources.
 */
#include "cli/output.h"
#include "cli/storage.h"
#include "cli/xml.h"

/* ---- pool-info ---- */

static void add_identity(struct record *r, virStoragePoolPtr pool)
{
	char uuid[VIR_UUID_STRING_BUFLEN];

	record_add(r, "Name:", "name", false, "%s",
		   virStoragePoolGetName(pool));
	if (virStoragePoolGetUUIDString(pool, uuid) == 0)
		record_add(r, "UUID:", "uuid", false, "%s", uuid);
}

static void add_flags(struct record *r, virStoragePoolPtr pool)
{
	int persistent = virStoragePoolIsPersistent(pool), autostart;

	record_add(r, "Persistent:", "persistent", false, "%s",
		   persistent < 0 ? "unknown" : persistent ? "yes" : "no");
	if (virStoragePoolGetAutostart(pool, &autostart) < 0)
		record_add(r, "Autostart:", "autostart", false,
			   "no autostart");
	else
		record_add(r, "Autostart:", "autostart", false, "%s",
			   autostart ? "yes" : "no");
}

static void add_sizes(struct record *r, const virStoragePoolInfo *info,
		      bool plain)
{
	if (info->state != VIR_STORAGE_POOL_RUNNING &&
	    info->state != VIR_STORAGE_POOL_DEGRADED)
		return;
	record_size(r, plain, "Capacity:", "capacity", info->capacity, "");
	record_size(r, plain, "Allocation:", "allocation", info->allocation,
		    "");
	record_size(r, plain, "Available:", "available", info->available, "");
}

static int run_pool_info(struct ctl *ctl, const struct args *args)
{
	bool plain = args_has(args, "bytes") || ctl->output != OUTPUT_TABLE;
	virStoragePoolPtr pool = ctl_pool(ctl, args_get(args, "pool"));
	struct record *r = record_new();
	virStoragePoolInfo info;
	int status = pool ? EXIT_OK : EXIT_FAILED;

	if (pool)
		add_identity(r, pool);
	if (pool && virStoragePoolGetInfo(pool, &info) == 0) {
		record_add(r, "State:", "state", false, "%s",
			   pool_state_name(info.state));
		add_flags(r, pool);
		add_sizes(r, &info, plain);
	} else if (pool) {
		status = say_failed(ctl, "cannot inspect pool '%s'",
				    virStoragePoolGetName(pool));
	}
	if (status == EXIT_OK)
		record_print(r, ctl);
	else
		record_free(r);
	if (pool)
		virStoragePoolFree(pool);
	return status;
}


/* ---- pool-dumpxml, pool-capabilities ---- */

static int run_pool_dumpxml(struct ctl *ctl, const struct args *args)
{
	static const struct flag_option flags[] = {
		{ "inactive", VIR_STORAGE_XML_INACTIVE },
		{ NULL },
	};
	virStoragePoolPtr pool = ctl_pool(ctl, args_get(args, "pool"));
	char *xml;

	if (!pool)
		return EXIT_FAILED;
	xml = virStoragePoolGetXMLDesc(pool, args_flags(args, flags));
	if (!xml)
		say_failed(ctl, NULL);
	virStoragePoolFree(pool);
	return xml ? xml_show(ctl, args, xml) : EXIT_FAILED;
}


static int run_pool_capabilities(struct ctl *ctl, const struct args *args)
{
	char *xml = virConnectGetStoragePoolCapabilities(ctl->conn, 0);

	return xml ? xml_show(ctl, args, xml) :
		     say_failed(ctl, "failed to get storage pool capabilities");
}


/* ---- find-storage-pool-sources ---- */

static int print_sources(struct ctl *ctl, const struct args *args,
			 const char *spec)
{
	const char *type = args_get(args, "type");
	char *xml = virConnectFindStoragePoolSources(ctl->conn, type, spec, 0);

	return xml ? xml_show(ctl, args, xml) :
		     say_failed(ctl, "Failed to find any %s pool sources",
				type);
}

static int run_find_sources(struct ctl *ctl, const struct args *args)
{
	const char *file = args_get(args, "srcSpec");
	_cleanup_free_ char *spec = file ? read_xml_file(file) : NULL;

	return file && !spec ? EXIT_FAILED : print_sources(ctl, args, spec);
}

static char *spec_of(const struct args *args)
{
	const char *host = args_get(args, "host");
	struct buf b = { 0 };

	if (!host)
		return NULL;
	buf_puts(&b, "<source>\n");
	buf_puts(&b, "  <host");
	xml_attr(&b, "name", host);
	xml_attr(&b, "port", args_get(args, "port"));
	buf_puts(&b, "/>\n");
	if (args_has(args, "initiator")) {
		buf_puts(&b, "  <initiator>\n    <iqn");
		xml_attr(&b, "name", args_get(args, "initiator"));
		buf_puts(&b, "/>\n  </initiator>\n");
	}
	buf_puts(&b, "</source>\n");
	return buf_steal(&b);
}

static int run_find_sources_as(struct ctl *ctl, const struct args *args)
{
	_cleanup_free_ char *spec = spec_of(args);

	return print_sources(ctl, args, spec);
}

/* ---- the commands ---- */

const struct command family_pool_info[] = {
	{
		.name = "pool-info",
		.group = "pool",
		.summary = "storage pool information",
		.opts = OPTS(DATA("pool"), FLAG("bytes")),
		.run = run_pool_info,
	},
	{
		.name = "pool-dumpxml",
		.group = "pool",
		.summary = "pool information in XML",
		.opts = OPTS(DATA("pool"), FLAG("inactive"), STRING("xpath"),
			     FLAG("wrap")),
		.run = run_pool_dumpxml,
	},
	{
		.name = "pool-capabilities",
		.group = "pool",
		.summary = "storage pool capabilities",
		.details = "Which kinds of pools this host can have, and "
			   "their formats.",
		.run = run_pool_capabilities,
	},
	{
		.name = "find-storage-pool-sources",
		.group = "pool",
		.summary = "discover potential storage pool sources",
		.opts = OPTS(DATA("type", "type of pool"),
			     STRING("srcSpec", "file with a <source>")),
		.run = run_find_sources,
	},
	{
		.name = "find-storage-pool-sources-as",
		.group = "pool",
		.summary = "find potential storage pool sources",
		.opts = OPTS(DATA("type", "type of pool"),
			     STRING("host", "host to ask"), STRING("port"),
			     STRING("initiator", "name to ask it by")),
		.run = run_find_sources_as,
	},
	{ NULL },
};
