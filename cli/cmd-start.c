/*
 * cli/cmd-start.c -- start a (previously defined) inactive domain.
 */
#include "cli/console.h"
#include "cli/domain-action.h"
#include "cli/output.h"

static int start_domain(virDomainPtr dom, unsigned int flags)
{
	return flags ? virDomainCreateWithFlags(dom, flags)
		     : virDomainCreate(dom);
}

static const struct domain_action action = {
	.act = start_domain,
	.done = "Domain '%s' started\n",
	.failed = "Failed to start domain '%s'",
};

static const struct flag_option flags[] = {
	{ "paused", VIR_DOMAIN_START_PAUSED },
	{ "autodestroy", VIR_DOMAIN_START_AUTODESTROY },
	{ "bypass-cache", VIR_DOMAIN_START_BYPASS_CACHE },
	{ "force-boot", VIR_DOMAIN_START_FORCE_BOOT },
	{ NULL },
};

/* The first lines are not lost: the guest's pty keeps them. */
static int start_with_console(struct ctl *ctl, const struct args *args,
			      unsigned int bits)
{
	virDomainPtr dom;
	int status = domain_action(ctl, args, &action, bits);

	if (status)
		return status;
	dom = ctl_domain(ctl, args);
	if (!dom)
		return EXIT_FAILED;
	status = console_attach(ctl, dom, NULL, 0);
	virDomainFree(dom);
	return status;
}

/* false also when it cannot be found: the action then says so. */
static bool already_active(struct ctl *ctl, const struct args *args)
{
	virDomainPtr dom;
	bool active;

	ctl->muted = true;
	dom = ctl_domain(ctl, args);
	ctl->muted = false;
	active = dom && virDomainIsActive(dom) == 1;
	if (dom)
		virDomainFree(dom);
	return active;
}

static int run_start(struct ctl *ctl, const struct args *args)
{
	unsigned int bits = args_flags(args, flags);

	if (already_active(ctl, args)) {
		say_error("Domain is already active");
		return EXIT_FAILED;
	}
	if (args_has(args, "console"))
		return start_with_console(ctl, args, bits);
	return domain_action(ctl, args, &action, bits);
}

const struct command cmd_start = {
	.name = "start",
	.group = "domain",
	.summary = "start a (previously defined) inactive domain",
	.details =
		"Returns when the guest runs; --console stays attached to it.",
	.opts = { OPT_DOMAIN(complete_inactive),
		  { OPT_FLAG, "console", "attach to console after creation" },
		  { OPT_FLAG, "paused",
		    "leave the guest paused after creation" },
		  { OPT_FLAG, "autodestroy",
		    "destroy the guest when vireo disconnects" },
		  { OPT_FLAG, "bypass-cache",
		    "avoid file system cache when loading" },
		  { OPT_FLAG, "force-boot",
		    "boot fresh by discarding any managed save" } },
	.run = run_start,
};
