/*
 * cli/cmd-vol-info.c -- what there is to know about volumes: vol-list,
 * vol-info, vol-dumpxml.
 */
#include <string.h>

#include "cli/output.h"
#include "cli/storage.h"
#include "cli/xml.h"

static const char *type_name(int type)
{
	static const char *const names[] = {
		[VIR_STORAGE_VOL_FILE] = "file",
		[VIR_STORAGE_VOL_BLOCK] = "block",
		[VIR_STORAGE_VOL_DIR] = "dir",
		[VIR_STORAGE_VOL_NETWORK] = "network",
		[VIR_STORAGE_VOL_NETDIR] = "netdir",
		[VIR_STORAGE_VOL_PLOOP] = "ploop",
	};

	return type >= 0 && (size_t)type < ARRAY_SIZE(names) ? names[type] :
							       "unknown";
}

/* ---- vol-list ---- */

static const struct column columns[] = {
	{ "Name", "name", false },	   { "Path", "path", false },
	{ "Type", "type", false },	   { "Capacity", "capacity", true },
	{ "Allocation", "allocation", true },
};
enum { COLS_PLAIN = 2 };

static int by_name(const void *pa, const void *pb)
{
	return strcasecmp(virStorageVolGetName(*(virStorageVolPtr *)pa),
			  virStorageVolGetName(*(virStorageVolPtr *)pb));
}

static char *size_cell(struct ctl *ctl, unsigned long long bytes)
{
	return ctl->output == OUTPUT_TABLE ? size_text(bytes) :
					     xasprintf("%llu", bytes);
}

/* A volume may vanish between the list and this: no row then. */
static void add_row(struct ctl *ctl, struct table *t, virStorageVolPtr vol,
		    bool details)
{
	_cleanup_free_ char *path = virStorageVolGetPath(vol);
	_cleanup_free_ char *capacity = NULL;
	_cleanup_free_ char *allocation = NULL;
	virStorageVolInfo info = { 0 };

	if (details && virStorageVolGetInfo(vol, &info) < 0)
		return;
	capacity = size_cell(ctl, info.capacity);
	allocation = size_cell(ctl, info.allocation);
	table_row(t, (const char *const[]){ virStorageVolGetName(vol), path,
					    type_name(info.type), capacity,
					    allocation });
}

static int run_vol_list(struct ctl *ctl, const struct args *args)
{
	bool details = args_has(args, "details") ||
		       ctl->output != OUTPUT_TABLE;
	virStoragePoolPtr pool = ctl_pool(ctl, args_get(args, "pool"));
	virStorageVolPtr *vols = NULL;
	struct table *t;
	int n;

	if (!pool)
		return EXIT_FAILED;
	n = virStoragePoolListAllVolumes(pool, &vols, 0);
	if (n < 0)
		say_failed(ctl, "Failed to list volumes");
	virStoragePoolFree(pool);
	if (n < 0)
		return EXIT_FAILED;
	qsort(vols, n, sizeof(*vols), by_name);
	t = table_new(columns, details ? ARRAY_SIZE(columns) : COLS_PLAIN);
	for (int i = 0; i < n; i++) {
		add_row(ctl, t, vols[i], details);
		virStorageVolFree(vols[i]);
	}
	free(vols);
	table_print(t, ctl);
	return EXIT_OK;
}

/* ---- vol-info ---- */

static int get_info(virStorageVolPtr vol, virStorageVolInfo *info,
		    bool physical)
{
	return physical ? virStorageVolGetInfoFlags(
				  vol, info, VIR_STORAGE_VOL_GET_PHYSICAL) :
			  virStorageVolGetInfo(vol, info);
}

static int run_vol_info(struct ctl *ctl, const struct args *args)
{
	bool plain = args_has(args, "bytes") || ctl->output != OUTPUT_TABLE;
	const char *unit = ctl->output == OUTPUT_TABLE ? " bytes" : "";
	bool physical = args_has(args, "physical");
	virStorageVolPtr vol =
		ctl_vol(ctl, args, args_get(args, "vol"), "pool");
	virStorageVolInfo info;
	struct record *r;
	int got;

	if (!vol)
		return EXIT_FAILED;
	r = record_new();
	record_add(r, "Name:", "name", false, "%s", virStorageVolGetName(vol));
	got = get_info(vol, &info, physical);
	if (got == 0) {
		record_add(r, "Type:", "type", false, "%s",
			   type_name(info.type));
		record_size(r, plain, "Capacity:", "capacity", info.capacity,
			    unit);
		record_size(r, plain,
			    physical ? "Physical:" : "Allocation:",
			    physical ? "physical" : "allocation",
			    info.allocation, unit);
	}
	record_print(r, ctl);
	if (got < 0)
		say_failed(ctl, NULL);
	virStorageVolFree(vol);
	return got < 0 ? EXIT_FAILED : EXIT_OK;
}

/* ---- vol-dumpxml ---- */

static int run_vol_dumpxml(struct ctl *ctl, const struct args *args)
{
	virStorageVolPtr vol =
		ctl_vol(ctl, args, args_get(args, "vol"), "pool");
	char *xml;

	if (!vol)
		return EXIT_FAILED;
	xml = virStorageVolGetXMLDesc(vol, 0);
	if (!xml)
		say_failed(ctl, NULL);
	virStorageVolFree(vol);
	return xml ? xml_show(ctl, args, xml) : EXIT_FAILED;
}

/* ---- the commands ---- */

const struct command family_vol_info[] = {
	{
		.name = "vol-list",
		.group = "volume",
		.summary = "list vols",
		.opts = OPTS(DATA("pool"), FLAG("details")),
		.run = run_vol_list,
	},
	{
		.name = "vol-info",
		.group = "volume",
		.summary = "storage vol information",
		.opts = OPTS(DATA("vol"), STRING("pool"), FLAG("bytes"),
			     FLAG("physical", "its size on the host")),
		.run = run_vol_info,
	},
	{
		.name = "vol-dumpxml",
		.group = "volume",
		.summary = "vol information in XML",
		.opts = OPTS(DATA("vol"), STRING("pool"), STRING("xpath"),
			     FLAG("wrap")),
		.run = run_vol_dumpxml,
	},
	{ NULL },
};
