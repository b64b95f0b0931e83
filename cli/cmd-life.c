/*
 * cli/cmd-life.c -- starting, stopping and defining domains.
 */
#include "cli/args.h"
#include "cli/console.h"
#include "cli/domain-action.h"
#include "cli/output.h"

/* ---- autostart ---- */

/* What daemon/autostart.h reads. */
static int set_plan(virDomainPtr dom, unsigned int order, unsigned int delay)
{
	_cleanup_free_ char *xml = xasprintf(
		"<autostart order='%u' delay='%u'/>", order, delay);

	return virDomainSetMetadata(dom, VIR_DOMAIN_METADATA_ELEMENT, xml,
				    "autostart", "urn:vireo:autostart",
				    VIR_DOMAIN_AFFECT_CONFIG);
}

static int mark(virDomainPtr dom, unsigned int on)
{
	return virDomainSetAutostart(dom, (int)on);
}

static const struct domain_action autostart_actions[] = {
	{ mark, "Domain '%s' unmarked as autostarted\n",
	  "Failed to unmark domain '%s' as autostarted" },
	{ mark, "Domain '%s' marked as autostarted\n",
	  "Failed to mark domain '%s' as autostarted" },
};

static int run_autostart(struct ctl *ctl, const struct args *args)
{
	unsigned int on = !args_has(args, "disable"), order = 0, delay = 0;
	virDomainPtr dom;
	int r;

	if (args_uint(args, "order", &order) < 0 ||
	    args_uint(args, "delay", &delay) < 0)
		return EXIT_FAILED;
	if (args_has(args, "order") || args_has(args, "delay")) {
		dom = ctl_domain(ctl, args);
		if (!dom)
			return EXIT_FAILED;
		r = set_plan(dom, order, delay);
		virDomainFree(dom);
		if (r < 0)
			return say_failed(ctl, NULL);
	}
	return domain_action(ctl, args, &autostart_actions[on], on);
}

/* ---- create ---- */

static const struct flag_option create_flags[] = {
	{ "paused", VIR_DOMAIN_START_PAUSED },
	{ "autodestroy", VIR_DOMAIN_START_AUTODESTROY },
	{ "validate", VIR_DOMAIN_START_VALIDATE },
	{ "reset-nvram", VIR_DOMAIN_START_RESET_NVRAM },
	{ NULL },
};

static int run_create(struct ctl *ctl, const struct args *args)
{
	const char *file = args_get(args, "file");
	_cleanup_free_ char *xml = read_xml_file(file);
	int status = EXIT_OK;
	virDomainPtr dom;

	if (!xml)
		return EXIT_FAILED;
	dom = virDomainCreateXML(ctl->conn, xml,
				 args_flags(args, create_flags));
	if (!dom)
		return say_failed(ctl, "Failed to create domain from %s", file);
	say(ctl, "Domain '%s' created from %s\n", virDomainGetName(dom), file);
	if (args_has(args, "console"))
		status = console_attach(ctl, dom, NULL, 0);
	virDomainFree(dom);
	return status;
}

/* ---- define ---- */

static const struct flag_option define_flags[] = {
	{ "validate", VIR_DOMAIN_DEFINE_VALIDATE },
	{ NULL },
};

static int run_define(struct ctl *ctl, const struct args *args)
{
	const char *file = args_get(args, "file");
	_cleanup_free_ char *xml = read_xml_file(file);
	virDomainPtr dom;

	if (!xml)
		return EXIT_FAILED;
	dom = virDomainDefineXMLFlags(ctl->conn, xml,
				      args_flags(args, define_flags));
	if (!dom)
		return say_failed(ctl, "Failed to define domain from %s", file);
	say(ctl, "Domain '%s' defined from %s\n", virDomainGetName(dom), file);
	virDomainFree(dom);
	return EXIT_OK;
}

/* ---- destroy ---- */

static int destroy_domain(virDomainPtr dom, unsigned int flags)
{
	return virDomainDestroyFlags(dom, flags);
}

static const struct domain_action destroy_action = {
	.act = destroy_domain,
	.done = "Domain '%s' destroyed\n",
	.failed = "Failed to destroy domain '%s'",
};

static const struct flag_option destroy_flags[] = {
	{ "graceful", VIR_DOMAIN_DESTROY_GRACEFUL },
	{ "remove-logs", VIR_DOMAIN_DESTROY_REMOVE_LOGS },
	{ NULL },
};

static int run_destroy(struct ctl *ctl, const struct args *args)
{
	return domain_action(ctl, args, &destroy_action,
			     args_flags(args, destroy_flags));
}

/* ---- domrename ---- */

static int run_domrename(struct ctl *ctl, const struct args *args)
{
	virDomainPtr dom = ctl_domain(ctl, args);
	int status = EXIT_OK;

	if (!dom)
		return EXIT_FAILED;
	if (virDomainRename(dom, args_get(args, "new-name"), 0) < 0)
		status = say_failed(ctl, "Failed to rename domain '%s'",
				    args_get(args, "domain"));
	else
		say(ctl, "Domain successfully renamed\n");
	virDomainFree(dom);
	return status;
}

/* ---- reboot ---- */

static int reboot_domain(virDomainPtr dom, unsigned int flags)
{
	return virDomainReboot(dom, flags);
}

static const struct domain_action reboot_action = {
	.act = reboot_domain,
	.done = "Domain '%s' is being rebooted\n",
	.failed = "Failed to reboot domain '%s'",
};

static int run_reboot(struct ctl *ctl, const struct args *args)
{
	unsigned int flags;
	int status = args_power_mode(args, &flags);

	return status ? status
		      : domain_action(ctl, args, &reboot_action, flags);
}

/* ---- reset ---- */

static int reset_domain(virDomainPtr dom, unsigned int flags)
{
	return virDomainReset(dom, flags);
}

static const struct domain_action reset_action = {
	.act = reset_domain,
	.done = "Domain '%s' was reset\n",
	.failed = "Failed to reset domain '%s'",
};

static int run_reset(struct ctl *ctl, const struct args *args)
{
	return domain_action(ctl, args, &reset_action, 0);
}

/* ---- resume ---- */

static int resume_domain(virDomainPtr dom, unsigned int flags)
{
	(void)flags; /* the call has none */
	return virDomainResume(dom);
}

static const struct domain_action resume_action = {
	.act = resume_domain,
	.done = "Domain '%s' resumed\n",
	.failed = "Failed to resume domain '%s'",
};

static int run_resume(struct ctl *ctl, const struct args *args)
{
	return domain_action(ctl, args, &resume_action, 0);
}

/* ---- shutdown ---- */

static int shutdown_domain(virDomainPtr dom, unsigned int flags)
{
	return virDomainShutdownFlags(dom, flags);
}

static const struct domain_action shutdown_action = {
	.act = shutdown_domain,
	.done = "Domain '%s' is being shutdown\n",
	.failed = "Failed to shutdown domain '%s'",
};

static int run_shutdown(struct ctl *ctl, const struct args *args)
{
	unsigned int flags;
	int status = args_power_mode(args, &flags);

	return status ? status
		      : domain_action(ctl, args, &shutdown_action, flags);
}

/* ---- start ---- */

static int start_domain(virDomainPtr dom, unsigned int flags)
{
	return flags ? virDomainCreateWithFlags(dom, flags)
		     : virDomainCreate(dom);
}

static const struct domain_action start_action = {
	.act = start_domain,
	.done = "Domain '%s' started\n",
	.failed = "Failed to start domain '%s'",
};

static const struct flag_option start_flags[] = {
	{ "paused", VIR_DOMAIN_START_PAUSED },
	{ "autodestroy", VIR_DOMAIN_START_AUTODESTROY },
	{ "bypass-cache", VIR_DOMAIN_START_BYPASS_CACHE },
	{ "force-boot", VIR_DOMAIN_START_FORCE_BOOT },
	{ "reset-nvram", VIR_DOMAIN_START_RESET_NVRAM },
	{ NULL },
};

/* The first lines are not lost: the guest's pty keeps them. */
static int start_with_console(struct ctl *ctl, const struct args *args,
			      unsigned int bits)
{
	virDomainPtr dom;
	int status = domain_action(ctl, args, &start_action, bits);

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
	unsigned int bits = args_flags(args, start_flags);

	if (already_active(ctl, args)) {
		say_error("Domain is already active");
		return EXIT_FAILED;
	}
	if (args_has(args, "console"))
		return start_with_console(ctl, args, bits);
	return domain_action(ctl, args, &start_action, bits);
}

/* ---- suspend ---- */

static int suspend_domain(virDomainPtr dom, unsigned int flags)
{
	(void)flags; /* the call has none */
	return virDomainSuspend(dom);
}

static const struct domain_action suspend_action = {
	.act = suspend_domain,
	.done = "Domain '%s' suspended\n",
	.failed = "Failed to suspend domain '%s'",
};

static int run_suspend(struct ctl *ctl, const struct args *args)
{
	return domain_action(ctl, args, &suspend_action, 0);
}

const struct command family_life[] = {
	{
		.name = "autostart",
		.group = "domain",
		.summary = "autostart a domain",
		.details = "Configure a domain to be automatically started at "
			   "boot.",
		.opts = OPTS(OPT_DOMAIN(complete_domains),
			     FLAG("disable", "disable autostarting"),
			     NUMBER("order", "started after those of lower "
					     "numbers (0: after all)"),
			     NUMBER("delay", "so many seconds pass before the "
					     "next is started")),
		.run = run_autostart,
	},
	{
		.name = "create",
		.group = "domain",
		.summary = "create a domain from an XML file",
		.details =
			"The domain is transient: it vanishes when it stops.",
		.opts = OPTS(
			DATA("file", "domain XML; '-' reads standard input"),
			FLAG("console"),
			FLAG("paused", "leave the guest paused"),
			FLAG("autodestroy",
			     "destroy the guest when vireo disconnects"),
			FLAG("validate", "check the XML against the schema"),
			FLAG("reset-nvram")),
		.run = run_create,
	},
	{
		.name = "define",
		.group = "domain",
		.summary = "define a domain from an XML file",
		.details =
			"The domain becomes persistent; it is not started. A "
			"definition of the same uuid is replaced.",
		.opts = OPTS(
			DATA("file", "domain XML; '-' reads standard input"),
			FLAG("validate", "check the XML against the schema")),
		.run = run_define,
	},
	{
		.name = "destroy",
		.group = "domain",
		.summary = "destroy (stop) a domain",
		.details = "As pulling the plug. The definition of a "
			   "persistent domain "
			   "stays.",
		.opts = OPTS(
			OPT_DOMAIN(complete_active),
			FLAG("graceful",
			     "fail rather than kill an unresponsive guest"),
			FLAG("remove-logs")),
		.run = run_destroy,
	},
	{
		.name = "domrename",
		.group = "domain",
		.summary = "rename a domain",
		.opts = OPTS(OPT_DOMAIN(complete_inactive),
			     DATA("new-name", "new domain name")),
		.run = run_domrename,
	},
	{
		.name = "reboot",
		.group = "domain",
		.summary = "reboot a domain",
		.details = "Asks the guest to shut down, then starts it again.",
		.opts = OPTS(OPT_DOMAIN(complete_active), OPT_POWER_MODE),
		.run = run_reboot,
	},
	{
		.name = "reset",
		.group = "domain",
		.summary = "reset a domain",
		.details = "As the reset button: the guest is not asked and "
			   "unwritten "
			   "data is lost.",
		.opts = OPTS(OPT_DOMAIN(complete_active)),
		.run = run_reset,
	},
	{
		.name = "resume",
		.group = "domain",
		.summary = "resume a domain",
		.details = "Lets a domain that 'suspend' paused go on.",
		.opts = OPTS(OPT_DOMAIN(complete_active)),
		.run = run_resume,
	},
	{
		.name = "shutdown",
		.group = "domain",
		.summary = "gracefully shutdown a domain",
		.details =
			"Presses the guest's power button; what follows is the "
			"guest's decision.",
		.opts = OPTS(OPT_DOMAIN(complete_active), OPT_POWER_MODE),
		.run = run_shutdown,
	},
	{
		.name = "start",
		.group = "domain",
		.summary = "start a (previously defined) inactive domain",
		.details = "Returns when the guest runs; --console stays "
			   "attached to it.",
		.opts = OPTS(
			OPT_DOMAIN(complete_inactive),
			FLAG("console", "attach to console after creation"),
			FLAG("paused", "leave the guest paused after creation"),
			FLAG("autodestroy",
			     "destroy the guest when vireo disconnects"),
			FLAG("bypass-cache",
			     "avoid file system cache when loading"),
			FLAG("force-boot",
			     "boot fresh by discarding any managed save"),
			FLAG("reset-nvram")),
		.run = run_start,
	},
	{
		.name = "suspend",
		.group = "domain",
		.summary = "suspend a domain",
		.details = "The vCPUs stop; memory and devices stay as they "
			   "are until "
			   "'resume'.",
		.opts = OPTS(OPT_DOMAIN(complete_active)),
		.run = run_suspend,
	},
	{ NULL },
};
