/*
 * cli/cmd-shutdown.c -- gracefully shutdown a domain.
 */
#include "cli/domain-action.h"

static int shutdown_domain(virDomainPtr dom, unsigned int flags)
{
	return virDomainShutdownFlags(dom, flags);
}

static const struct domain_action action = {
	.act = shutdown_domain,
	.done = "Domain '%s' is being shutdown\n",
	.failed = "Failed to shutdown domain '%s'",
};

static int run_shutdown(struct ctl *ctl, const struct args *args)
{
	unsigned int flags;
	int status = args_power_mode(args, &flags);

	return status ? status : domain_action(ctl, args, &action, flags);
}

const struct command cmd_shutdown = {
	.name = "shutdown",
	.group = "domain",
	.summary = "gracefully shutdown a domain",
	.details = "Presses the guest's power button; what follows is the "
		   "guest's decision.",
	.opts = { OPT_DOMAIN(complete_active), OPT_POWER_MODE },
	.run = run_shutdown,
};
