/*
 * cli/cmd-reset.c -- the reset button.
 */
#include "cli/domain-action.h"

static int reset_domain(virDomainPtr dom, unsigned int flags)
{
	return virDomainReset(dom, flags);
}

static const struct domain_action action = {
	.act = reset_domain,
	.done = "Domain '%s' was reset\n",
	.failed = "Failed to reset domain '%s'",
};

static int run_reset(struct ctl *ctl, const struct args *args)
{
	return domain_action(ctl, args, &action, 0);
}

const struct command cmd_reset = {
	.name = "reset",
	.group = "domain",
	.summary = "reset a domain",
	.details = "As the reset button: the guest is not asked and unwritten "
		   "data is lost.",
	.opts = { OPT_DOMAIN(complete_active) },
	.run = run_reset,
};
