/*
 * cli/cmd-resume.c -- let a paused domain go on.
 */
#include "cli/domain-action.h"

static int resume_domain(virDomainPtr dom, unsigned int flags)
{
	(void)flags; /* the call has none */
	return virDomainResume(dom);
}

static const struct domain_action action = {
	.act = resume_domain,
	.done = "Domain '%s' resumed\n",
	.failed = "Failed to resume domain '%s'",
};

static int run_resume(struct ctl *ctl, const struct args *args)
{
	return domain_action(ctl, args, &action, 0);
}

const struct command cmd_resume = {
	.name = "resume",
	.group = "domain",
	.summary = "resume a domain",
	.details = "Lets a domain that 'suspend' paused go on.",
	.opts = { OPT_DOMAIN(complete_active) },
	.run = run_resume,
};
