/*
 * cli/cmd-checkpoint.c -- checkpoints of domains and the backups made from
 * them.
 */
#include <string.h>
#include <time.h>

#include "cli/args.h"
#include "cli/edit.h"
#include "cli/output.h"
#include "cli/tree.h"
#include "cli/xml.h"

static virDomainCheckpointPtr find(struct ctl *ctl, const struct args *args,
				   virDomainPtr dom, const char *option)
{
	virDomainCheckpointPtr c =
		virDomainCheckpointLookupByName(dom, args_get(args, option), 0);

	if (!c)
		say_failed(ctl, NULL);
	return c;
}

/* ---- create ---- */

static int create(struct ctl *ctl, virDomainPtr dom, const char *xml,
		  unsigned int flags, const char *from)
{
	virDomainCheckpointPtr c =
		virDomainCheckpointCreateXML(dom, xml, flags);

	if (!c)
		return say_failed(ctl, NULL);
	if (from)
		say(ctl, "Domain checkpoint %s created from '%s'",
		    virDomainCheckpointGetName(c), from);
	else
		say(ctl, "Domain checkpoint %s created",
		    virDomainCheckpointGetName(c));
	virDomainCheckpointFree(c);
	return EXIT_OK;
}

static const struct flag_option create_flags[] = {
	{ "redefine", VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE },
	{ "redefine-validate",
	  VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE |
		  VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE },
	{ "quiesce", VIR_DOMAIN_CHECKPOINT_CREATE_QUIESCE },
	{ NULL },
};

static int run_checkpoint_create(struct ctl *ctl, const struct args *args,
				 virDomainPtr dom)
{
	const char *from = args_get(args, "xmlfile");
	_cleanup_free_ char *xml =
		from ? read_xml_file(from) : xstrdup("<domaincheckpoint/>");

	if (!xml)
		return EXIT_FAILED;
	return create(ctl, dom, xml, args_flags(args, create_flags), from);
}

/* "disk[,checkpoint=type][,bitmap=name]" */
static int add_disk(struct buf *b, const char *spec)
{
	_cleanup_free_ char *copy = xstrdup(spec);
	char *rest = copy, *word = comma_next(&rest);

	buf_puts(b, "    <disk");
	xml_attr(b, "name", word);
	while ((word = comma_next(&rest))) {
		if (str_startswith(word, "checkpoint=")) {
			xml_attr(b, "checkpoint", word + 11);
		} else if (str_startswith(word, "bitmap=")) {
			xml_attr(b, "bitmap", word + 7);
		} else {
			say_error("unable to parse diskspec: %s", spec);
			return -1;
		}
	}
	buf_puts(b, "/>\n");
	return 0;
}

static int run_checkpoint_create_as(struct ctl *ctl, const struct args *args,
				    virDomainPtr dom)
{
	_cleanup_buf_ struct buf b = { 0 };

	buf_puts(&b, "<domaincheckpoint>\n");
	xml_line(&b, 2, "name", args_get(args, "name"));
	xml_line(&b, 2, "description", args_get(args, "description"));
	if (args->n_rest)
		buf_puts(&b, "  <disks>\n");
	for (int i = 0; i < args->n_rest; i++)
		if (add_disk(&b, args->rest[i]) < 0)
			return EXIT_FAILED;
	if (args->n_rest)
		buf_puts(&b, "  </disks>\n");
	buf_puts(&b, "</domaincheckpoint>\n");
	if (args_has(args, "print-xml")) {
		printf("%s\n", b.data);
		return EXIT_OK;
	}
	return create(ctl, dom, b.data, args_flags(args, create_flags), NULL);
}

/* ---- one checkpoint ---- */

static int run_checkpoint_delete(struct ctl *ctl, const struct args *args,
				 virDomainPtr dom)
{
	static const struct flag_option flags[] = {
		{ "children", VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN },
		{ "children-only", VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY },
		{ "metadata", VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY },
		{ NULL },
	};
	const char *name = args_get(args, "checkpointname");
	virDomainCheckpointPtr c;
	int r;

	if (args_exclusive(args, "children", "children-only") < 0)
		return EXIT_FAILED;
	c = find(ctl, args, dom, "checkpointname");
	if (!c)
		return EXIT_FAILED;
	r = virDomainCheckpointDelete(c, args_flags(args, flags));
	if (r < 0)
		say_failed(ctl, "Failed to delete checkpoint %s", name);
	else
		say(ctl, "Domain checkpoint %s %sdeleted\n", name,
		    args_has(args, "children-only") ? "children " : "");
	virDomainCheckpointFree(c);
	return r < 0 ? EXIT_FAILED : EXIT_OK;
}

static int run_checkpoint_dumpxml(struct ctl *ctl, const struct args *args,
				  virDomainPtr dom)
{
	static const struct flag_option flags[] = {
		{ "security-info", VIR_DOMAIN_CHECKPOINT_XML_SECURE },
		{ "no-domain", VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN },
		{ "size", VIR_DOMAIN_CHECKPOINT_XML_SIZE },
		{ NULL },
	};
	virDomainCheckpointPtr c = find(ctl, args, dom, "checkpointname");
	int status;

	if (!c)
		return EXIT_FAILED;
	status = xml_show(
		ctl, args,
		virDomainCheckpointGetXMLDesc(c, args_flags(args, flags)));
	virDomainCheckpointFree(c);
	return status;
}

static char *get_xml(void *object)
{
	return virDomainCheckpointGetXMLDesc(object,
					     VIR_DOMAIN_CHECKPOINT_XML_SECURE);
}

static int redefine(struct ctl *ctl, void *object, const char *xml)
{
	virDomainCheckpointPtr c = virDomainCheckpointCreateXML(
		virDomainCheckpointGetDomain(object), xml,
		VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE);

	(void)ctl;
	if (!c)
		return -1;
	virDomainCheckpointFree(c);
	return 0;
}

static int run_checkpoint_edit(struct ctl *ctl, const struct args *args,
			       virDomainPtr dom)
{
	static const struct edit edit = {
		get_xml, redefine,
		"Checkpoint %s XML configuration not changed.\n",
		"Checkpoint %s edited.\n"
	};
	virDomainCheckpointPtr c = find(ctl, args, dom, "checkpointname");
	int status;

	if (!c)
		return EXIT_FAILED;
	status = edit_object(ctl, &edit, c, virDomainCheckpointGetName(c));
	virDomainCheckpointFree(c);
	return status;
}

/* NULL: it has none, or cannot be asked. */
static char *parent_of(virDomainCheckpointPtr c)
{
	virDomainCheckpointPtr p = virDomainCheckpointGetParent(c, 0);
	char *name = p ? xstrdup(virDomainCheckpointGetName(p)) : NULL;

	if (p)
		virDomainCheckpointFree(p);
	return name;
}

static int run_checkpoint_info(struct ctl *ctl, const struct args *args,
			       virDomainPtr dom)
{
	virDomainCheckpointPtr c = find(ctl, args, dom, "checkpointname");
	_cleanup_free_ char *parent = NULL;
	struct record *r;
	int n;

	if (!c)
		return EXIT_FAILED;
	parent = parent_of(c);
	r = record_new();
	record_add(r, "Name:", "name", false, "%s",
		   virDomainCheckpointGetName(c));
	record_add(r, "Domain:", "domain", false, "%s", virDomainGetName(dom));
	record_add(r, "Parent:", "parent", false, "%s", parent ? parent : "-");
	n = virDomainCheckpointListAllChildren(c, NULL, 0);
	if (n >= 0)
		record_add(r, "Children:", "children", true, "%d", n);
	n = virDomainCheckpointListAllChildren(
		c, NULL, VIR_DOMAIN_CHECKPOINT_LIST_DESCENDANTS);
	if (n >= 0)
		record_add(r, "Descendants:", "descendants", true, "%d", n);
	record_print(r, ctl);
	virDomainCheckpointFree(c);
	return EXIT_OK;
}

static int run_checkpoint_parent(struct ctl *ctl, const struct args *args,
				 virDomainPtr dom)
{
	virDomainCheckpointPtr c = find(ctl, args, dom, "checkpointname");
	_cleanup_free_ char *parent = NULL;

	if (!c)
		return EXIT_FAILED;
	parent = parent_of(c);
	virDomainCheckpointFree(c);
	if (!parent) {
		say_error("checkpoint '%s' has no parent",
			  args_get(args, "checkpointname"));
		return EXIT_FAILED;
	}
	if (ctl->output == OUTPUT_TABLE)
		printf("%s", parent);
	else
		say_value(ctl, "parent", parent);
	return EXIT_OK;
}

/* ---- the list ---- */

static const struct column columns[] = {
	{ "Name", "name", false },
	{ "Creation Time", "creation_time", false },
	{ "Parent", "parent", false },
};

static void add_row(struct table *t, virDomainCheckpointPtr c)
{
	_cleanup_free_ char *text = virDomainCheckpointGetXMLDesc(
		c, VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN);
	_cleanup_free_ char *made = NULL, *parent = NULL;
	_cleanup_xml_ struct xml x = { NULL };
	char when[40] = "";
	struct tm tm;
	time_t at;

	if (!text || xml_open(&x, text) < 0)
		return;
	made = xml_string(&x, NULL, "./creationTime");
	parent = xml_string(&x, NULL, "./parent/name");
	at = made ? strtoll(made, NULL, 10) : 0;
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S %z",
		 localtime_r(&at, &tm));
	table_row(t, (const char *[]){ virDomainCheckpointGetName(c), when,
				       parent ? parent : "" });
}

static void print_tree_of(virDomainCheckpointPtr *all, int n)
{
	_cleanup_free_ struct tree_node *nodes =
		xcalloc((size_t)n + 1, sizeof(*nodes));

	for (int i = 0; i < n; i++) {
		nodes[i].name = virDomainCheckpointGetName(all[i]);
		nodes[i].parent = parent_of(all[i]);
	}
	tree_print(nodes, (size_t)n);
	for (int i = 0; i < n; i++)
		free((char *)nodes[i].parent);
}

static void print_table_of(struct ctl *ctl, const struct args *args,
			   virDomainCheckpointPtr *all, int n)
{
	bool parent = args_has(args, "parent") || ctl->output != OUTPUT_TABLE;
	struct table *t = table_new(columns, parent ? 3 : 2);

	for (int i = 0; i < n; i++)
		add_row(t, all[i]);
	table_print(t, ctl);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(virDomainCheckpointGetName(*(virDomainCheckpointPtr *)a),
		      virDomainCheckpointGetName(*(virDomainCheckpointPtr *)b));
}

static int collect(struct ctl *ctl, const struct args *args, virDomainPtr dom,
		   virDomainCheckpointPtr **all)
{
	static const struct flag_option flags[] = {
		{ "roots", VIR_DOMAIN_CHECKPOINT_LIST_ROOTS },
		{ "leaves", VIR_DOMAIN_CHECKPOINT_LIST_LEAVES },
		{ "no-leaves", VIR_DOMAIN_CHECKPOINT_LIST_NO_LEAVES },
		{ "descendants", VIR_DOMAIN_CHECKPOINT_LIST_DESCENDANTS },
		{ "topological", VIR_DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL },
		{ NULL },
	};
	unsigned int bits = args_flags(args, flags);
	virDomainCheckpointPtr from;
	int n;

	if (!args_has(args, "from")) {
		n = virDomainListAllCheckpoints(dom, all, bits);
	} else {
		from = find(ctl, args, dom, "from");
		if (!from)
			return -1;
		n = virDomainCheckpointListAllChildren(from, all, bits);
		virDomainCheckpointFree(from);
	}
	if (n < 0)
		say_failed(ctl, NULL);
	else if (!args_has(args, "topological"))
		qsort(*all, (size_t)n, sizeof(**all), by_name);
	return n;
}

static int check_list(const struct args *args)
{
	static const char *const others[] = { "parent", "leaves", "no-leaves",
					      "name" };

	if (args_exclusive(args, "roots", "tree") < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		if (args_has(args, "tree") && args_has(args, others[i])) {
			say_error("--%s and --tree are mutually exclusive",
				  others[i]);
			return -1;
		}
	}
	if (args_has(args, "descendants") && !args_has(args, "from")) {
		say_error("--descendants requires --from");
		return -1;
	}
	return args_exclusive(args, "roots", "from");
}

static int run_checkpoint_list(struct ctl *ctl, const struct args *args,
			       virDomainPtr dom)
{
	virDomainCheckpointPtr *all = NULL;
	int n;

	if (check_list(args) < 0)
		return EXIT_FAILED;
	n = collect(ctl, args, dom, &all);
	if (n < 0)
		return EXIT_FAILED;
	if (ctl->output == OUTPUT_TABLE && args_has(args, "tree"))
		print_tree_of(all, n);
	else if (ctl->output != OUTPUT_TABLE || !args_has(args, "name"))
		print_table_of(ctl, args, all, n);
	else
		for (int i = 0; i < n; i++)
			printf("%s\n", virDomainCheckpointGetName(all[i]));
	for (int i = 0; i < n; i++)
		virDomainCheckpointFree(all[i]);
	free(all);
	return EXIT_OK;
}

/* ---- backups ---- */

static int run_backup_begin(struct ctl *ctl, const struct args *args,
			    virDomainPtr dom)
{
	const char *from = args_get(args, "backupxml");
	const char *with = args_get(args, "checkpointxml");
	_cleanup_free_ char *backup =
		from ? read_xml_file(from) : xstrdup("<domainbackup/>");
	_cleanup_free_ char *point = with ? read_xml_file(with) : NULL;

	if (!backup || (with && !point))
		return EXIT_FAILED;
	if (virDomainBackupBegin(
		    dom, backup, point,
		    args_has(args, "reuse-external")
			    ? VIR_DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL
			    : 0) < 0)
		return say_failed(ctl, NULL);
	say(ctl, "Backup started\n");
	return EXIT_OK;
}

static int run_backup_dumpxml(struct ctl *ctl, const struct args *args,
			      virDomainPtr dom)
{
	return xml_show(ctl, args, virDomainBackupGetXMLDesc(dom, 0));
}

const struct command family_checkpoint[] = {
	{ .name = "backup-begin",
	  .group = "backup",
	  .summary = "start a backup of the disks of a running domain",
	  .opts = OPTS(OPT_DOMAIN(complete_active), STRING("backupxml"),
		       STRING("checkpointxml"), FLAG("reuse-external")),
	  .on_domain = run_backup_begin },
	{ .name = "backup-dumpxml",
	  .group = "backup",
	  .summary = "the running backup in XML",
	  .opts = OPTS(OPT_DOMAIN(complete_active), NAMED("xpath"),
		       FLAG("wrap")),
	  .on_domain = run_backup_dumpxml },
	{ .name = "checkpoint-create",
	  .group = "checkpoint",
	  .summary = "create a checkpoint from XML",
	  .opts = OPTS(OPT_DOMAIN(complete_active), STRING("xmlfile"),
		       FLAG("redefine"), FLAG("redefine-validate"),
		       FLAG("quiesce")),
	  .on_domain = run_checkpoint_create },
	{ .name = "checkpoint-create-as",
	  .group = "checkpoint",
	  .summary = "create a checkpoint from options",
	  .opts = OPTS(OPT_DOMAIN(complete_active), STRING("name"),
		       STRING("description"), FLAG("print-xml"),
		       FLAG("quiesce"), REST("diskspec")),
	  .on_domain = run_checkpoint_create_as },
	{ .name = "checkpoint-delete",
	  .group = "checkpoint",
	  .summary = "delete a checkpoint",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), STRING("checkpointname"),
		       FLAG("children"), FLAG("children-only"),
		       FLAG("metadata")),
	  .on_domain = run_checkpoint_delete },
	{ .name = "checkpoint-dumpxml",
	  .group = "checkpoint",
	  .summary = "a checkpoint in XML",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), STRING("checkpointname"),
		       FLAG("security-info"), FLAG("no-domain"),
		       FLAG("size", "with the amount that a backup would copy"),
		       NAMED("xpath"), FLAG("wrap")),
	  .on_domain = run_checkpoint_dumpxml },
	{ .name = "checkpoint-edit",
	  .group = "checkpoint",
	  .summary = "edit the XML of a checkpoint",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), STRING("checkpointname")),
	  .on_domain = run_checkpoint_edit },
	{ .name = "checkpoint-info",
	  .group = "checkpoint",
	  .summary = "the essentials about a checkpoint",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), STRING("checkpointname")),
	  .on_domain = run_checkpoint_info },
	{ .name = "checkpoint-list",
	  .group = "checkpoint",
	  .summary = "list the checkpoints of a domain",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), FLAG("parent"),
		       FLAG("roots"), FLAG("leaves"), FLAG("no-leaves"),
		       FLAG("tree"), STRING("from"), FLAG("descendants"),
		       FLAG("name"), FLAG("topological")),
	  .on_domain = run_checkpoint_list },
	{ .name = "checkpoint-parent",
	  .group = "checkpoint",
	  .summary = "the parent of a checkpoint",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), STRING("checkpointname")),
	  .on_domain = run_checkpoint_parent },
	{ NULL },
};
