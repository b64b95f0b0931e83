/*
 * cli/cmd-snapshot-list.c -- what snapshots a domain has: snapshot-list, -info,
 * -parent, -dumpxml.
 */
#include <string.h>
#include <time.h>

#include "cli/output.h"
#include "cli/snapshot.h"
#include "cli/tree.h"
#include "cli/xml.h"

static int run_snapshot_dumpxml(struct ctl *ctl, const struct args *args,
				virDomainPtr dom)
{
	virDomainSnapshotPtr s =
		snapshot_named(ctl, dom, args_get(args, "snapshotname"));
	int status;

	if (!s)
		return EXIT_FAILED;
	status = xml_show(ctl, args,
			  virDomainSnapshotGetXMLDesc(
				  s, args_has(args, "security-info") ?
					     VIR_DOMAIN_SNAPSHOT_XML_SECURE :
					     0));
	virDomainSnapshotFree(s);
	return status;
}

/* NULL: it has none, or cannot be asked. */
static char *parent_of(virDomainSnapshotPtr s)
{
	virDomainSnapshotPtr p = virDomainSnapshotGetParent(s, 0);
	char *name = p ? xstrdup(virDomainSnapshotGetName(p)) : NULL;

	if (p)
		virDomainSnapshotFree(p);
	return name;
}

static int run_snapshot_parent(struct ctl *ctl, const struct args *args,
			       virDomainPtr dom)
{
	virDomainSnapshotPtr s = snapshot_find(ctl, args, dom);
	_cleanup_free_ char *parent = s ? parent_of(s) : NULL;

	if (!s)
		return EXIT_FAILED;
	if (!parent)
		say_error("snapshot '%s' has no parent",
			  virDomainSnapshotGetName(s));
	else if (ctl->output == OUTPUT_TABLE)
		printf("%s", parent);
	else
		say_value(ctl, "parent", parent);
	virDomainSnapshotFree(s);
	return parent ? EXIT_OK : EXIT_FAILED;
}

/* ---- info ---- */

/* A part of it lies in files of its own. */
static bool is_external(struct xml *x)
{
	_cleanup_free_ char *text =
		xml_string(x, NULL,
			   "state = 'disk-snapshot' or "
			   "memory/@snapshot = 'external' or "
			   "disks/disk/@snapshot = 'external'");

	return str_eq(text, "true");
}

static int add_xml_facts(struct record *r, virDomainSnapshotPtr s)
{
	_cleanup_free_ char *text = virDomainSnapshotGetXMLDesc(s, 0);
	_cleanup_free_ char *state = NULL;
	_cleanup_xml_ struct xml x = { NULL };

	if (!text || xml_open(&x, text) < 0)
		return -1;
	state = xml_string(&x, NULL, "./state");
	record_add(r, "State:", "state", false, "%s", state ? state : "-");
	record_add(r, "Location:", "location", false, "%s",
		   is_external(&x) ? "external" : "internal");
	return 0;
}

static void add_family(struct record *r, virDomainSnapshotPtr s)
{
	_cleanup_free_ char *parent = parent_of(s);
	int n = virDomainSnapshotNumChildren(s, 0);

	record_add(r, "Parent:", "parent", false, "%s", parent ? parent : "-");
	if (n >= 0)
		record_add(r, "Children:", "children", true, "%d", n);
	n = virDomainSnapshotNumChildren(
		s, VIR_DOMAIN_SNAPSHOT_LIST_DESCENDANTS);
	if (n >= 0)
		record_add(r, "Descendants:", "descendants", true, "%d", n);
	n = virDomainSnapshotHasMetadata(s, 0);
	if (n >= 0)
		record_add(r, "Metadata:", "metadata", false, "%s",
			   n ? "yes" : "no");
}

static int run_snapshot_info(struct ctl *ctl, const struct args *args,
			     virDomainPtr dom)
{
	virDomainSnapshotPtr s = snapshot_find(ctl, args, dom);
	struct record *r;
	int current, status;

	if (!s)
		return EXIT_FAILED;
	r = record_new();
	record_add(r, "Name:", "name", false, "%s",
		   virDomainSnapshotGetName(s));
	record_add(r, "Domain:", "domain", false, "%s", virDomainGetName(dom));
	current = virDomainSnapshotIsCurrent(s, 0);
	if (current >= 0)
		record_add(r, "Current:", "current", false, "%s",
			   current ? "yes" : "no");
	status = add_xml_facts(r, s) < 0 ? say_failed(ctl, NULL) : EXIT_OK;
	if (status == EXIT_OK) {
		add_family(r, s);
		record_print(r, ctl);
	} else {
		record_free(r);
	}
	virDomainSnapshotFree(s);
	return status;
}

/* ---- the list ---- */

static const struct column columns[] = {
	{ "Name", "name", false },
	{ "Creation Time", "creation_time", false },
	{ "State", "state", false },
	{ "Parent", "parent", false },
};

static void add_row(struct table *t, virDomainSnapshotPtr s)
{
	_cleanup_free_ char *text = virDomainSnapshotGetXMLDesc(s, 0);
	_cleanup_free_ char *made = NULL, *parent = NULL, *state = NULL;
	_cleanup_xml_ struct xml x = { NULL };
	char when[40] = "";
	struct tm tm;
	time_t at;

	if (!text || xml_open(&x, text) < 0)
		return;
	made = xml_string(&x, NULL, "./creationTime");
	parent = xml_string(&x, NULL, "./parent/name");
	state = xml_string(&x, NULL, "./state");
	at = made ? strtoll(made, NULL, 10) : 0;
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S %z",
		 localtime_r(&at, &tm));
	table_row(t, (const char *[]){ virDomainSnapshotGetName(s), when,
				       state ? state : "",
				       parent ? parent : "" });
}

struct list {
	virDomainSnapshotPtr *all;
	int n;
	char *from; /* the tree's root */
};

static void print_tree_of(const struct list *l)
{
	_cleanup_free_ struct tree_node *nodes =
		xcalloc((size_t)l->n + 1, sizeof(*nodes));
	size_t n = 0;

	if (l->from)
		nodes[n++].name = l->from;
	for (int i = 0; i < l->n; i++) {
		nodes[n].name = virDomainSnapshotGetName(l->all[i]);
		nodes[n++].parent = parent_of(l->all[i]);
	}
	tree_print(nodes, n);
	for (size_t i = 0; i < n; i++)
		free((char *)nodes[i].parent);
}

static void print_table_of(struct ctl *ctl, const struct args *args,
			   const struct list *l)
{
	bool parent = args_has(args, "parent") || ctl->output != OUTPUT_TABLE;
	struct table *t = table_new(columns, parent ? 4 : 3);

	for (int i = 0; i < l->n; i++)
		add_row(t, l->all[i]);
	table_print(t, ctl);
}

static int by_name(const void *a, const void *b)
{
	return strcasecmp(
		virDomainSnapshotGetName(*(virDomainSnapshotPtr *)a),
		virDomainSnapshotGetName(*(virDomainSnapshotPtr *)b));
}

static const struct flag_option filters[] = {
	{ "roots", VIR_DOMAIN_SNAPSHOT_LIST_ROOTS },
	{ "leaves", VIR_DOMAIN_SNAPSHOT_LIST_LEAVES },
	{ "no-leaves", VIR_DOMAIN_SNAPSHOT_LIST_NO_LEAVES },
	{ "metadata", VIR_DOMAIN_SNAPSHOT_LIST_METADATA },
	{ "no-metadata", VIR_DOMAIN_SNAPSHOT_LIST_NO_METADATA },
	{ "inactive", VIR_DOMAIN_SNAPSHOT_LIST_INACTIVE },
	{ "active", VIR_DOMAIN_SNAPSHOT_LIST_ACTIVE },
	{ "disk-only", VIR_DOMAIN_SNAPSHOT_LIST_DISK_ONLY },
	{ "internal", VIR_DOMAIN_SNAPSHOT_LIST_INTERNAL },
	{ "external", VIR_DOMAIN_SNAPSHOT_LIST_EXTERNAL },
	{ "descendants", VIR_DOMAIN_SNAPSHOT_LIST_DESCENDANTS },
	{ "topological", VIR_DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL },
	{ NULL },
};

/* The snapshot whose children are wanted. */
static virDomainSnapshotPtr find_from(struct ctl *ctl, const struct args *args,
				      virDomainPtr dom)
{
	virDomainSnapshotPtr s;

	if (args_has(args, "from"))
		return snapshot_named(ctl, dom, args_get(args, "from"));
	s = virDomainSnapshotCurrent(dom, 0);
	if (!s)
		say_failed(ctl, NULL);
	return s;
}

static int collect(struct ctl *ctl, const struct args *args, virDomainPtr dom,
		   struct list *l)
{
	unsigned int bits = args_flags(args, filters);
	virDomainSnapshotPtr from;

	if (!args_has(args, "from") && !args_has(args, "current")) {
		l->n = virDomainListAllSnapshots(dom, &l->all, bits);
	} else {
		from = find_from(ctl, args, dom);
		if (!from)
			return -1;
		l->n = virDomainSnapshotListAllChildren(from, &l->all, bits);
		l->from = xstrdup(virDomainSnapshotGetName(from));
		virDomainSnapshotFree(from);
	}
	if (l->n < 0)
		say_failed(ctl, NULL);
	else if (!args_has(args, "topological"))
		qsort(l->all, (size_t)l->n, sizeof(*l->all), by_name);
	return l->n;
}

static int check_list(const struct args *args)
{
	static const char *const pairs[][2] = {
		{ "tree", "name" },  { "parent", "roots" },
		{ "parent", "tree" }, { "roots", "tree" },
		{ "roots", "from" },  { "roots", "current" },
	};
	bool from = args_has(args, "from"), current = args_has(args, "current");

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		if (args_exclusive(args, pairs[i][0], pairs[i][1]) < 0)
			return -1;
	if (from && current) {
		say_error("--from and --current are mutually exclusive");
		return -1;
	}
	if (args_has(args, "descendants") && !from && !current) {
		say_error("--descendants requires either --from or --current");
		return -1;
	}
	return 0;
}

static void print_list(struct ctl *ctl, const struct args *args,
		       const struct list *l)
{
	if (ctl->output == OUTPUT_TABLE && args_has(args, "tree"))
		print_tree_of(l);
	else if (ctl->output != OUTPUT_TABLE || !args_has(args, "name"))
		print_table_of(ctl, args, l);
	else
		for (int i = 0; i < l->n; i++)
			printf("%s\n", virDomainSnapshotGetName(l->all[i]));
}

static int run_snapshot_list(struct ctl *ctl, const struct args *args,
			     virDomainPtr dom)
{
	struct list l = { NULL };
	int n;

	if (check_list(args) < 0)
		return EXIT_FAILED;
	n = collect(ctl, args, dom, &l);
	if (n >= 0)
		print_list(ctl, args, &l);
	for (int i = 0; i < n; i++)
		virDomainSnapshotFree(l.all[i]);
	free(l.all);
	free(l.from);
	return n < 0 ? EXIT_FAILED : EXIT_OK;
}

const struct command family_snapshot_list[] = {
	{ .name = "snapshot-dumpxml",
	  .group = "snapshot",
	  .summary = "a snapshot in XML",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), DATA("snapshotname"),
		       FLAG("security-info"), NAMED("xpath"), FLAG("wrap")),
	  .on_domain = run_snapshot_dumpxml },
	{ .name = "snapshot-info",
	  .group = "snapshot",
	  .summary = "the essentials about a snapshot",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), STRING("snapshotname"),
		       FLAG("current", "the current snapshot")),
	  .on_domain = run_snapshot_info },
	{ .name = "snapshot-list",
	  .group = "snapshot",
	  .summary = "list the snapshots of a domain",
	  .opts = OPTS(
		  OPT_DOMAIN(complete_domains), FLAG("parent"), FLAG("roots"),
		  FLAG("leaves"), FLAG("no-leaves"),
		  FLAG("metadata", "only those with a record here"),
		  FLAG("no-metadata", "only those without a record here"),
		  FLAG("inactive", "only those of a domain that was shut off"),
		  FLAG("active", "only those with the guest's memory"),
		  FLAG("disk-only", "only those of disks alone"),
		  FLAG("internal", "only those inside the images"),
		  FLAG("external", "only those with files of their own"),
		  FLAG("tree"), STRING("from"),
		  FLAG("current", "only what descends from the current one"),
		  FLAG("descendants"), FLAG("name", "list names only"),
		  FLAG("topological")),
	  .on_domain = run_snapshot_list },
	{ .name = "snapshot-parent",
	  .group = "snapshot",
	  .summary = "the parent of a snapshot",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), STRING("snapshotname"),
		       FLAG("current", "the current snapshot's")),
	  .on_domain = run_snapshot_parent },
	{ NULL },
};
