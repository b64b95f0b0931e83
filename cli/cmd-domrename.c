/*
 * cli/cmd-domrename.c -- give an inactive domain another name.
 */
#include "cli/output.h"

static int run_domrename(struct ctl *ctl, const struct args *args)
{
	virDomainPtr dom = ctl_domain(ctl, args);
	int status = EXIT_OK;

	if (!dom)
		return EXIT_FAILED;
	if (virDomainRename(dom, args_get(args, "new-name"), 0) < 0)
		status = say_failed(ctl, "Failed to rename domain '%s'",
				    virDomainGetName(dom));
	else
		say(ctl, "Domain successfully renamed\n");
	virDomainFree(dom);
	return status;
}

const struct command cmd_domrename = {
	.name = "domrename",
	.group = "domain",
	.summary = "rename a domain",
	.opts = { OPT_DOMAIN(complete_inactive),
		  { OPT_ARG, "new-name", "new domain name" } },
	.run = run_domrename,
};
