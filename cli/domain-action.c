/*
 * cli/domain-action.c -- commands that do one thing to one domain.
 */
#include "cli/domain-action.h"

#include <string.h>

#include "cli/output.h"

/* The texts are ours, each with one %s. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

int domain_action(struct ctl *ctl, const struct args *args,
		  const struct domain_action *action, unsigned int flags)
{
	virDomainPtr dom = ctl_domain(ctl, args);
	int status = EXIT_OK;
	const char *name;

	if (!dom)
		return EXIT_FAILED;
	name = virDomainGetName(dom); /* before an error: it forgets it */
	if (action->act(dom, flags) < 0)
		status = say_failed(ctl, action->failed, name);
	else
		say(ctl, action->done, name);
	virDomainFree(dom);
	return status;
}

static const struct flag_option power_modes[] = {
	{ "acpi", VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN },
	{ "agent", VIR_DOMAIN_SHUTDOWN_GUEST_AGENT },
	{ "initctl", VIR_DOMAIN_SHUTDOWN_INITCTL },
	{ "signal", VIR_DOMAIN_SHUTDOWN_SIGNAL },
	{ "paravirt", VIR_DOMAIN_SHUTDOWN_PARAVIRT },
	{ NULL },
};
/* One table serves both calls: libvirt gave them the same bits. */
static_assert((int)VIR_DOMAIN_SHUTDOWN_GUEST_AGENT ==
			      (int)VIR_DOMAIN_REBOOT_GUEST_AGENT &&
		      (int)VIR_DOMAIN_SHUTDOWN_PARAVIRT ==
			      (int)VIR_DOMAIN_REBOOT_PARAVIRT,
	      "modes differ");

static unsigned int mode_bit(const char *name)
{
	const struct flag_option *m;

	for (m = power_modes; m->name; m++)
		if (str_eq(m->name, name))
			return m->bit;
	return 0;
}

int args_power_mode(const struct args *args, unsigned int *ret_flags)
{
	_cleanup_free_ char *copy = xstrdup(args_get(args, "mode"));
	char *save, *word;
	unsigned int bit;

	*ret_flags = 0;
	for (word = copy ? strtok_r(copy, ",", &save) : NULL; word;
	     word = strtok_r(NULL, ",", &save)) {
		bit = mode_bit(word);
		if (!bit) {
			say_error("Unknown mode %s value, expecting 'acpi', "
				  "'agent', 'initctl', 'signal', or 'paravirt'",
				  word);
			return EXIT_USAGE;
		}
		*ret_flags |= bit;
	}
	return EXIT_OK;
}
