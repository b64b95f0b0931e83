/*
 * cli/cmd-pool-list.c -- the storage pools there are.
 */
#include <string.h>

#include "cli/output.h"
#include "cli/storage.h"

static const struct flag_option filters[] = {
	{ "inactive", VIR_CONNECT_LIST_STORAGE_POOLS_INACTIVE },
	{ "all", VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE |
			 VIR_CONNECT_LIST_STORAGE_POOLS_INACTIVE },
	{ "transient", VIR_CONNECT_LIST_STORAGE_POOLS_TRANSIENT },
	{ "persistent", VIR_CONNECT_LIST_STORAGE_POOLS_PERSISTENT },
	{ "autostart", VIR_CONNECT_LIST_STORAGE_POOLS_AUTOSTART },
	{ "no-autostart", VIR_CONNECT_LIST_STORAGE_POOLS_NO_AUTOSTART },
	{ NULL },
};

static const struct flag_option types[] = {
	{ "dir", VIR_CONNECT_LIST_STORAGE_POOLS_DIR },
	{ "fs", VIR_CONNECT_LIST_STORAGE_POOLS_FS },
	{ "netfs", VIR_CONNECT_LIST_STORAGE_POOLS_NETFS },
	{ "logical", VIR_CONNECT_LIST_STORAGE_POOLS_LOGICAL },
	{ "disk", VIR_CONNECT_LIST_STORAGE_POOLS_DISK },
	{ "iscsi", VIR_CONNECT_LIST_STORAGE_POOLS_ISCSI },
	{ "iscsi-direct", VIR_CONNECT_LIST_STORAGE_POOLS_ISCSI_DIRECT },
	{ "scsi", VIR_CONNECT_LIST_STORAGE_POOLS_SCSI },
	{ "mpath", VIR_CONNECT_LIST_STORAGE_POOLS_MPATH },
	{ "rbd", VIR_CONNECT_LIST_STORAGE_POOLS_RBD },
	{ "gluster", VIR_CONNECT_LIST_STORAGE_POOLS_GLUSTER },
	{ "zfs", VIR_CONNECT_LIST_STORAGE_POOLS_ZFS },
	{ "vstorage", VIR_CONNECT_LIST_STORAGE_POOLS_VSTORAGE },
	{ NULL },
};

static const struct column columns[] = {
	{ "Name", "name", false },
	{ "State", "state", false },
	{ "Autostart", "autostart", false },
	{ "Persistent", "persistent", false },
	{ "Capacity", "capacity", true },
	{ "Allocation", "allocation", true },
	{ "Available", "available", true },
};
enum { COLS_PLAIN = 3 };

static int by_name(const void *pa, const void *pb)
{
	return strcasecmp(virStoragePoolGetName(*(virStoragePoolPtr *)pa),
			  virStoragePoolGetName(*(virStoragePoolPtr *)pb));
}

/* ---- rows ---- */

static const char *yes_no(int value)
{
	return value < 0 ? "unknown" : value ? "yes" : "no";
}

static const char *autostart_of(virStoragePoolPtr pool)
{
	int on;

	return virStoragePoolGetAutostart(pool, &on) < 0 ? "no autostart" :
	       yes_no(on);
}

static char *size_cell(struct ctl *ctl, const virStoragePoolInfo *info,
		       unsigned long long bytes)
{
	if (info->state == VIR_STORAGE_POOL_INACTIVE)
		return NULL;
	return ctl->output != OUTPUT_TABLE ? xasprintf("%llu", bytes) :
					    size_text(bytes);
}

/* A pool may vanish between the list and this: no row then. */
static void add_details(struct ctl *ctl, struct table *t,
			virStoragePoolPtr pool)
{
	_cleanup_free_ char *capacity = NULL;
	_cleanup_free_ char *allocation = NULL;
	_cleanup_free_ char *available = NULL;
	virStoragePoolInfo info;

	if (virStoragePoolGetInfo(pool, &info) < 0)
		return;
	capacity = size_cell(ctl, &info, info.capacity);
	allocation = size_cell(ctl, &info, info.allocation);
	available = size_cell(ctl, &info, info.available);
	table_row(t, (const char *const[]){
			     virStoragePoolGetName(pool),
			     pool_state_name(info.state), autostart_of(pool),
			     yes_no(virStoragePoolIsPersistent(pool)),
			     capacity, allocation, available });
}

static void add_plain(struct table *t, virStoragePoolPtr pool)
{
	int active = virStoragePoolIsActive(pool);

	if (active < 0)
		return;
	table_row(t, (const char *const[]){ virStoragePoolGetName(pool),
					    active ? "active" : "inactive",
					    autostart_of(pool) });
}

static void print_table(struct ctl *ctl, const struct args *args,
			virStoragePoolPtr *pools, int n)
{
	bool details = args_has(args, "details") ||
		       ctl->output != OUTPUT_TABLE;
	struct table *t = table_new(columns, details ? ARRAY_SIZE(columns) :
						       COLS_PLAIN);

	for (int i = 0; i < n; i++) {
		if (details)
			add_details(ctl, t, pools[i]);
		else
			add_plain(t, pools[i]);
	}
	table_print(t, ctl);
}

/* --name and --uuid print bare words for scripts. */
static void print_words(const struct args *args, virStoragePoolPtr pool)
{
	char uuid[VIR_UUID_STRING_BUFLEN] = "";
	bool name = args_has(args, "name");

	if (args_has(args, "uuid")) {
		virStoragePoolGetUUIDString(pool, uuid);
		printf("%s%s", uuid, name ? " " : "");
	}
	if (name)
		printf("%-20s", virStoragePoolGetName(pool));
	putchar('\n');
}

/* ---- the command ---- */

static int type_flags(const struct args *args, unsigned int *flags)
{
	_cleanup_free_ char *copy = xstrdup(args_get(args, "type"));
	char *rest = copy, *word;
	const struct flag_option *t;

	while (rest && (word = strsep(&rest, ","))) {
		for (t = types; t->name && !str_eq(t->name, word); t++)
			;
		if (!t->name) {
			say_error("Invalid pool type '%s'", word);
			return -1;
		}
		*flags |= t->bit;
	}
	return 0;
}

static int check(const struct args *args, unsigned int *ret_flags)
{
	unsigned int activity = VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE |
				VIR_CONNECT_LIST_STORAGE_POOLS_INACTIVE;

	if (args_exclusive(args, "details", "uuid") < 0 ||
	    args_exclusive(args, "details", "name") < 0)
		return -1;
	*ret_flags = args_flags(args, filters);
	if (!(*ret_flags & activity))
		*ret_flags |= VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE;
	return type_flags(args, ret_flags);
}

static int run_pool_list(struct ctl *ctl, const struct args *args)
{
	bool words = ctl->output == OUTPUT_TABLE &&
		     (args_has(args, "name") || args_has(args, "uuid"));
	virStoragePoolPtr *pools = NULL;
	unsigned int flags;
	int n;

	if (check(args, &flags) < 0)
		return EXIT_FAILED;
	n = virConnectListAllStoragePools(ctl->conn, &pools, flags);
	if (n < 0)
		return say_failed(ctl, "Failed to list pools");
	qsort(pools, n, sizeof(*pools), by_name);
	if (!words)
		print_table(ctl, args, pools, n);
	for (int i = 0; i < n; i++) {
		if (words)
			print_words(args, pools[i]);
		virStoragePoolFree(pools[i]);
	}
	free(pools);
	return EXIT_OK;
}

const struct command family_pool_list[] = {
	{
		.name = "pool-list",
		.group = "pool",
		.summary = "list pools",
		.details = "Active pools only, unless a filter says otherwise.",
		.opts = OPTS(FLAG("inactive", "list inactive pools"),
			     FLAG("all", "list inactive & active pools"),
			     FLAG("transient", "list transient pools"),
			     FLAG("persistent", "list persistent pools"),
			     FLAG("autostart"), FLAG("no-autostart"),
			     STRING("type", "only these types, with commas"),
			     FLAG("details"), FLAG("uuid"),
			     FLAG("name", "list names only")),
		.run = run_pool_list,
	},
	{ NULL },
};
