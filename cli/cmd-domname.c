/*
 * cli/cmd-domname.c -- convert a domain id or UUID to domain name.
 */
#include "cli/output.h"

static int run_domname(struct ctl *ctl, const struct args *args)
{
	virDomainPtr dom = ctl_domain(ctl, args);

	if (!dom)
		return EXIT_FAILED;
	say_value(ctl, "name", virDomainGetName(dom));
	virDomainFree(dom);
	return EXIT_OK;
}

const struct command cmd_domname = {
	.name = "domname",
	.group = "domain",
	.summary = "convert a domain id or UUID to domain name",
	.opts = { OPT_DOMAIN(complete_domains) },
	.run = run_domname,
};
