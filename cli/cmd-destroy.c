/*
 * cli/cmd-destroy.c -- switch a domain off.
 */
#include "cli/domain-action.h"

static int destroy_domain(virDomainPtr dom, unsigned int flags)
{
	return virDomainDestroyFlags(dom, flags);
}

static const struct domain_action action = {
	.act = destroy_domain,
	.done = "Domain '%s' destroyed\n",
	.failed = "Failed to destroy domain '%s'",
};

static const struct flag_option flags[] = {
	{ "graceful", VIR_DOMAIN_DESTROY_GRACEFUL },
	{ NULL },
};

static int run_destroy(struct ctl *ctl, const struct args *args)
{
	return domain_action(ctl, args, &action, args_flags(args, flags));
}

const struct command cmd_destroy = {
	.name = "destroy",
	.group = "domain",
	.summary = "destroy (stop) a domain",
	.details = "As pulling the plug. The definition of a persistent domain "
		   "stays.",
	.opts = { OPT_DOMAIN(complete_active),
		  { OPT_FLAG, "graceful",
		    "fail rather than kill an unresponsive guest" } },
	.run = run_destroy,
};
