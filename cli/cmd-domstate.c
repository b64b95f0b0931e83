/*
 * cli/cmd-domstate.c -- a domain's state.
 */
#include "cli/args.h"
#include "cli/output.h"
#include "cli/states.h"

static void show(struct ctl *ctl, int state, int reason, bool with_reason)
{
	struct record *r;

	if (ctl->output != OUTPUT_TABLE) {
		r = record_new();
		record_add(r, "", "state", false, "%s", state_name(state));
		record_add(r, "", "reason", false, "%s",
			   reason_name(state, reason));
		record_print(r, ctl);
	} else if (with_reason) {
		printf("%s (%s)\n", state_name(state),
		       reason_name(state, reason));
	} else {
		printf("%s\n", state_name(state));
	}
}

static int run_domstate(struct ctl *ctl, const struct args *args)
{
	virDomainPtr dom = ctl_domain(ctl, args);
	int state, reason, r;

	if (!dom)
		return EXIT_FAILED;
	r = virDomainGetState(dom, &state, &reason, 0);
	virDomainFree(dom);
	if (r < 0)
		return say_failed(ctl, "cannot get the state of domain '%s'",
				  args_get(args, "domain"));
	show(ctl, state, reason, args_has(args, "reason"));
	return EXIT_OK;
}

const struct command family_domstate[] = {
	{
		.name = "domstate",
		.group = "monitor",
		.summary = "domain state",
		.opts = OPTS(OPT_DOMAIN(complete_domains),
			     FLAG("reason", "also print reason for the state")),
		.run = run_domstate,
	},
	{ NULL },
};
