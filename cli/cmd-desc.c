/*
 * cli/cmd-desc.c -- show or set a domain's title or description.
 */
#include "cli/domain-action.h"
#include "cli/output.h"

static const struct flag_option flags[] = {
	{ "live", VIR_DOMAIN_AFFECT_LIVE },
	{ "config", VIR_DOMAIN_AFFECT_CONFIG },
	{ NULL },
};

static int show(struct ctl *ctl, virDomainPtr dom, int type, unsigned int bits)
{
	_cleanup_free_ char *text = virDomainGetMetadata(dom, type, NULL, bits);
	virErrorPtr e = text ? NULL : virGetLastError();

	if (text)
		say_value(ctl, "text", text);
	else if (e && e->code == VIR_ERR_NO_DOMAIN_METADATA)
		say(ctl, "No %s for domain: %s",
		    type == VIR_DOMAIN_METADATA_TITLE ? "title" : "description",
		    virDomainGetName(dom));
	else
		return say_failed(ctl, "cannot read the text of domain '%s'",
				  virDomainGetName(dom));
	return EXIT_OK;
}

static int run_desc(struct ctl *ctl, const struct args *args)
{
	int type = args_has(args, "title") ? VIR_DOMAIN_METADATA_TITLE
					   : VIR_DOMAIN_METADATA_DESCRIPTION;
	const char *text = args_get(args, "new-desc");
	unsigned int bits = args_flags(args, flags);
	virDomainPtr dom = ctl_domain(ctl, args);
	int status = EXIT_OK;

	if (!dom)
		return EXIT_FAILED;
	if (!text)
		status = show(ctl, dom, type, bits);
	else if (virDomainSetMetadata(dom, type, text, NULL, NULL, bits) < 0)
		status = say_failed(ctl, "Failed to set new domain text");
	else
		say(ctl, "Domain %s updated successfully\n",
		    args_has(args, "title") ? "title" : "description");
	virDomainFree(dom);
	return status;
}

const struct command cmd_desc = {
	.name = "desc",
	.group = "domain",
	.summary = "show or set domain's description or title",
	.opts = { OPT_DOMAIN(complete_domains),
		  { OPT_ARG_MAYBE, "new-desc",
		    "the new text; empty removes it" },
		  { OPT_FLAG, "title", "the title instead of the description" },
		  { OPT_FLAG, "live", "affect running domain" },
		  { OPT_FLAG, "config", "affect next boot" } },
	.run = run_desc,
};
