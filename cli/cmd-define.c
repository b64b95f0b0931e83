/*
 * cli/cmd-define.c -- define a domain from an XML file.
 */
#include "cli/domain-action.h"
#include "cli/output.h"

static const struct flag_option flags[] = {
	{ "validate", VIR_DOMAIN_DEFINE_VALIDATE },
	{ NULL },
};

static int run_define(struct ctl *ctl, const struct args *args)
{
	const char *file = args_get(args, "file");
	_cleanup_free_ char *xml = read_xml_file(file);
	virDomainPtr dom;

	if (!xml)
		return EXIT_FAILED;
	dom = virDomainDefineXMLFlags(ctl->conn, xml, args_flags(args, flags));
	if (!dom)
		return say_failed(ctl, "Failed to define domain from %s", file);
	say(ctl, "Domain '%s' defined from %s\n", virDomainGetName(dom), file);
	virDomainFree(dom);
	return EXIT_OK;
}

const struct command cmd_define = {
	.name = "define",
	.group = "domain",
	.summary = "define a domain from an XML file",
	.details = "The domain becomes persistent; it is not started. A "
		   "definition of the same uuid is replaced.",
	.opts = { { OPT_ARG, "file", "domain XML; '-' reads standard input" },
		  { OPT_FLAG, "validate",
		    "check the XML against the schema" } },
	.run = run_define,
};
