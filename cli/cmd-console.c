/*
 * cli/cmd-console.c -- connect to the guest console.
 */
#include "cli/args.h"
#include "cli/console.h"
#include "cli/domain-action.h"
#include "cli/output.h"

static const struct flag_option flags[] = {
	{ "force", VIR_DOMAIN_CONSOLE_FORCE },
	{ "safe", VIR_DOMAIN_CONSOLE_SAFE },
	{ NULL },
};

static int attach(struct ctl *ctl, const struct args *args, virDomainPtr dom)
{
	int active = virDomainIsActive(dom);

	if (active == 1)
		return console_attach(ctl, dom, args_get(args, "devname"),
				      args_flags(args, flags));
	if (active == 0)
		say_error("The domain is not running");
	else
		say_failed(ctl, "unable to get domain status");
	return EXIT_FAILED;
}

static int run_console(struct ctl *ctl, const struct args *args)
{
	virDomainPtr dom = ctl_domain(ctl, args);
	int status;

	if (!dom)
		return EXIT_FAILED;
	if (args_has(args, "resume") && virDomainResume(dom) < 0)
		status = say_failed(ctl, "Failed to resume domain '%s'",
				    args_get(args, "domain"));
	else
		status = attach(ctl, args, dom);
	virDomainFree(dom);
	return status;
}

const struct command family_console[] = {
	{
		.name = "console",
		.group = "domain",
		.summary = "connect to the guest console",
		.details = "Joins this terminal to the guest's serial console; "
			   "Ctrl-] "
			   "leaves.",
		.opts = OPTS(OPT_DOMAIN(complete_active),
			     MAYBE("devname", "character device name"),
			     FLAG("force", "force console connection "
					   "(disconnect already connected "
					   "sessions)"),
			     FLAG("resume", "resume a paused guest first"),
			     FLAG("safe", "only connect if safe console "
					  "handling is supported")),
		.run = run_console,
	},
	{ NULL },
};
