/*
 * cli/cmd-event.c -- print events as they happen.
 */
#include <pthread.h>
#include <time.h>

#include "cli/args.h"
#include "cli/output.h"

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

struct watch {
	pthread_mutex_t lock;
	pthread_cond_t seen;
	unsigned int n;
	bool timestamp;
};

static const char *detail_name(int event, int detail)
{
	const char *text = NULL;

	if (event >= 0 && (size_t)event < ARRAY_SIZE(details) && detail >= 0 &&
	    (size_t)detail < ARRAY_SIZE(details[0]))
		text = details[event][detail];
	return text ? text : "unknown";
}

static void print_time(void)
{
	char text[64];
	struct timespec ts;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	printf("%s.%03ld+0000: ", text, ts.tv_nsec / 1000000);
}

static void on_event(virConnectPtr conn, virDomainPtr dom, int event,
		     int detail, void *arg)
{
	struct watch *w = arg;

	(void)conn;
	if (w->timestamp)
		print_time();
	printf("event 'lifecycle' for domain '%s': %s %s\n",
	       virDomainGetName(dom),
	       event >= 0 && (size_t)event < ARRAY_SIZE(names) ? names[event]
							       : "unknown",
	       detail_name(event, detail));
	fflush(stdout);
	pthread_mutex_lock(&w->lock);
	w->n++;
	pthread_cond_signal(&w->seen);
	pthread_mutex_unlock(&w->lock);
}

/* Until one came (or for ever, with loop), or the time is over. */
static void wait_events(struct watch *w, bool loop, unsigned long timeout)
{
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += timeout;
	pthread_mutex_lock(&w->lock);
	while (r == 0 && (loop || !w->n))
		r = timeout ? pthread_cond_timedwait(&w->seen, &w->lock, &until)
			    : pthread_cond_wait(&w->seen, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

static int watch_domain(struct ctl *ctl, const struct args *args,
			virDomainPtr dom, unsigned long timeout)
{
	struct watch w = { .lock = PTHREAD_MUTEX_INITIALIZER,
			   .seen = PTHREAD_COND_INITIALIZER,
			   .timestamp = args_has(args, "timestamp") };
	int id = virConnectDomainEventRegisterAny(
		ctl->conn, dom, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
		VIR_DOMAIN_EVENT_CALLBACK(on_event), &w, NULL);

	if (id < 0)
		return say_failed(ctl, "cannot watch for events");
	wait_events(&w, args_has(args, "loop"), timeout);
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
