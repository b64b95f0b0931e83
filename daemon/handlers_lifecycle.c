/*
 * daemon/handlers_lifecycle.c -- what becomes of a domain when its guest switches
 * off, reboots or crashes.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "daemon/reply.h"
#include "daemon/tune.h"

static const enum dom_action actions[] = {
	[VIR_DOMAIN_LIFECYCLE_ACTION_DESTROY] = DOM_ACTION_DESTROY,
	[VIR_DOMAIN_LIFECYCLE_ACTION_RESTART] = DOM_ACTION_RESTART,
	[VIR_DOMAIN_LIFECYCLE_ACTION_RESTART_RENAME] =
		DOM_ACTION_RENAME_RESTART,
	[VIR_DOMAIN_LIFECYCLE_ACTION_PRESERVE] = DOM_ACTION_PRESERVE,
	[VIR_DOMAIN_LIFECYCLE_ACTION_COREDUMP_DESTROY] =
		DOM_ACTION_COREDUMP_DESTROY,
	[VIR_DOMAIN_LIFECYCLE_ACTION_COREDUMP_RESTART] =
		DOM_ACTION_COREDUMP_RESTART,
};

/* Core dumps are for crashes, as the XML's schema has it. */
static int check(const wire_lifecycle_args *args, struct error *err)
{
	if (args->type > VIR_DOMAIN_LIFECYCLE_CRASH)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "Lifecycle type out of range");
	if (args->action >= ARRAY_SIZE(actions))
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "Lifecycle action out of range");
	if (args->type != VIR_DOMAIN_LIFECYCLE_CRASH &&
	    args->action > VIR_DOMAIN_LIFECYCLE_ACTION_PRESERVE)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "a core dump is for a crash only");
	return 0;
}

static int edit(struct domain_def *def, const void *arg, struct error *err)
{
	const wire_lifecycle_args *args = arg;
	enum dom_action action = actions[args->action];

	if (args->type == VIR_DOMAIN_LIFECYCLE_POWEROFF)
		def->on_poweroff = action;
	else if (args->type == VIR_DOMAIN_LIFECYCLE_REBOOT)
		def->on_reboot = action;
	else
		def->on_crash = action;
	return 0;
}

int handle_domain_set_lifecycle_action(struct call *call,
				       const wire_lifecycle_args *args,
				       struct error *err)
{
	int r = call_flags(call, args->flags,
			   VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG,
			   err);

	if (r >= 0)
		r = check(args, err);
	return r < 0 ? r :
		       domain_tune(call->reg, wire_uuid_of(&args->dom),
				   "set-lifecycle-action", args->flags,
				   DOMAIN_TUNE_ACTIONS, edit, args, err);
}
