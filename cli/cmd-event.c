/*
 * cli/cmd-event.c -- print events as they happen.
 */
#include "cli/output.h"
#include "cli/watch.h"

static const char *const names[] = {
	"Defined", "Undefined", "Started",     "Suspended", "Resumed",
	"Stopped", "Shutdown",	"PMSuspended", "Crashed",
};

static const char *const details[][12] = {
	[VIR_DOMAIN_EVENT_DEFINED] = { "Added", "Updated", "Renamed",
				       "Snapshot" },
	[VIR_DOMAIN_EVENT_UNDEFINED] = { "Removed", "Renamed" },
	[VIR_DOMAIN_EVENT_STARTED] = { "Booted", "Migrated", "Restored",
				       "Snapshot", "Event wakeup" },
	[VIR_DOMAIN_EVENT_SUSPENDED] = { "Paused", "Migrated", "I/O Error",
					 "Watchdog", "Restored", "Snapshot",
					 "API error", "Post-copy",
					 "Post-copy Error" },
	[VIR_DOMAIN_EVENT_RESUMED] = { "Unpaused", "Migrated", "Snapshot",
				       "Post-copy", "Post-copy Error" },
	[VIR_DOMAIN_EVENT_STOPPED] = { "Shutdown", "Destroyed", "Crashed",
				       "Migrated", "Saved", "Failed",
				       "Snapshot" },
	[VIR_DOMAIN_EVENT_SHUTDOWN] = { "Finished",
					"Finished after guest request",
					"Finished after host request" },
	[VIR_DOMAIN_EVENT_PMSUSPENDED] = { "Memory", "Disk" },
	[VIR_DOMAIN_EVENT_CRASHED] = { "Panicked", "Crashloaded" },
};

static const char *detail_name(int event, int detail)
{
	const char *text = NULL;

	if (event >= 0 && (size_t)event < ARRAY_SIZE(details) && detail >= 0 &&
	    (size_t)detail < ARRAY_SIZE(details[0]))
		text = details[event][detail];
	return text ? text : "unknown";
}

static void on_event(virConnectPtr conn, virDomainPtr dom, int event,
		     int detail, void *arg)
{
	(void)conn;
	watch_print(arg, "event 'lifecycle' for domain '%s': %s %s\n",
		    virDomainGetName(dom),
		    event >= 0 && (size_t)event < ARRAY_SIZE(names) ?
			    names[event] : "unknown",
		    detail_name(event, detail));
}

static int watch_domain(struct ctl *ctl, const struct args *args,
			virDomainPtr dom, unsigned long timeout)
{
	struct watch w = WATCH(args);
	int id = virConnectDomainEventRegisterAny(
		ctl->conn, dom, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
		VIR_DOMAIN_EVENT_CALLBACK(on_event), &w, NULL);

	if (id < 0)
		return say_failed(ctl, "cannot watch for events");
	watch_wait(&w, args_has(args, "loop"), timeout);
	virConnectDomainEventDeregisterAny(ctl->conn, id);
	say(ctl, "events received: %u\n", w.n);
	return w.n ? EXIT_OK : EXIT_FAILED;
}

static int run_event(struct ctl *ctl, const struct args *args)
{
	const char *event = args_get(args, "event");
	unsigned long timeout = 0;
	virDomainPtr dom = NULL;
	int status;

	if (event && !str_eq(event, "lifecycle")) {
		say_error("unknown event type %s: this version watches "
			  "'lifecycle'",
			  event);
		return EXIT_USAGE;
	}
	if (args_number(args, "timeout", 1000000, &timeout) < 0)
		return EXIT_USAGE;
	if (args_has(args, "domain") && !(dom = ctl_domain(ctl, args)))
		return EXIT_FAILED;
	status = watch_domain(ctl, args, dom, timeout);
	if (dom)
		virDomainFree(dom);
	return status;
}

const struct command family_event[] = {
	{
		.name = "event",
		.group = "events",
		.summary = "domain events",
		.details = "Prints lifecycle events as they happen: one, or "
			   "all with "
			   "--loop.",
		.opts = OPTS({ .name = "domain",
			       .kind = OPT_STRING,
			       .help = "filter by domain name, id or uuid",
			       .complete = complete_domains },
			     STRING("event", "which event type: lifecycle"),
			     FLAG("loop", "until interrupted, not just one"),
			     STRING("timeout", "give up after so many seconds"),
			     FLAG("timestamp", "show the time of each event")),
		.run = run_event,
	},
	{ NULL },
};
