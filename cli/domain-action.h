/*
 * cli/domain-action.h -- commands that do one thing to one domain.
 */
#ifndef CLI_DOMAIN_ACTION_H
#define CLI_DOMAIN_ACTION_H

#include "cli/args.h"

/* done and failed have one %s, the domain's name. */
struct domain_action {
	int (*act)(virDomainPtr dom, unsigned int flags);
	const char *done, *failed;
};

int domain_action(struct ctl *ctl, const struct args *args,
		  const struct domain_action *action, unsigned int flags);

/* shutdown's and reboot's --mode acpi,agent,...: 0 or an exit status. */
#define OPT_POWER_MODE \
	STRING("mode", "acpi, agent, initctl, signal, paravirt")
int args_power_mode(const struct args *args, unsigned int *ret_flags);

#endif
