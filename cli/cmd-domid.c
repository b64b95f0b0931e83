/*
 * cli/cmd-domid.c -- convert a domain name or UUID to domain id.
 */
#include "cli/output.h"

static int run_domid(struct ctl *ctl, const struct args *args)
{
	virDomainPtr dom = ctl_domain(ctl, args);
	char text[16] = "-";
	unsigned int id;

	if (!dom)
		return EXIT_FAILED;
	id = virDomainGetID(dom);
	if (id != (unsigned int)-1)
		snprintf(text, sizeof(text), "%u", id);
	say_value(ctl, "id", text);
	virDomainFree(dom);
	return EXIT_OK;
}

const struct command cmd_domid = {
	.name = "domid",
	.group = "domain",
	.summary = "convert a domain name or UUID to domain id",
	.opts = { OPT_DOMAIN(complete_domains) },
	.run = run_domid,
};
