/*
 * cli/cmd-suspend.c -- pause a running domain.
 */
#include "cli/domain-action.h"

static int suspend_domain(virDomainPtr dom, unsigned int flags)
{
	(void)flags; /* the call has none */
	return virDomainSuspend(dom);
}

static const struct domain_action action = {
	.act = suspend_domain,
	.done = "Domain '%s' suspended\n",
	.failed = "Failed to suspend domain '%s'",
};

static int run_suspend(struct ctl *ctl, const struct args *args)
{
	return domain_action(ctl, args, &action, 0);
}

const struct command cmd_suspend = {
	.name = "suspend",
	.group = "domain",
	.summary = "suspend a domain",
	.details = "The vCPUs stop; memory and devices stay as they are until "
		   "'resume'.",
	.opts = { OPT_DOMAIN(complete_active) },
	.run = run_suspend,
};
