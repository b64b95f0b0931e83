/*
 * cli/cmd-event.c -- events of domains as they happen.
 */
#include <string.h>

#include "base/buf.h"
#include "cli/output.h"
#include "cli/params.h"
#include "cli/watch.h"

/* What a callback is given: one of a kind. */
struct listener {
	struct watch *w;
	const struct watch_kind *kind;
	int id;
};

/* ---- lifecycle ---- */

static const char *const life_names[] = {
	"Defined", "Undefined", "Started",     "Suspended", "Resumed",
	"Stopped", "Shutdown",	"PMSuspended", "Crashed",
};

static const char *const life_details[][12] = {
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
	return event >= 0 && (size_t)event < ARRAY_SIZE(life_details) ?
		       WATCH_NAME(life_details[event], detail) :
		       "unknown";
}

static void on_life(virConnectPtr conn, virDomainPtr dom, int event, int detail,
		    void *arg)
{
	struct listener *l = arg;

	watch_print(l->w, "event 'lifecycle' for domain '%s': %s %s\n",
		    virDomainGetName(dom), WATCH_NAME(life_names, event),
		    detail_name(event, detail));
}

/* ---- those with nothing to tell but that they happened ---- */

static void on_plain(virConnectPtr conn, virDomainPtr dom, void *arg)
{
	struct listener *l = arg;

	watch_print(l->w, "event '%s' for domain '%s'\n", l->kind->name,
		    virDomainGetName(dom));
}

static void on_power(virConnectPtr conn, virDomainPtr dom, int reason,
		     void *arg)
{
	on_plain(conn, dom, arg);
}

/* ---- the machine ---- */

static void on_rtc(virConnectPtr conn, virDomainPtr dom, long long offset,
		   void *arg)
{
	struct listener *l = arg;

	watch_print(l->w, "event 'rtc-change' for domain '%s': %lld\n",
		    virDomainGetName(dom), offset);
}

static void on_watchdog(virConnectPtr conn, virDomainPtr dom, int action,
			void *arg)
{
	static const char *const names[] = { "none",	 "pause",    "reset",
					     "poweroff", "shutdown", "debug",
					     "inject-nmi" };
	struct listener *l = arg;

	watch_print(l->w, "event 'watchdog' for domain '%s': %s\n",
		    virDomainGetName(dom), WATCH_NAME(names, action));
}

static void on_balloon(virConnectPtr conn, virDomainPtr dom,
		       unsigned long long kib, void *arg)
{
	struct listener *l = arg;

	watch_print(l->w, "event 'balloon-change' for domain '%s': %lluKiB\n",
		    virDomainGetName(dom), kib);
}

static void on_memory_failure(virConnectPtr conn, virDomainPtr dom,
			      int recipient, int action, unsigned int flags,
			      void *arg)
{
	static const char *const recipients[] = { "hypervisor", "guest" };
	static const char *const actions[] = { "ignore", "inject", "fatal",
					       "reset" };
	struct listener *l = arg;

	watch_print(l->w,
		    "event 'memory-failure' for domain '%s':\n"
		    "recipient: %s\naction: %s\n"
		    "flags:\n\taction required: %d\n\trecursive: %d\n",
		    virDomainGetName(dom), WATCH_NAME(recipients, recipient),
		    WATCH_NAME(actions, action),
		    !!(flags & VIR_DOMAIN_MEMORY_FAILURE_ACTION_REQUIRED),
		    !!(flags & VIR_DOMAIN_MEMORY_FAILURE_RECURSIVE));
}

static void on_memory_size(virConnectPtr conn, virDomainPtr dom,
			   const char *alias, unsigned long long size,
			   void *arg)
{
	struct listener *l = arg;

	watch_print(l->w,
		    "event 'memory-device-size-change' for domain '%s':\n"
		    "alias: %s\nsize: %llu\n",
		    virDomainGetName(dom), alias, size);
}

/* device-added and its like */
static void on_device(virConnectPtr conn, virDomainPtr dom, const char *alias,
		      void *arg)
{
	struct listener *l = arg;

	watch_print(l->w, "event '%s' for domain '%s': %s\n", l->kind->name,
		    virDomainGetName(dom), alias);
}

/* ---- disks ---- */

static const char *const io_actions[] = { "none", "pause", "report" };

static void on_io_error(virConnectPtr conn, virDomainPtr dom, const char *path,
			const char *alias, int action, void *arg)
{
	struct listener *l = arg;

	watch_print(l->w, "event 'io-error' for domain '%s': %s (%s) %s\n",
		    virDomainGetName(dom), path, alias,
		    WATCH_NAME(io_actions, action));
}

static void on_io_reason(virConnectPtr conn, virDomainPtr dom, const char *path,
			 const char *alias, int action, const char *reason,
			 void *arg)
{
	struct listener *l = arg;

	watch_print(l->w,
		    "event 'io-error-reason' for domain '%s': "
		    "%s (%s) %s due to %s\n",
		    virDomainGetName(dom), path, alias,
		    WATCH_NAME(io_actions, action), reason);
}

static void on_block_job(virConnectPtr conn, virDomainPtr dom, const char *disk,
			 int type, int status, void *arg)
{
	static const char *const types[] = {
		"Unknown job",	"Block Pull",	       "Block Copy",
		"Block Commit", "Active Block Commit", "Backup"
	};
	static const char *const states[] = { "completed", "failed", "canceled",
					      "ready" };
	struct listener *l = arg;

	watch_print(l->w, "event '%s' for domain '%s': %s for %s %s\n",
		    l->kind->name, virDomainGetName(dom),
		    WATCH_NAME(types, type), disk, WATCH_NAME(states, status));
}

static void on_disk_change(virConnectPtr conn, virDomainPtr dom,
			   const char *old, const char *new, const char *alias,
			   int reason, void *arg)
{
	static const char *const reasons[] = { "changed", "dropped" };
	struct listener *l = arg;

	watch_print(l->w,
		    "event 'disk-change' for domain '%s' disk %s: "
		    "%s -> %s: %s\n",
		    virDomainGetName(dom), alias, old ? old : "",
		    new ? new : "", WATCH_NAME(reasons, reason));
}

static void on_tray(virConnectPtr conn, virDomainPtr dom, const char *alias,
		    int reason, void *arg)
{
	static const char *const reasons[] = { "opened", "closed" };
	struct listener *l = arg;

	watch_print(l->w, "event 'tray-change' for domain '%s' disk %s: %s\n",
		    virDomainGetName(dom), alias, WATCH_NAME(reasons, reason));
}

static void on_threshold(virConnectPtr conn, virDomainPtr dom, const char *dev,
			 const char *path, unsigned long long threshold,
			 unsigned long long excess, void *arg)
{
	struct listener *l = arg;

	watch_print(l->w,
		    "event 'block-threshold' for domain '%s': "
		    "dev: %s(%s) %llu %llu\n",
		    virDomainGetName(dom), dev, path ? path : "", threshold,
		    excess);
}

/* ---- people and programs ---- */

static const char *family_name(const virDomainEventGraphicsAddress *a)
{
	static const char *const names[] = { "IPv4", "IPv6", "unix" };

	return WATCH_NAME(names, a->family);
}

static void on_graphics(virConnectPtr conn, virDomainPtr dom, int phase,
			const virDomainEventGraphicsAddress *local,
			const virDomainEventGraphicsAddress *remote,
			const char *auth,
			const virDomainEventGraphicsSubject *subject, void *arg)
{
	static const char *const phases[] = { "connect", "initialize",
					      "disconnect" };
	_cleanup_buf_ struct buf who = { 0 };
	struct listener *l = arg;

	for (int i = 0; i < subject->nidentity; i++)
		buf_printf(&who, "\t%s=%s\n", subject->identities[i].type,
			   subject->identities[i].name);
	watch_print(l->w,
		    "event 'graphics' for domain '%s': %s local[%s %s %s] "
		    "remote[%s %s %s] %s\n%s",
		    virDomainGetName(dom), WATCH_NAME(phases, phase),
		    family_name(local), local->node, local->service,
		    family_name(remote), remote->node, remote->service, auth,
		    who.data ? who.data : "");
}

static void on_agent(virConnectPtr conn, virDomainPtr dom, int state,
		     int reason, void *arg)
{
	static const char *const states[] = { NULL, "connected",
					      "disconnected" };
	static const char *const reasons[] = { "unknown", "domain started",
					       "channel event" };
	struct listener *l = arg;

	watch_print(l->w,
		    "event 'agent-lifecycle' for domain '%s': state: '%s' "
		    "reason: '%s'\n",
		    virDomainGetName(dom), WATCH_NAME(states, state),
		    WATCH_NAME(reasons, reason));
}

static void on_metadata(virConnectPtr conn, virDomainPtr dom, int type,
			const char *uri, void *arg)
{
	static const char *const types[] = { "description", "title",
					     "element" };
	struct listener *l = arg;

	watch_print(l->w,
		    "event 'metadata-change' for domain '%s': "
		    "type %s, uri %s\n",
		    virDomainGetName(dom), WATCH_NAME(types, type),
		    uri ? uri : "");
}

static void on_iteration(virConnectPtr conn, virDomainPtr dom, int iteration,
			 void *arg)
{
	struct listener *l = arg;

	watch_print(l->w,
		    "event 'migration-iteration' for domain '%s': "
		    "iteration: '%d'\n",
		    virDomainGetName(dom), iteration);
}

/* tunable, job-completed */
static void on_params(virConnectPtr conn, virDomainPtr dom,
		      virTypedParameterPtr v, int n, void *arg)
{
	_cleanup_buf_ struct buf b = { 0 };
	struct listener *l = arg;

	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *text = param_text(&v[i]);

		buf_printf(&b, "\t%s: %s\n", v[i].field, text);
	}
	watch_print(l->w, "event '%s' for domain '%s':\n%s", l->kind->name,
		    virDomainGetName(dom), b.data ? b.data : "");
}

/* ---- all of them ---- */

#define KIND(name, id, callback)                           \
	{                                                  \
		name, VIR_DOMAIN_EVENT_ID_##id, (callback) \
	}

static const struct watch_kind kinds[] = {
	KIND("lifecycle", LIFECYCLE, on_life),
	KIND("reboot", REBOOT, on_plain),
	KIND("rtc-change", RTC_CHANGE, on_rtc),
	KIND("watchdog", WATCHDOG, on_watchdog),
	KIND("io-error", IO_ERROR, on_io_error),
	KIND("graphics", GRAPHICS, on_graphics),
	KIND("io-error-reason", IO_ERROR_REASON, on_io_reason),
	KIND("control-error", CONTROL_ERROR, on_plain),
	KIND("block-job", BLOCK_JOB, on_block_job),
	KIND("disk-change", DISK_CHANGE, on_disk_change),
	KIND("tray-change", TRAY_CHANGE, on_tray),
	KIND("pm-wakeup", PMWAKEUP, on_power),
	KIND("pm-suspend", PMSUSPEND, on_power),
	KIND("balloon-change", BALLOON_CHANGE, on_balloon),
	KIND("pm-suspend-disk", PMSUSPEND_DISK, on_power),
	KIND("device-removed", DEVICE_REMOVED, on_device),
	KIND("block-job-2", BLOCK_JOB_2, on_block_job),
	KIND("tunable", TUNABLE, on_params),
	KIND("agent-lifecycle", AGENT_LIFECYCLE, on_agent),
	KIND("device-added", DEVICE_ADDED, on_device),
	KIND("migration-iteration", MIGRATION_ITERATION, on_iteration),
	KIND("job-completed", JOB_COMPLETED, on_params),
	KIND("device-removal-failed", DEVICE_REMOVAL_FAILED, on_device),
	KIND("metadata-change", METADATA_CHANGE, on_metadata),
	KIND("block-threshold", BLOCK_THRESHOLD, on_threshold),
	KIND("memory-failure", MEMORY_FAILURE, on_memory_failure),
	KIND("memory-device-size-change", MEMORY_DEVICE_SIZE_CHANGE,
	     on_memory_size),
	{ NULL },
};

static int listen_for(struct ctl *ctl, virDomainPtr dom, struct listener *l)
{
	l->id = virConnectDomainEventRegisterAny(
		ctl->conn, dom, l->kind->id,
		VIR_DOMAIN_EVENT_CALLBACK(l->kind->callback), l, NULL);
	return l->id < 0 ? -1 : 0;
}

/* All kinds, or only one of them. */
static int watch_domain(struct ctl *ctl, const struct args *args,
			virDomainPtr dom, const struct watch_kind *only,
			unsigned long timeout)
{
	struct listener l[ARRAY_SIZE(kinds)] = { 0 };
	struct watch w = WATCH(args);
	int status = EXIT_OK;
	size_t n = 0;

	for (const struct watch_kind *k = only ? only : kinds;
	     k->name && status == EXIT_OK && (n == 0 || !only); k++) {
		l[n] = (struct listener){ &w, k, -1 };
		if (listen_for(ctl, dom, &l[n]) < 0)
			status = say_failed(ctl, NULL);
		else
			n++;
	}
	if (status == EXIT_OK)
		status = watch_finish(ctl, args, &w, timeout);
	while (n-- > 0)
		virConnectDomainEventDeregisterAny(ctl->conn, l[n].id);
	return status;
}

static int run_event(struct ctl *ctl, const struct args *args)
{
	const char *name = args_get(args, "event");
	const struct watch_kind *only = NULL;
	unsigned long timeout = 0;
	virDomainPtr dom = NULL;
	int status;

	if (args_exclusive(args, "all", "event") < 0 ||
	    args_exclusive(args, "list", "all") < 0 ||
	    args_exclusive(args, "list", "event") < 0)
		return EXIT_FAILED;
	if (args_has(args, "list")) {
		watch_list(kinds);
		return EXIT_OK;
	}
	if (!name && !args_has(args, "all")) {
		say_error("one of --list, --all, or --event <type> is "
			  "required");
		return EXIT_FAILED;
	}
	if (name && !(only = watch_find(kinds, name)))
		return EXIT_FAILED;
	if (watch_timeout(args, &timeout) < 0)
		return EXIT_FAILED;
	if (args_has(args, "domain") && !(dom = ctl_domain(ctl, args)))
		return EXIT_FAILED;
	status = watch_domain(ctl, args, dom, only, timeout);
	if (dom)
		virDomainFree(dom);
	return status;
}

static void complete_kinds(struct ctl *ctl, const char *prefix)
{
	for (const struct watch_kind *k = kinds; k->name; k++)
		complete_offer(k->name, prefix);
}

const struct command family_event[] = {
	{
		.name = "event",
		.group = "events",
		.summary = "domain events",
		.details = "Prints events as they happen: one, or all with "
			   "--loop.",
		.opts = OPTS({ .name = "domain",
			       .kind = OPT_STRING,
			       .help = "only of this domain",
			       .complete = complete_domains },
			     { .name = "event",
			       .kind = OPT_STRING,
			       .help = "which event type",
			       .complete = complete_kinds },
			     FLAG("all", "events of every type"), FLAG("loop"),
			     NUMBER("timeout"),
			     FLAG("list", "list the event types"),
			     FLAG("timestamp")),
		.run = run_event,
	},
	{ NULL },
};
