/*
 * cli/cmd-undefine.c -- remove a domain's definition.
 */
#include "cli/domain-action.h"

static int undefine_domain(virDomainPtr dom, unsigned int flags)
{
	return flags ? virDomainUndefineFlags(dom, flags)
		     : virDomainUndefine(dom);
}

static const struct domain_action action = {
	.act = undefine_domain,
	.done = "Domain '%s' has been undefined\n",
	.failed = "Failed to undefine domain '%s'",
};

static const struct flag_option flags[] = {
	{ "managed-save", VIR_DOMAIN_UNDEFINE_MANAGED_SAVE },
	{ "snapshots-metadata", VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA },
	{ "checkpoints-metadata", VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA },
	{ "nvram", VIR_DOMAIN_UNDEFINE_NVRAM },
	{ "keep-nvram", VIR_DOMAIN_UNDEFINE_KEEP_NVRAM },
	{ NULL },
};

static int run_undefine(struct ctl *ctl, const struct args *args)
{
	return domain_action(ctl, args, &action, args_flags(args, flags));
}

const struct command cmd_undefine = {
	.name = "undefine",
	.group = "domain",
	.summary = "undefine a domain",
	.details = "Removes the definition of an inactive domain; a running "
		   "one becomes transient.",
	.opts = { OPT_DOMAIN(complete_domains),
		  { OPT_FLAG, "managed-save", "remove managed state file" },
		  { OPT_FLAG, "snapshots-metadata",
		    "remove all snapshot metadata" },
		  { OPT_FLAG, "checkpoints-metadata",
		    "remove all checkpoint metadata" },
		  { OPT_FLAG, "nvram", "remove the variable store" },
		  { OPT_FLAG, "keep-nvram", "keep the variable store" } },
	.run = run_undefine,
};
