/*
 * cli/cmd-create.c -- create a domain from an XML file.
 */
#include "cli/domain-action.h"
#include "cli/output.h"

static const struct flag_option flags[] = {
	{ "paused", VIR_DOMAIN_START_PAUSED },
	{ "autodestroy", VIR_DOMAIN_START_AUTODESTROY },
	{ "validate", VIR_DOMAIN_START_VALIDATE },
	{ NULL },
};

static int run_create(struct ctl *ctl, const struct args *args)
{
	const char *file = args_get(args, "file");
	_cleanup_free_ char *xml = read_xml_file(file);
	virDomainPtr dom;

	if (!xml)
		return EXIT_FAILED;
	dom = virDomainCreateXML(ctl->conn, xml, args_flags(args, flags));
	if (!dom)
		return say_failed(ctl, "Failed to create domain from %s", file);
	say(ctl, "Domain '%s' created from %s\n", virDomainGetName(dom), file);
	virDomainFree(dom);
	return EXIT_OK;
}

const struct command cmd_create = {
	.name = "create",
	.group = "domain",
	.summary = "create a domain from an XML file",
	.details = "The domain is transient: it vanishes when it stops.",
	.opts = { { OPT_ARG, "file", "domain XML; '-' reads standard input" },
		  { OPT_FLAG, "paused", "leave the guest paused" },
		  { OPT_FLAG, "autodestroy",
		    "destroy the guest when vireo disconnects" },
		  { OPT_FLAG, "validate",
		    "check the XML against the schema" } },
	.run = run_create,
};
