/*
 * cli/cmd-snapshot.c -- snapshots of domains: made, edited, reverted to.
 * What there is of them: cmd-snapshot-list.c.
 */
#include <errno.h>
#include <string.h>

#include "cli/edit.h"
#include "cli/output.h"
#include "cli/snapshot.h"
#include "cli/xml.h"

/* ---- create ---- */

static const struct flag_option create_flags[] = {
	{ "redefine", VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE },
	{ "current", VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT },
	{ "no-metadata", VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA },
	{ "halt", VIR_DOMAIN_SNAPSHOT_CREATE_HALT },
	{ "disk-only", VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY },
	{ "reuse-external", VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT },
	{ "quiesce", VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE },
	{ "atomic", VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC },
	{ "live", VIR_DOMAIN_SNAPSHOT_CREATE_LIVE },
	{ "validate", VIR_DOMAIN_SNAPSHOT_CREATE_VALIDATE },
	{ NULL },
};

static int create(struct ctl *ctl, virDomainPtr dom, const char *xml,
		  unsigned int flags, const char *from)
{
	virDomainSnapshotPtr s = virDomainSnapshotCreateXML(dom, xml, flags);

	if (!s)
		return say_failed(ctl, NULL);
	say(ctl, "Domain snapshot %s created", virDomainSnapshotGetName(s));
	if (from)
		say(ctl, " from '%s'", from);
	virDomainSnapshotFree(s);
	return EXIT_OK;
}

static int run_snapshot_create(struct ctl *ctl, const struct args *args,
			       virDomainPtr dom)
{
	const char *from = args_get(args, "xmlfile");
	_cleanup_free_ char *xml =
		from ? read_xml_file(from) : xstrdup("<domainsnapshot/>");

	if (!xml)
		return EXIT_FAILED;
	return create(ctl, dom, xml, args_flags(args, create_flags), from);
}

/* "disk[,snapshot=type][,driver=type][,stype=type][,file=name]" */
struct disk_spec {
	const char *name, *snapshot, *driver, *stype, *file;
};

static bool take(const char *word, const char *prefix, const char **ret)
{
	if (*ret || !str_startswith(word, prefix))
		return false;
	*ret = word + strlen(prefix);
	return true;
}

/* The words point into copy. */
static int parse_disk(char *copy, struct disk_spec *d)
{
	char *word;

	for (d->name = comma_next(&copy); (word = comma_next(&copy));)
		if (!take(word, "snapshot=", &d->snapshot) &&
		    !take(word, "driver=", &d->driver) &&
		    !take(word, "stype=", &d->stype) &&
		    !take(word, "file=", &d->file))
			return -1;
	if (!d->stype || str_eq(d->stype, "file") || str_eq(d->stype, "block"))
		return 0;
	say_error("Unknown storage type: '%s'", d->stype);
	return -1;
}

static void add_source(struct buf *b, const struct disk_spec *d)
{
	if (d->driver) {
		buf_puts(b, "      <driver");
		xml_attr(b, "type", d->driver);
		buf_puts(b, "/>\n");
	}
	if (d->file) {
		buf_puts(b, "      <source");
		xml_attr(b, str_eq(d->stype, "block") ? "dev" : "file",
			 d->file);
		buf_puts(b, "/>\n");
	}
}

static int add_disk(struct buf *b, const char *spec)
{
	_cleanup_free_ char *copy = xstrdup(spec);
	struct disk_spec d = { NULL };

	if (parse_disk(copy, &d) < 0) {
		say_error("unable to parse diskspec: %s", spec);
		return -1;
	}
	buf_puts(b, "    <disk");
	xml_attr(b, "name", d.name);
	xml_attr(b, "snapshot", d.snapshot);
	xml_attr(b, "type", d.stype);
	if (!d.driver && !d.file) {
		buf_puts(b, "/>\n");
		return 0;
	}
	buf_puts(b, ">\n");
	add_source(b, &d);
	buf_puts(b, "    </disk>\n");
	return 0;
}

/* "[file=]name[,snapshot=type]" */
static int add_memory(struct buf *b, const char *spec)
{
	_cleanup_free_ char *copy = xstrdup(spec);
	const char *file = NULL, *snapshot = NULL;
	char *rest = copy, *word;

	if (!spec)
		return 0;
	while ((word = comma_next(&rest))) {
		if (take(word, "snapshot=", &snapshot) ||
		    take(word, "file=", &file))
			continue;
		if (file || word != copy) {
			say_error("unable to parse memspec: %s", spec);
			return -1;
		}
		file = word;
	}
	buf_puts(b, "  <memory");
	xml_attr(b, "snapshot", snapshot);
	xml_attr(b, "file", file);
	buf_puts(b, "/>\n");
	return 0;
}

static int snapshot_xml(struct buf *b, const struct args *args)
{
	buf_puts(b, "<domainsnapshot>\n");
	xml_line(b, 2, "name", args_get(args, "name"));
	xml_line(b, 2, "description", args_get(args, "description"));
	if (add_memory(b, args_get(args, "memspec")) < 0)
		return -1;
	if (args->n_rest)
		buf_puts(b, "  <disks>\n");
	for (int i = 0; i < args->n_rest; i++)
		if (add_disk(b, args->rest[i]) < 0)
			return -1;
	if (args->n_rest)
		buf_puts(b, "  </disks>\n");
	buf_puts(b, "</domainsnapshot>\n");
	return 0;
}

static int run_snapshot_create_as(struct ctl *ctl, const struct args *args,
				  virDomainPtr dom)
{
	_cleanup_buf_ struct buf b = { 0 };

	if (snapshot_xml(&b, args) < 0)
		return EXIT_FAILED;
	if (args_has(args, "print-xml")) {
		printf("%s\n", b.data);
		return EXIT_OK;
	}
	return create(ctl, dom, b.data, args_flags(args, create_flags), NULL);
}

/* ---- the current one ---- */

static int set_current(struct ctl *ctl, const struct args *args,
		       virDomainPtr dom)
{
	const char *name = args_get(args, "snapshotname");
	virDomainSnapshotPtr s = virDomainSnapshotLookupByName(dom, name, 0);
	virDomainSnapshotPtr same = NULL;
	_cleanup_free_ char *xml = NULL;

	if (s)
		xml = virDomainSnapshotGetXMLDesc(
			s, VIR_DOMAIN_SNAPSHOT_XML_SECURE);
	if (xml)
		same = virDomainSnapshotCreateXML(
			dom, xml,
			VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE |
				VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT);
	if (!same)
		say_failed(ctl, NULL);
	else
		say(ctl, "Snapshot %s set as current", name);
	if (s)
		virDomainSnapshotFree(s);
	if (same)
		virDomainSnapshotFree(same);
	return same ? EXIT_OK : EXIT_FAILED;
}

static int show_current(struct ctl *ctl, const struct args *args,
			virDomainSnapshotPtr s)
{
	const char *name = virDomainSnapshotGetName(s);
	unsigned int flags = args_has(args, "security-info") ?
				     VIR_DOMAIN_SNAPSHOT_XML_SECURE :
				     0;

	if (!args_has(args, "name"))
		return xml_show(ctl, args,
				virDomainSnapshotGetXMLDesc(s, flags));
	if (ctl->output == OUTPUT_TABLE)
		printf("%s", name);
	else
		say_value(ctl, "name", name);
	return EXIT_OK;
}

static int run_snapshot_current(struct ctl *ctl, const struct args *args,
				virDomainPtr dom)
{
	virDomainSnapshotPtr s;
	int has, status;

	if (args_exclusive(args, "name", "snapshotname") < 0)
		return EXIT_FAILED;
	if (args_has(args, "snapshotname"))
		return set_current(ctl, args, dom);
	has = virDomainHasCurrentSnapshot(dom, 0);
	if (!has) {
		say_error("domain '%s' has no current snapshot",
			  virDomainGetName(dom));
		return EXIT_FAILED;
	}
	s = has < 0 ? NULL : virDomainSnapshotCurrent(dom, 0);
	if (!s)
		return say_failed(ctl, NULL);
	status = show_current(ctl, args, s);
	virDomainSnapshotFree(s);
	return status;
}

/* ---- delete and revert ---- */

static int run_snapshot_delete(struct ctl *ctl, const struct args *args,
			       virDomainPtr dom)
{
	static const struct flag_option flags[] = {
		{ "children", VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN },
		{ "children-only", VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY },
		{ "metadata", VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY },
		{ NULL },
	};
	virDomainSnapshotPtr s = snapshot_find(ctl, args, dom);
	const char *name;
	int r;

	if (!s)
		return EXIT_FAILED;
	name = virDomainSnapshotGetName(s);
	r = virDomainSnapshotDelete(s, args_flags(args, flags));
	if (r < 0)
		say_failed(ctl, "Failed to delete snapshot %s", name);
	else
		say(ctl, "Domain snapshot %s %sdeleted\n", name,
		    args_has(args, "children-only") ? "children " : "");
	virDomainSnapshotFree(s);
	return r < 0 ? EXIT_FAILED : EXIT_OK;
}

/* Force is used where it is needed, not because it was allowed. */
static int revert(virDomainSnapshotPtr s, unsigned int flags, bool force)
{
	int r = virDomainRevertToSnapshot(s, flags);
	virErrorPtr e = r < 0 ? virGetLastError() : NULL;

	if (!force || !e || e->code != VIR_ERR_SNAPSHOT_REVERT_RISKY)
		return r;
	return virDomainRevertToSnapshot(
		s, flags | VIR_DOMAIN_SNAPSHOT_REVERT_FORCE);
}

static int run_snapshot_revert(struct ctl *ctl, const struct args *args,
			       virDomainPtr dom)
{
	static const struct flag_option flags[] = {
		{ "running", VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING },
		{ "paused", VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED },
		{ "reset-nvram", VIR_DOMAIN_SNAPSHOT_REVERT_RESET_NVRAM },
		{ NULL },
	};
	virDomainSnapshotPtr s = snapshot_find(ctl, args, dom);
	const char *name;
	int r;

	if (!s)
		return EXIT_FAILED;
	name = virDomainSnapshotGetName(s);
	r = revert(s, args_flags(args, flags), args_has(args, "force"));
	if (r < 0)
		say_failed(ctl, "Failed to revert snapshot %s", name);
	else
		say(ctl, "Domain snapshot %s reverted\n", name);
	virDomainSnapshotFree(s);
	return r < 0 ? EXIT_FAILED : EXIT_OK;
}

/* ---- edit ---- */

struct editing {
	virDomainSnapshotPtr snapshot;
	bool current, rename, clone;
};

static char *get_xml(void *object)
{
	struct editing *e = object;

	return virDomainSnapshotGetXMLDesc(e->snapshot,
					   VIR_DOMAIN_SNAPSHOT_XML_SECURE);
}

/* 0, or -ECANCELED: another name without leave to change it, said so. */
static int check_name(const struct editing *e, const char *old, const char *xml)
{
	_cleanup_xml_ struct xml x = { NULL };
	_cleanup_free_ char *name = NULL;

	if (e->rename || e->clone)
		return 0;
	if (xml_open(&x, xml) < 0)
		return -ECANCELED;
	name = xml_string(&x, NULL, "./name");
	if (!name || str_eq(name, old))
		return 0;
	say_error("must use --rename or --clone to change %s to %s", old, name);
	return -ECANCELED;
}

static int redefine(struct ctl *ctl, void *object, const char *xml)
{
	struct editing *e = object;
	const char *old = virDomainSnapshotGetName(e->snapshot), *name;
	virDomainSnapshotPtr s;
	int r = check_name(e, old, xml);

	if (r < 0)
		return r;
	s = virDomainSnapshotCreateXML(
		virDomainSnapshotGetDomain(e->snapshot), xml,
		VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE |
			(e->current ? VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT : 0));
	if (!s)
		return -1;
	name = virDomainSnapshotGetName(s);
	if (str_eq(name, old))
		say(ctl, "Snapshot %s edited.\n", name);
	else if (e->clone)
		say(ctl, "Snapshot %s cloned to %s.\n", old, name);
	else
		r = virDomainSnapshotDelete(
			e->snapshot, VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY);
	virDomainSnapshotFree(s);
	return r;
}

static int run_snapshot_edit(struct ctl *ctl, const struct args *args,
			     virDomainPtr dom)
{
	static const struct edit edit = {
		get_xml, redefine,
		"Snapshot %s XML configuration not changed.\n", NULL
	};
	struct editing e = { .current = args_has(args, "snapshotname") &&
					args_has(args, "current"),
			     .rename = args_has(args, "rename"),
			     .clone = args_has(args, "clone") };
	const char *name;
	int status;

	if (args_exclusive(args, "rename", "clone") < 0)
		return EXIT_FAILED;
	e.snapshot = args_has(args, "snapshotname") ?
			     snapshot_named(ctl, dom,
					    args_get(args, "snapshotname")) :
			     snapshot_find(ctl, args, dom);
	if (!e.snapshot)
		return EXIT_FAILED;
	name = virDomainSnapshotGetName(e.snapshot);
	status = edit_object(ctl, &edit, &e, name);
	if (status != EXIT_OK)
		say_error("Failed to update %s", name);
	virDomainSnapshotFree(e.snapshot);
	return status;
}

#define OPTS_CREATE                                                          \
	FLAG("no-metadata"), FLAG("halt", "stop the guest afterwards"),      \
		FLAG("disk-only", "the disks only, not the guest's memory"), \
		FLAG("reuse-external"), FLAG("quiesce"), FLAG("atomic"),     \
		FLAG("live", "let the guest run meanwhile"), FLAG("validate")
#define OPT_CURRENT FLAG("current", "the current snapshot")

const struct command family_snapshot[] = {
	{ .name = "snapshot-create",
	  .group = "snapshot",
	  .summary = "create a snapshot from XML",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), STRING("xmlfile"),
		       FLAG("redefine"),
		       FLAG("current", "with --redefine: it becomes current"),
		       OPTS_CREATE),
	  .on_domain = run_snapshot_create },
	{ .name = "snapshot-create-as",
	  .group = "snapshot",
	  .summary = "create a snapshot from options",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), STRING("name"),
		       STRING("description"), FLAG("print-xml"), OPTS_CREATE,
		       NAMED("memspec", "[file=]name[,snapshot=type]"),
		       REST("diskspec")),
	  .on_domain = run_snapshot_create_as },
	{ .name = "snapshot-current",
	  .group = "snapshot",
	  .summary = "show the current snapshot, or make another current",
	  .opts = OPTS(OPT_DOMAIN(complete_domains),
		       FLAG("name", "the name, not the XML"),
		       FLAG("security-info"),
		       STRING("snapshotname", "the one to make current")),
	  .on_domain = run_snapshot_current },
	{ .name = "snapshot-delete",
	  .group = "snapshot",
	  .summary = "delete a snapshot",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), STRING("snapshotname"),
		       OPT_CURRENT, FLAG("children"), FLAG("children-only"),
		       FLAG("metadata")),
	  .on_domain = run_snapshot_delete },
	{ .name = "snapshot-edit",
	  .group = "snapshot",
	  .summary = "edit the XML of a snapshot",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), STRING("snapshotname"),
		       FLAG("current", "the current one; with a name: make "
				       "that current"),
		       FLAG("rename", "the name may change"),
		       FLAG("clone", "another name makes another snapshot")),
	  .on_domain = run_snapshot_edit },
	{ .name = "snapshot-revert",
	  .group = "snapshot",
	  .summary = "revert a domain to a snapshot",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), STRING("snapshotname"),
		       OPT_CURRENT, FLAG("running"), FLAG("paused"),
		       FLAG("force", "even where something may be lost"),
		       FLAG("reset-nvram")),
	  .on_domain = run_snapshot_revert },
	{ NULL },
};
