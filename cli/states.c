/*
 * cli/states.c -- libvirt's domain states and reasons in virsh's words.
 */
#include "cli/states.h"

#include <libvirt/libvirt.h>

#include "base/util.h"

static const char *const states[] = {
	[VIR_DOMAIN_NOSTATE] = "no state",
	[VIR_DOMAIN_RUNNING] = "running",
	[VIR_DOMAIN_BLOCKED] = "idle",
	[VIR_DOMAIN_PAUSED] = "paused",
	[VIR_DOMAIN_SHUTDOWN] = "in shutdown",
	[VIR_DOMAIN_SHUTOFF] = "shut off",
	[VIR_DOMAIN_CRASHED] = "crashed",
	[VIR_DOMAIN_PMSUSPENDED] = "pmsuspended",
};

static const char *const running[] = {
	"unknown",	 "booted",   "migrated",	   "restored",
	"from snapshot", "unpaused", "migration canceled", "save canceled",
	"event wakeup",	 "crashed",  "post-copy",	   "post-copy failed",
};

static const char *const paused[] = {
	"unknown",	 "user",
	"migrating",	 "saving",
	"dumping",	 "I/O error",
	"watchdog",	 "from snapshot",
	"shutting down", "creating snapshot",
	"crashed",	 "starting up",
	"post-copy",	 "post-copy failed",
};

static const char *const shutoff[] = {
	"unknown", "shutdown", "destroyed",	"crashed", "migrated",
	"saved",   "failed",   "from snapshot", "daemon",
};

static const char *const crashed[] = { "unknown", "panicked" };

static const struct {
	const char *const *names;
	size_t n;
} reasons[] = {
	[VIR_DOMAIN_RUNNING] = { running, ARRAY_SIZE(running) },
	[VIR_DOMAIN_PAUSED] = { paused, ARRAY_SIZE(paused) },
	[VIR_DOMAIN_SHUTOFF] = { shutoff, ARRAY_SIZE(shutoff) },
	[VIR_DOMAIN_CRASHED] = { crashed, ARRAY_SIZE(crashed) },
};

const char *state_name(int state)
{
	return state >= 0 && (size_t)state < ARRAY_SIZE(states) ? states[state]
								: "no state";
}

const char *reason_name(int state, int reason)
{
	if (state < 0 || (size_t)state >= ARRAY_SIZE(reasons) || reason < 0 ||
	    (size_t)reason >= reasons[state].n)
		return "unknown";
	return reasons[state].names[reason];
}
