/*
 * cli/cmd-autostart.c -- start a domain whenever the host starts.
 */
#include "cli/domain-action.h"

static int mark(virDomainPtr dom, unsigned int on)
{
	return virDomainSetAutostart(dom, (int)on);
}

static const struct domain_action actions[] = {
	{ mark, "Domain '%s' unmarked as autostarted\n",
	  "Failed to unmark domain '%s' as autostarted" },
	{ mark, "Domain '%s' marked as autostarted\n",
	  "Failed to mark domain '%s' as autostarted" },
};

static int run_autostart(struct ctl *ctl, const struct args *args)
{
	unsigned int on = !args_has(args, "disable");

	return domain_action(ctl, args, &actions[on], on);
}

const struct command cmd_autostart = {
	.name = "autostart",
	.group = "domain",
	.summary = "autostart a domain",
	.details = "Configure a domain to be automatically started at boot.",
	.opts = { OPT_DOMAIN(complete_domains),
		  { OPT_FLAG, "disable", "disable autostarting" } },
	.run = run_autostart,
};
