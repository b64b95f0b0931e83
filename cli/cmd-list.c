/*
 * cli/cmd-list.c -- the domains there are.
 */
#include <string.h>

#include "cli/args.h"
#include "cli/domain-action.h"
#include "cli/output.h"
#include "cli/states.h"

static const struct flag_option filters[] = {
	{ "inactive", VIR_CONNECT_LIST_DOMAINS_INACTIVE },
	{ "all",
	  VIR_CONNECT_LIST_DOMAINS_ACTIVE | VIR_CONNECT_LIST_DOMAINS_INACTIVE },
	{ "transient", VIR_CONNECT_LIST_DOMAINS_TRANSIENT },
	{ "persistent", VIR_CONNECT_LIST_DOMAINS_PERSISTENT },
	{ "with-snapshot", VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT },
	{ "without-snapshot", VIR_CONNECT_LIST_DOMAINS_NO_SNAPSHOT },
	{ "with-checkpoint", VIR_CONNECT_LIST_DOMAINS_HAS_CHECKPOINT },
	{ "without-checkpoint", VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT },
	{ "state-running", VIR_CONNECT_LIST_DOMAINS_RUNNING },
	{ "state-paused", VIR_CONNECT_LIST_DOMAINS_PAUSED },
	{ "state-shutoff", VIR_CONNECT_LIST_DOMAINS_SHUTOFF },
	{ "state-other", VIR_CONNECT_LIST_DOMAINS_OTHER },
	{ "autostart", VIR_CONNECT_LIST_DOMAINS_AUTOSTART },
	{ "no-autostart", VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART },
	{ "with-managed-save", VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE },
	{ "without-managed-save", VIR_CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE },
	{ NULL },
};

static const struct column columns[] = {
	{ "Id", "id", true },	     { "Name", "name", false },
	{ "State", "state", false }, { "Title", "title", false },
	{ "UUID", "uuid", false },
};
enum { COL_TITLE = 3 };

/* Active ones by id, then the others by name: virsh's order. */
static int by_id_and_name(const void *pa, const void *pb)
{
	virDomainPtr a = *(virDomainPtr *)pa, b = *(virDomainPtr *)pb;
	unsigned int ia = virDomainGetID(a), ib = virDomainGetID(b);

	if (ia != ib)
		return ia < ib ? -1 : 1;
	return strcasecmp(virDomainGetName(a), virDomainGetName(b));
}

/* A domain may vanish between the list and this: NULL then. */
static const char *state_of(virDomainPtr dom, bool saved)
{
	int state;

	if (virDomainGetState(dom, &state, NULL, 0) < 0)
		return NULL;
	if (saved && state == VIR_DOMAIN_SHUTOFF &&
	    virDomainHasManagedSaveImage(dom, 0) == 1)
		return "saved";
	return state_name(state);
}

static void add_row(struct table *t, virDomainPtr dom, bool title, bool saved)
{
	char id[16], uuid[VIR_UUID_STRING_BUFLEN] = "";
	_cleanup_free_ char *text = NULL;
	const char *cells[ARRAY_SIZE(columns)] = { NULL };

	snprintf(id, sizeof(id), "%d", (int)virDomainGetID(dom));
	virDomainGetUUIDString(dom, uuid);
	if (title)
		text = virDomainGetMetadata(dom, VIR_DOMAIN_METADATA_TITLE,
					    NULL, 0);
	cells[0] = (int)virDomainGetID(dom) < 0 ? NULL : id;
	cells[1] = virDomainGetName(dom);
	cells[2] = state_of(dom, saved);
	cells[COL_TITLE] = text ? text : "";
	cells[COL_TITLE + 1] = uuid;
	if (cells[2])
		table_row(t, cells);
}

/* --name, --uuid and --id print bare words for scripts. */
static void print_words(const struct args *args, virDomainPtr dom)
{
	char uuid[VIR_UUID_STRING_BUFLEN] = "";
	const char *sep = "";

	if (args_has(args, "uuid")) {
		virDomainGetUUIDString(dom, uuid);
		printf("%s", uuid);
		sep = " ";
	}
	if (args_has(args, "id")) {
		if ((int)virDomainGetID(dom) >= 0)
			printf("%s%d", sep, (int)virDomainGetID(dom));
		else
			printf("%s-", sep);
		sep = " ";
	}
	if (args_has(args, "name"))
		printf("%s%s", sep, virDomainGetName(dom));
	putchar('\n');
}

static void print_table(struct ctl *ctl, const struct args *args,
			virDomainPtr *doms, int n)
{
	unsigned int cols = args_has(args, "title") ? COL_TITLE + 1 : COL_TITLE;
	struct table *t;

	if (ctl->output != OUTPUT_TABLE)
		cols = ARRAY_SIZE(columns);
	t = table_new(columns, cols);
	for (int i = 0; i < n; i++)
		add_row(t, doms[i], cols > COL_TITLE,
			args_has(args, "managed-save"));
	table_print(t, ctl);
}

static bool wants_words(struct ctl *ctl, const struct args *args)
{
	return ctl->output == OUTPUT_TABLE &&
	       (args_has(args, "name") || args_has(args, "uuid") ||
		args_has(args, "id"));
}

static unsigned int list_flags(const struct args *args)
{
	unsigned int flags = args_flags(args, filters);
	unsigned int activity = VIR_CONNECT_LIST_DOMAINS_ACTIVE |
				VIR_CONNECT_LIST_DOMAINS_INACTIVE;

	return flags & activity ? flags
				: flags | VIR_CONNECT_LIST_DOMAINS_ACTIVE;
}

static int run_list(struct ctl *ctl, const struct args *args)
{
	virDomainPtr *doms = NULL;
	int n = virConnectListAllDomains(ctl->conn, &doms, list_flags(args));

	if (n < 0)
		return say_failed(ctl, "Failed to list domains");
	qsort(doms, n, sizeof(*doms), by_id_and_name);
	if (!wants_words(ctl, args))
		print_table(ctl, args, doms, n);
	for (int i = 0; i < n; i++) {
		if (wants_words(ctl, args))
			print_words(args, doms[i]);
		virDomainFree(doms[i]);
	}
	free(doms);
	return EXIT_OK;
}

const struct command family_list[] = {
	{
		.name = "list",
		.group = "monitor",
		.summary = "list domains",
		.details =
			"Running domains only, unless a filter says otherwise.",
		.opts = OPTS(
			FLAG("inactive", "list inactive domains"),
			FLAG("all", "list inactive & active domains"),
			FLAG("transient", "list transient domains"),
			FLAG("persistent", "list persistent domains"),
			FLAG("with-snapshot",
			     "list domains with existing snapshot"),
			FLAG("without-snapshot",
			     "list domains without a snapshot"),
			FLAG("with-checkpoint",
			     "list domains with existing checkpoint"),
			FLAG("without-checkpoint",
			     "list domains without a checkpoint"),
			FLAG("state-running", "list domains in running state"),
			FLAG("state-paused", "list domains in paused state"),
			FLAG("state-shutoff", "list domains in shutoff state"),
			FLAG("state-other", "list domains in other states"),
			FLAG("autostart",
			     "list domains with autostart enabled"),
			FLAG("no-autostart",
			     "list domains with autostart disabled"),
			FLAG("with-managed-save",
			     "list domains with managed save state"),
			FLAG("without-managed-save",
			     "list domains without managed save"),
			FLAG("uuid", "list uuid's only"),
			FLAG("name", "list domain names only"),
			FLAG("id", "list domain IDs only"),
			FLAG("table", "list table (default)"),
			FLAG("managed-save",
			     "inactive domains with a managed save image are "
			     "'saved'"),
			FLAG("title", "show domain title")),
		.run = run_list,
	},
	{ NULL },
};
