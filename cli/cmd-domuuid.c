/*
 * cli/cmd-domuuid.c -- convert a domain name or id to domain UUID.
 */
#include "cli/output.h"

static int run_domuuid(struct ctl *ctl, const struct args *args)
{
	virDomainPtr dom = ctl_domain(ctl, args);
	char text[VIR_UUID_STRING_BUFLEN] = "";

	if (!dom)
		return EXIT_FAILED;
	virDomainGetUUIDString(dom, text);
	say_value(ctl, "uuid", text);
	virDomainFree(dom);
	return EXIT_OK;
}

const struct command cmd_domuuid = {
	.name = "domuuid",
	.group = "domain",
	.summary = "convert a domain name or id to domain UUID",
	.opts = { OPT_DOMAIN(complete_domains) },
	.run = run_domuuid,
};
