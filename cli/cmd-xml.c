/*
 * cli/cmd-xml.c -- the XML of domains edited and translated; metadata.
 */
#include <string.h>

#include "cli/args.h"
#include "cli/edit.h"
#include "cli/output.h"
#include "cli/xml.h"

struct definition {
	virDomainPtr dom;
	unsigned int flags;
};

static char *get_definition(void *object)
{
	struct definition *d = object;

	return virDomainGetXMLDesc(d->dom, VIR_DOMAIN_XML_SECURE |
						   VIR_DOMAIN_XML_INACTIVE);
}

static int define(struct ctl *ctl, void *object, const char *xml)
{
	struct definition *d = object;
	virDomainPtr new = virDomainDefineXMLFlags(ctl->conn, xml, d->flags);

	if (!new)
		return -1;
	virDomainFree(new);
	return 0;
}

static int run_edit(struct ctl *ctl, const struct args *args, virDomainPtr dom)
{
	static const struct edit edit = {
		get_definition, define,
		"Domain '%s' XML configuration not changed.\n",
		"Domain '%s' XML configuration edited.\n"
	};
	struct definition d = { dom, args_has(args, "skip-validate")
					     ? 0
					     : VIR_DOMAIN_DEFINE_VALIDATE };

	return edit_object(ctl, &edit, &d, virDomainGetName(dom));
}

/* ---- other formats ---- */

static int show(struct ctl *ctl, char *text)
{
	_cleanup_free_ char *owned = text;

	if (!text)
		return say_failed(ctl, NULL);
	fputs(text, stdout);
	return EXIT_OK;
}

static int run_domxml_from_native(struct ctl *ctl, const struct args *args)
{
	_cleanup_free_ char *config = args_file(args, "config");

	if (!config)
		return EXIT_FAILED;
	return show(ctl, virConnectDomainXMLFromNative(ctl->conn,
						       args_get(args, "format"),
						       config, 0));
}

static int run_domxml_to_native(struct ctl *ctl, const struct args *args)
{
	const char *name = args_get(args, "domain");
	_cleanup_free_ char *xml = NULL;
	virDomainPtr dom;

	if (args_exclusive(args, "domain", "xml") < 0)
		return EXIT_FAILED;
	if (name) {
		dom = ctl_domain_named(ctl, name);
		if (!dom)
			return EXIT_FAILED;
		xml = virDomainGetXMLDesc(dom, 0);
		virDomainFree(dom);
	} else if (args_has(args, "xml")) {
		xml = args_file(args, "xml");
		if (!xml)
			return EXIT_FAILED;
	} else {
		say_error("need either domain or domain XML");
		return EXIT_FAILED;
	}
	if (!xml)
		return say_failed(ctl, "failed to retrieve XML");
	return show(ctl, virConnectDomainXMLToNative(
				 ctl->conn, args_get(args, "format"), xml, 0));
}

/* ---- metadata ---- */

struct metadata {
	virDomainPtr dom;
	const char *key, *uri;
	unsigned int flags;
};

static char *get_metadata(void *object)
{
	struct metadata *m = object;
	char *text = virDomainGetMetadata(m->dom, VIR_DOMAIN_METADATA_ELEMENT,
					  m->uri, m->flags);

	return text ? text : xstrdup("\n");
}

static int set_metadata(struct ctl *ctl, void *object, const char *xml)
{
	struct metadata *m = object;

	(void)ctl;
	return virDomainSetMetadata(m->dom, VIR_DOMAIN_METADATA_ELEMENT, xml,
				    m->key, m->uri, m->flags);
}

static int run_metadata(struct ctl *ctl, const struct args *args,
			virDomainPtr dom)
{
	static const struct edit edit = { get_metadata, set_metadata,
					  "Metadata not changed",
					  "Metadata modified\n" };
	bool remove = args_has(args, "remove");
	struct metadata m = { dom, args_get(args, "key"), args_get(args, "uri"),
			      0 };
	const char *set = args_get(args, "set");
	_cleanup_free_ char *text = NULL;

	if (args_affect(args, &m.flags) < 0 ||
	    args_exclusive(args, "edit", "set") < 0 ||
	    args_exclusive(args, "remove", "set") < 0 ||
	    args_exclusive(args, "remove", "edit") < 0)
		return EXIT_FAILED;
	if ((set || args_has(args, "edit")) && !m.key) {
		say_error("namespace key is required when modifying metadata");
		return EXIT_FAILED;
	}
	if (args_has(args, "edit"))
		return edit_object(ctl, &edit, &m, "");
	if (set || remove) {
		if (set_metadata(ctl, &m, set) < 0)
			return say_failed(ctl, NULL);
		say(ctl, "Metadata %s\n", remove ? "removed" : "modified");
		return EXIT_OK;
	}
	text = virDomainGetMetadata(dom, VIR_DOMAIN_METADATA_ELEMENT, m.uri,
				    m.flags);
	if (!text)
		return say_failed(ctl, NULL);
	printf("%s\n", text);
	return EXIT_OK;
}

static int run_setmaxmem(struct ctl *ctl, const struct args *args,
			 virDomainPtr dom)
{
	unsigned long long size;
	unsigned int flags;

	if (args_affect(args, &flags) < 0 ||
	    args_size(args, "size", KIB, &size) < 0)
		return EXIT_FAILED;
	if ((flags || args_has(args, "current")
		     ? virDomainSetMemoryFlags(dom, size / KIB,
					       flags | VIR_DOMAIN_MEM_MAXIMUM)
		     : virDomainSetMaxMemory(dom, size / KIB)) < 0)
		return say_failed(ctl, "Unable to change MaxMemorySize");
	return EXIT_OK;
}

const struct command family_xml[] = {
	{ .name = "edit",
	  .group = "domain",
	  .summary = "edit the XML of a domain",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), FLAG("skip-validate")),
	  .on_domain = run_edit },
	{ .name = "domxml-from-native",
	  .group = "domain",
	  .summary = "translate a configuration to XML",
	  .opts = OPTS(DATA("format", "format of the configuration"),
		       DATA("config", "file with the configuration")),
	  .run = run_domxml_from_native },
	{ .name = "domxml-to-native",
	  .group = "domain",
	  .summary = "translate XML to a configuration",
	  .opts = OPTS(DATA("format", "format of the configuration"),
		       { .name = "domain",
			 .help = "",
			 .kind = OPT_STRING,
			 .by_name = true },
		       STRING("xml")),
	  .run = run_domxml_to_native },
	{ .name = "metadata",
	  .group = "domain",
	  .summary = "read or set metadata of applications",
	  .opts = OPTS(OPT_DOMAIN(complete_domains), DATA("uri"), OPTS_AFFECT,
		       FLAG("edit", "edit it"), STRING("key"),
		       STRING("set", "the new XML"), FLAG("remove")),
	  .on_domain = run_metadata },
	{ .name = "setmaxmem",
	  .group = "domain",
	  .summary = "set the most memory that a domain can have",
	  .opts = OPTS(
		  OPT_DOMAIN(complete_domains),
		  DATA_NUMBER("size", "new size, KiB unless it has a unit"),
		  OPTS_AFFECT),
	  .on_domain = run_setmaxmem },
	{ NULL },
};
