/*
 * cli/cmd-reboot.c -- reboot a domain.
 */
#include "cli/domain-action.h"

static int reboot_domain(virDomainPtr dom, unsigned int flags)
{
	return virDomainReboot(dom, flags);
}

static const struct domain_action action = {
	.act = reboot_domain,
	.done = "Domain '%s' is being rebooted\n",
	.failed = "Failed to reboot domain '%s'",
};

static int run_reboot(struct ctl *ctl, const struct args *args)
{
	unsigned int flags;
	int status = args_power_mode(args, &flags);

	return status ? status : domain_action(ctl, args, &action, flags);
}

const struct command cmd_reboot = {
	.name = "reboot",
	.group = "domain",
	.summary = "reboot a domain",
	.details = "Asks the guest to shut down, then starts it again.",
	.opts = { OPT_DOMAIN(complete_active), OPT_POWER_MODE },
	.run = run_reboot,
};
