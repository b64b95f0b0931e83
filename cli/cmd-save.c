/*
 * cli/cmd-save.c -- domains saved to files, dumped, and the jobs meanwhile.
 */
#include <fcntl.h>
#include <string.h>

#include "cli/args.h"
#include "cli/edit.h"
#include "cli/job.h"
#include "cli/output.h"
#include "cli/params.h"
#include "cli/xml.h"

static const struct flag_option state_flags[] = {
	{ "bypass-cache", VIR_DOMAIN_SAVE_BYPASS_CACHE },
	{ "running", VIR_DOMAIN_SAVE_RUNNING },
	{ "paused", VIR_DOMAIN_SAVE_PAUSED },
	{ "reset-nvram", VIR_DOMAIN_SAVE_RESET_NVRAM },
	{ NULL },
};

/* The XML of the option "xml", if it is given: -1: said why. */
static int read_new_xml(const struct args *args, char **ret)
{
	if (!args_has(args, "xml"))
		return 0;
	*ret = args_file(args, "xml");
	return *ret ? 0 : -1;
}

/* libvirt keeps relative names to the daemon's folder: not what is meant. */
static char *absolute(const char *path)
{
	_cleanup_free_ char *cwd = NULL;

	if (*path == '/')
		return xstrdup(path);
	cwd = getcwd(NULL, 0);
	return xasprintf("%s/%s", cwd ? cwd : "", path);
}

/* ---- save and restore ---- */

struct save {
	const struct args *args;
	const char *file, *xml;
};

static int save_job(virDomainPtr dom, void *arg)
{
	struct save *s = arg;
	unsigned int flags = args_flags(s->args, state_flags);

	return flags || s->xml ? virDomainSaveFlags(dom, s->file, s->xml, flags)
			       : virDomainSave(dom, s->file);
}

static int run_save(struct ctl *ctl, const struct args *args, virDomainPtr dom)
{
	_cleanup_free_ char *file = absolute(args_get(args, "file"));
	_cleanup_free_ char *xml = NULL;
	struct save s = { args, file, NULL };

	if (read_new_xml(args, &xml) < 0)
		return EXIT_FAILED;
	s.xml = xml;
	if (job_run(ctl, dom, args_has(args, "verbose"), "Save", save_job, &s) <
	    0)
		return say_failed(ctl, "Failed to save domain '%s' to %s",
				  args_get(args, "domain"),
				  args_get(args, "file"));
	say(ctl, "\nDomain '%s' saved to %s\n", args_get(args, "domain"),
	    args_get(args, "file"));
	return EXIT_OK;
}

static int run_restore(struct ctl *ctl, const struct args *args)
{
	unsigned int flags = args_flags(args, state_flags);
	_cleanup_free_ char *file = absolute(args_get(args, "file"));
	_cleanup_free_ char *xml = NULL;

	if (read_new_xml(args, &xml) < 0)
		return EXIT_FAILED;
	if ((flags || xml ? virDomainRestoreFlags(ctl->conn, file, xml, flags)
			  : virDomainRestore(ctl->conn, file)) < 0)
		return say_failed(ctl, "Failed to restore domain from %s",
				  args_get(args, "file"));
	say(ctl, "Domain restored from %s\n", args_get(args, "file"));
	return EXIT_OK;
}

static int managed_save_job(virDomainPtr dom, void *arg)
{
	return virDomainManagedSave(dom, *(unsigned int *)arg);
}

static int run_managedsave(struct ctl *ctl, const struct args *args,
			   virDomainPtr dom)
{
	unsigned int flags = args_flags(args, state_flags);

	if (job_run(ctl, dom, args_has(args, "verbose"), "Managedsave",
		    managed_save_job, &flags) < 0)
		return say_failed(ctl, "Failed to save domain '%s' state",
				  args_get(args, "domain"));
	say(ctl, "\nDomain '%s' state saved by libvirt\n",
	    args_get(args, "domain"));
	return EXIT_OK;
}

static int run_managedsave_remove(struct ctl *ctl, const struct args *args,
				  virDomainPtr dom)
{
	const char *name = args_get(args, "domain");
	int has = virDomainHasManagedSaveImage(dom, 0);

	if (has < 0)
		return say_failed(ctl, "Failed to check for domain managed "
				       "save image");
	if (!has) {
		say(ctl,
		    "Domain '%s' has no manage save image; removal skipped",
		    name);
		return EXIT_OK;
	}
	if (virDomainManagedSaveRemove(dom, 0) < 0)
		return say_failed(
			ctl,
			"Failed to remove managed save image for domain '%s'",
			name);
	say(ctl, "Removed managedsave image for domain '%s'", name);
	return EXIT_OK;
}

/* ---- the XML in saved images ---- */

static unsigned int secure(const struct args *args)
{
	return args_has(args, "security-info")
		       ? VIR_DOMAIN_SAVE_IMAGE_XML_SECURE
		       : 0;
}

static int run_save_image_dumpxml(struct ctl *ctl, const struct args *args)
{
	return xml_show(ctl, args,
			virDomainSaveImageGetXMLDesc(ctl->conn,
						     args_get(args, "file"),
						     secure(args)));
}

static int run_managedsave_dumpxml(struct ctl *ctl, const struct args *args,
				   virDomainPtr dom)
{
	return xml_show(ctl, args,
			virDomainManagedSaveGetXMLDesc(dom, secure(args)));
}

static int run_save_image_define(struct ctl *ctl, const struct args *args)
{
	const char *file = args_get(args, "file");
	_cleanup_free_ char *xml = args_file(args, "xml");

	if (!xml)
		return EXIT_FAILED;
	if (virDomainSaveImageDefineXML(ctl->conn, file, xml,
					args_flags(args, state_flags)) < 0)
		return say_failed(ctl, "Failed to update %s", file);
	say(ctl, "State file %s updated.\n", file);
	return EXIT_OK;
}

static int run_managedsave_define(struct ctl *ctl, const struct args *args,
				  virDomainPtr dom)
{
	_cleanup_free_ char *xml = args_file(args, "xml");

	if (!xml)
		return EXIT_FAILED;
	if (virDomainManagedSaveDefineXML(dom, xml,
					  args_flags(args, state_flags)) < 0)
		return say_failed(ctl, "Failed to update %s XML configuration",
				  args_get(args, "domain"));
	say(ctl, "Managed save state file of domain '%s' updated.\n",
	    virDomainGetName(dom));
	return EXIT_OK;
}

struct image {
	struct ctl *ctl;
	const struct args *args;
	virDomainPtr dom;
};

static char *image_xml(void *object)
{
	struct image *i = object;

	return i->dom ? virDomainManagedSaveGetXMLDesc(
				i->dom, VIR_DOMAIN_SAVE_IMAGE_XML_SECURE)
		      : virDomainSaveImageGetXMLDesc(
				i->ctl->conn, args_get(i->args, "file"),
				VIR_DOMAIN_SAVE_IMAGE_XML_SECURE);
}

static int define_image(struct ctl *ctl, void *object, const char *xml)
{
	struct image *i = object;
	unsigned int flags = args_flags(i->args, state_flags);

	return i->dom ? virDomainManagedSaveDefineXML(i->dom, xml, flags)
		      : virDomainSaveImageDefineXML(ctl->conn,
						    args_get(i->args, "file"),
						    xml, flags);
}

static int run_save_image_edit(struct ctl *ctl, const struct args *args)
{
	static const struct edit edit = {
		image_xml, define_image,
		"Saved image %s XML configuration not changed.\n",
		"State file %s edited.\n"
	};
	struct image i = { ctl, args, NULL };

	return edit_object(ctl, &edit, &i, args_get(args, "file"));
}

static int run_managedsave_edit(struct ctl *ctl, const struct args *args,
				virDomainPtr dom)
{
	static const struct edit edit = {
		image_xml, define_image,
		"Managed save image of domain '%s' XML configuration not "
		"changed.\n",
		"Managed save image of Domain '%s' XML configuration edited.\n"
	};
	struct image i = { ctl, args, dom };

	return edit_object(ctl, &edit, &i, virDomainGetName(dom));
}

/* ---- dump ---- */

struct dump {
	const char *file;
	unsigned int format, flags;
};

static int dump_job(virDomainPtr dom, void *arg)
{
	struct dump *d = arg;

	return d->format ? virDomainCoreDumpWithFormat(dom, d->file, d->format,
						       d->flags)
			 : virDomainCoreDump(dom, d->file, d->flags);
}

static int dump_format(const struct args *args, unsigned int *ret)
{
	static const char *const formats[] = { "elf", "kdump-zlib", "kdump-lzo",
					       "kdump-snappy", "win-dmp" };
	const char *format = args_get(args, "format");

	*ret = 0;
	if (!format)
		return 0;
	if (!args_has(args, "memory-only")) {
		say_error("--format only works with --memory-only");
		return -1;
	}
	while (*ret < ARRAY_SIZE(formats) && !str_eq(formats[*ret], format))
		++*ret;
	if (*ret < ARRAY_SIZE(formats))
		return 0;
	say_error("format '%s' is not supported, expecting 'kdump-zlib', "
		  "'kdump-lzo', 'kdump-snappy', 'win-dmp' or 'elf'",
		  format);
	return -1;
}

static int run_dump(struct ctl *ctl, const struct args *args, virDomainPtr dom)
{
	static const struct flag_option flags[] = {
		{ "live", VIR_DUMP_LIVE },
		{ "crash", VIR_DUMP_CRASH },
		{ "bypass-cache", VIR_DUMP_BYPASS_CACHE },
		{ "reset", VIR_DUMP_RESET },
		{ "memory-only", VIR_DUMP_MEMORY_ONLY },
		{ NULL },
	};
	_cleanup_free_ char *file = absolute(args_get(args, "file"));
	struct dump d = { file, 0, args_flags(args, flags) };

	if (args_exclusive(args, "live", "crash") < 0 ||
	    args_exclusive(args, "live", "reset") < 0 ||
	    args_exclusive(args, "crash", "reset") < 0 ||
	    dump_format(args, &d.format) < 0)
		return EXIT_FAILED;
	if (job_run(ctl, dom, args_has(args, "verbose"), "Dump", dump_job, &d) <
	    0)
		return say_failed(ctl, "Failed to core dump domain '%s' to %s",
				  args_get(args, "domain"),
				  args_get(args, "file"));
	say(ctl, "\nDomain '%s' dumped to %s\n", args_get(args, "domain"),
	    args_get(args, "file"));
	return EXIT_OK;
}

/* ---- jobs ---- */

static int run_domjobabort(struct ctl *ctl, const struct args *args,
			   virDomainPtr dom)
{
	int r = args_has(args, "postcopy")
			? virDomainAbortJobFlags(dom,
						 VIR_DOMAIN_ABORT_JOB_POSTCOPY)
			: virDomainAbortJob(dom);

	return r < 0 ? say_failed(ctl, NULL) : EXIT_OK;
}

static const char *const job_types[] = { "None",      "Bounded", "Unbounded",
					 "Completed", "Failed",	 "Cancelled" };
static const char *const operations[] = { "Unknown",
					  "Start",
					  "Save",
					  "Restore",
					  "Incoming migration",
					  "Outgoing migration",
					  "Snapshot",
					  "Snapshot revert",
					  "Dump",
					  "Backup",
					  "Snapshot delete" };

/* How a field of a job is shown, in virsh's order. */
static const struct job_field {
	const char *field, *label;
	enum { JOB_MS, JOB_BYTES, JOB_RATE, JOB_COUNT, JOB_UNIT } kind;
	const char *unit;
	const char *of; /* only when this total is not 0 */
} job_fields[] = {
#define F(f) VIR_DOMAIN_JOB_##f
	{ F(TIME_ELAPSED), "Time elapsed:", JOB_MS, NULL, NULL },
	{ F(TIME_ELAPSED_NET), "Time elapsed w/o network:", JOB_MS, NULL,
	  NULL },
	{ F(TIME_REMAINING), "Time remaining:", JOB_MS, NULL, "bounded" },
	{ F(DATA_PROCESSED), "Data processed:", JOB_BYTES, NULL,
	  F(DATA_TOTAL) },
	{ F(DATA_REMAINING), "Data remaining:", JOB_BYTES, NULL,
	  F(DATA_TOTAL) },
	{ F(DATA_TOTAL), "Data total:", JOB_BYTES, NULL, F(DATA_TOTAL) },
	{ F(MEMORY_PROCESSED), "Memory processed:", JOB_BYTES, NULL,
	  F(MEMORY_TOTAL) },
	{ F(MEMORY_REMAINING), "Memory remaining:", JOB_BYTES, NULL,
	  F(MEMORY_TOTAL) },
	{ F(MEMORY_TOTAL), "Memory total:", JOB_BYTES, NULL, F(MEMORY_TOTAL) },
	{ F(MEMORY_BPS), "Memory bandwidth:", JOB_RATE, NULL, F(MEMORY_TOTAL) },
	{ F(MEMORY_DIRTY_RATE), "Dirty rate:", JOB_UNIT, "pages/s",
	  F(MEMORY_TOTAL) },
	{ F(MEMORY_PAGE_SIZE), "Page size:", JOB_UNIT, "bytes",
	  F(MEMORY_TOTAL) },
	{ F(MEMORY_ITERATION), "Iteration:", JOB_COUNT, NULL, F(MEMORY_TOTAL) },
	{ F(MEMORY_POSTCOPY_REQS), "Postcopy requests:", JOB_COUNT, NULL,
	  F(MEMORY_TOTAL) },
	{ F(DISK_PROCESSED), "File processed:", JOB_BYTES, NULL,
	  F(DISK_TOTAL) },
	{ F(DISK_REMAINING), "File remaining:", JOB_BYTES, NULL,
	  F(DISK_TOTAL) },
	{ F(DISK_TOTAL), "File total:", JOB_BYTES, NULL, F(DISK_TOTAL) },
	{ F(DISK_BPS), "File bandwidth:", JOB_RATE, NULL, F(DISK_TOTAL) },
	{ F(MEMORY_CONSTANT), "Constant pages:", JOB_COUNT, NULL, NULL },
	{ F(MEMORY_NORMAL), "Normal pages:", JOB_COUNT, NULL, NULL },
	{ F(MEMORY_NORMAL_BYTES), "Normal data:", JOB_BYTES, NULL, NULL },
	{ F(DOWNTIME), "Total downtime:", JOB_MS, NULL, NULL },
	{ F(DOWNTIME_NET), "Downtime w/o network:", JOB_MS, NULL, NULL },
	{ F(SETUP_TIME), "Setup time:", JOB_MS, NULL, NULL },
	{ F(COMPRESSION_CACHE), "Compression cache:", JOB_BYTES, NULL, NULL },
	{ F(COMPRESSION_BYTES), "Compressed data:", JOB_BYTES, NULL, NULL },
	{ F(COMPRESSION_PAGES), "Compressed pages:", JOB_COUNT, NULL, NULL },
	{ F(COMPRESSION_CACHE_MISSES), "Compression cache misses:", JOB_COUNT,
	  NULL, NULL },
	{ F(COMPRESSION_OVERFLOW), "Compression overflows:", JOB_COUNT, NULL,
	  NULL },
	{ F(AUTO_CONVERGE_THROTTLE), "Auto converge throttle:", JOB_COUNT, NULL,
	  NULL },
	{ F(DISK_TEMP_USED), "Temporary disk space use:", JOB_BYTES, NULL,
	  NULL },
	{ F(DISK_TEMP_TOTAL), "Temporary disk space total:", JOB_BYTES, NULL,
	  NULL },
#undef F
};

static bool job_value(const struct params *p, const char *field,
		      unsigned long long *ret)
{
	int v;

	*ret = 0;
	if (virTypedParamsGetULLong(p->v, p->n, field, ret) > 0)
		return true;
	if (virTypedParamsGetInt(p->v, p->n, field, &v) <= 0)
		return false;
	*ret = (unsigned long long)v;
	return true;
}

static void add_job_field(struct record *r, const struct params *p,
			  const struct job_field *f, int type)
{
	unsigned long long v, total;
	const char *unit;
	double d;

	if (!job_value(p, f->field, &v))
		return;
	if (str_eq(f->of, "bounded") && type != VIR_DOMAIN_JOB_BOUNDED)
		return;
	if (f->of && !str_eq(f->of, "bounded") &&
	    (!job_value(p, f->of, &total) || !total))
		return;
	d = job_scale(v, &unit);
	switch (f->kind) {
	case JOB_MS:
		record_add(r, f->label, f->field, false, "%-12llu ms", v);
		break;
	case JOB_BYTES:
		record_add(r, f->label, f->field, false, "%-.3f %s", d, unit);
		break;
	case JOB_RATE:
		record_add(r, f->label, f->field, false, "%-.3f %s/s", d, unit);
		break;
	case JOB_UNIT:
		record_add(r, f->label, f->field, false, "%-12llu %s", v,
			   f->unit);
		break;
	default:
		record_add(r, f->label, f->field, true, "%-12llu", v);
	}
}

static void print_job(struct ctl *ctl, const struct params *p, int type)
{
	struct record *r = record_new();
	const char *message = NULL;
	int op = 0;

	record_add(r, "Job type:", "type", false, "%-12s",
		   (size_t)type < ARRAY_SIZE(job_types) ? job_types[type]
							: "unknown");
	if (type != VIR_DOMAIN_JOB_NONE) {
		virTypedParamsGetInt(p->v, p->n, VIR_DOMAIN_JOB_OPERATION, &op);
		record_add(r, "Operation:", "operation", false, "%-12s",
			   (size_t)op < ARRAY_SIZE(operations) ? operations[op]
							       : "unknown");
		for (size_t i = 0; i < ARRAY_SIZE(job_fields); i++)
			add_job_field(r, p, &job_fields[i], type);
		if (virTypedParamsGetString(p->v, p->n, VIR_DOMAIN_JOB_ERRMSG,
					    &message) > 0)
			record_add(r, "Error message:", "error", false, "%s",
				   message);
	}
	record_print_as(r, ctl, "", 17, " ");
}

static int run_domjobinfo(struct ctl *ctl, const struct args *args,
			  virDomainPtr dom)
{
	static const struct flag_option flags[] = {
		{ "completed", VIR_DOMAIN_JOB_STATS_COMPLETED },
		{ "keep-completed",
		  VIR_DOMAIN_JOB_STATS_COMPLETED |
			  VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED },
		{ NULL },
	};
	_cleanup_params_ struct params p = { NULL };
	virDomainJobInfo old;
	int type;

	if (virDomainGetJobStats(dom, &type, &p.v, &p.n,
				 args_flags(args, flags)) < 0) {
		/* An older hypervisor has the older call only. */
		if (virGetLastErrorCode() != VIR_ERR_NO_SUPPORT ||
		    virDomainGetJobInfo(dom, &old) < 0)
			return say_failed(ctl, NULL);
		type = old.type;
	}
	if (!args_has(args, "rawstats")) {
		print_job(ctl, &p, type);
		return EXIT_OK;
	}
	if (ctl->output == OUTPUT_TABLE)
		printf("Job type: %d\n\n", type);
	params_print(ctl, &p, "", 0, ": ");
	return EXIT_OK;
}

const struct command family_save[] = {
	{ .name = "save",
	  .group = "domain",
	  .summary = "save a running domain to a file",
	  .opts = OPTS(OPT_DOMAIN(complete_active),
		       DATA("file", "where it goes"), FLAG("bypass-cache"),
		       STRING("xml", "file with the XML it is restored with"),
		       FLAG("running"), FLAG("paused"), FLAG("verbose")),
	  .on_domain = run_save },
	{ .name = "restore",
	  .group = "domain",
	  .summary = "restore a domain from a file",
	  .opts = OPTS(DATA("file", "where it is"), FLAG("bypass-cache"),
		       STRING("xml", "file with other XML"), FLAG("running"),
		       FLAG("paused"), FLAG("reset-nvram")),
	  .run = run_restore },
	{ .name = "managedsave",
	  .group = "domain",
	  .summary = "save a domain where start finds it",
	  .opts = OPTS(OPT_DOMAIN(complete_active), FLAG("bypass-cache"),
		       FLAG("running"), FLAG("paused"), FLAG("verbose")),
	  .on_domain = run_managedsave },
	{ .name = "managedsave-remove",
	  .group = "domain",
	  .summary = "forget what managedsave saved",
	  .opts = OPTS(OPT_DOMAIN(complete_domains)),
	  .on_domain = run_managedsave_remove },
	{ .name = "managedsave-define",
	  .group = "domain",
	  .summary = "replace the XML of what managedsave saved",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), DATA("xml"),
		       FLAG("running"), FLAG("paused")),
	  .on_domain = run_managedsave_define },
	{ .name = "managedsave-dumpxml",
	  .group = "domain",
	  .summary = "the XML of what managedsave saved",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), FLAG("security-info"),
		       NAMED("xpath"), FLAG("wrap")),
	  .on_domain = run_managedsave_dumpxml },
	{ .name = "managedsave-edit",
	  .group = "domain",
	  .summary = "edit the XML of what managedsave saved",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), FLAG("running"),
		       FLAG("paused")),
	  .on_domain = run_managedsave_edit },
	{ .name = "save-image-define",
	  .group = "domain",
	  .summary = "replace the XML in a saved file",
	  .opts = OPTS(DATA("file", "the saved file"), DATA("xml"),
		       FLAG("running"), FLAG("paused")),
	  .run = run_save_image_define },
	{ .name = "save-image-dumpxml",
	  .group = "domain",
	  .summary = "the XML in a saved file",
	  .opts = OPTS(DATA("file", "the saved file"), FLAG("security-info"),
		       NAMED("xpath"), FLAG("wrap")),
	  .run = run_save_image_dumpxml },
	{ .name = "save-image-edit",
	  .group = "domain",
	  .summary = "edit the XML in a saved file",
	  .opts = OPTS(DATA("file", "the saved file"), FLAG("running"),
		       FLAG("paused")),
	  .run = run_save_image_edit },
	{ .name = "dump",
	  .group = "domain",
	  .summary = "dump the memory of a domain to a file",
	  .opts = OPTS(OPT_DOMAIN(complete_active),
		       DATA("file", "where it goes"),
		       FLAG("live", "let the guest run meanwhile"),
		       FLAG("crash"), FLAG("bypass-cache"),
		       FLAG("reset", "reset the guest afterwards"),
		       FLAG("verbose"), FLAG("memory-only"),
		       STRING("format", "elf, kdump-zlib, kdump-lzo, "
					"kdump-snappy or win-dmp")),
	  .on_domain = run_dump },
	{ .name = "domjobabort",
	  .group = "domain",
	  .summary = "stop the job of a domain",
	  .opts = OPTS(OPT_DOMAIN(complete_active),
		       FLAG("postcopy", "break a migration in post-copy")),
	  .on_domain = run_domjobabort },
	{ .name = "domjobinfo",
	  .group = "domain",
	  .summary = "what the job of a domain does",
	  .opts = OPTS(OPT_DOMAIN(complete_active), FLAG("completed"),
		       FLAG("keep-completed"), FLAG("anystats"),
		       FLAG("rawstats")),
	  .on_domain = run_domjobinfo },
	{ NULL },
};
