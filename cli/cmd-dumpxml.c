/*
 * cli/cmd-dumpxml.c -- a domain's XML.
 */
#include <string.h>

#include "cli/domain-action.h"
#include "cli/output.h"

static const struct flag_option flags[] = {
	{ "inactive", VIR_DOMAIN_XML_INACTIVE },
	{ "security-info", VIR_DOMAIN_XML_SECURE },
	{ "update-cpu", VIR_DOMAIN_XML_UPDATE_CPU },
	{ "migratable", VIR_DOMAIN_XML_MIGRATABLE },
	{ NULL },
};

/* The text ends its last line itself; say_value() does too. */
static void strip_newline(char *text)
{
	size_t n = strlen(text);

	if (n && text[n - 1] == '\n')
		text[n - 1] = '\0';
}

static int run_dumpxml(struct ctl *ctl, const struct args *args)
{
	virDomainPtr dom = ctl_domain(ctl, args);
	_cleanup_free_ char *xml = NULL;

	if (!dom)
		return EXIT_FAILED;
	xml = virDomainGetXMLDesc(dom, args_flags(args, flags));
	virDomainFree(dom);
	if (!xml)
		return say_failed(ctl, "cannot get the XML of domain '%s'",
				  args_get(args, "domain"));
	strip_newline(xml);
	say_value(ctl, "xml", xml);
	return EXIT_OK;
}

const struct command cmd_dumpxml = {
	.name = "dumpxml",
	.group = "domain",
	.summary = "domain information in XML",
	.opts = { OPT_DOMAIN(complete_domains),
		  { OPT_FLAG, "inactive", "show inactive defined XML" },
		  { OPT_FLAG, "security-info",
		    "include security sensitive information" },
		  { OPT_FLAG, "update-cpu", "update guest CPU to the host's" },
		  { OPT_FLAG, "migratable", "provide XML for migrations" } },
	.run = run_dumpxml,
};
