/*
 * daemon/guest.c -- what a guest did by itself, as its driver tells it, with
 * the domain's job held.
 */
#include <libvirt/libvirt.h>
#include <string.h>

#include "daemon/blockjob.h"
#include "daemon/registry.h"
#include "daemon/tune.h"

#define LOG_MODULE "domain"
#include "base/log.h"

static void guest_stopped(struct dom_obj *obj, const char *why)
{
	run_stop_quietly(obj);
	if (str_eq(why, "quit"))
		run_stopped(obj, VIR_DOMAIN_SHUTOFF_DESTROYED,
			    VIR_DOMAIN_EVENT_STOPPED_DESTROYED);
	else
		run_stopped(obj, VIR_DOMAIN_SHUTOFF_SHUTDOWN,
			    VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN);
}

/* The guest's own crash, or that of the VMM under it? */
static bool guest_crash(const char *why)
{
	return str_eq(why, "crash") || str_eq(why, "panicked");
}

static void guest_crashed(struct dom_obj *obj, const char *why)
{
	bool guest = guest_crash(why);

	if (guest)
		notify_lifecycle(obj, VIR_DOMAIN_EVENT_CRASHED,
				 VIR_DOMAIN_EVENT_CRASHED_PANICKED);
	log_warn("domain '%s' crashed: %s", obj->d.name, why);
	run_stop_quietly(obj);
	run_stopped(obj, VIR_DOMAIN_SHUTOFF_CRASHED,
		    guest ? VIR_DOMAIN_EVENT_STOPPED_CRASHED :
			    VIR_DOMAIN_EVENT_STOPPED_FAILED);
}

/* on_poweroff or on_crash says preserve: the stopped machine stays. */
static void guest_preserved(struct dom_obj *obj, bool crashed)
{
	if (!crashed) {
		run_force_state(obj, VIR_DOMAIN_SHUTDOWN,
			    VIR_DOMAIN_SHUTDOWN_UNKNOWN);
		notify_lifecycle(obj, VIR_DOMAIN_EVENT_SHUTDOWN,
				 VIR_DOMAIN_EVENT_SHUTDOWN_GUEST);
		return;
	}
	run_force_state(obj, VIR_DOMAIN_CRASHED, VIR_DOMAIN_CRASHED_PANICKED);
	notify_lifecycle(obj, VIR_DOMAIN_EVENT_CRASHED,
			 VIR_DOMAIN_EVENT_CRASHED_PANICKED);
}

static void guest_paused(struct dom_obj *obj, const char *why)
{
	int reason = VIR_DOMAIN_PAUSED_UNKNOWN;
	int detail = VIR_DOMAIN_EVENT_SUSPENDED_PAUSED;

	if (str_eq(why, "ioerror")) {
		reason = VIR_DOMAIN_PAUSED_IOERROR;
		detail = VIR_DOMAIN_EVENT_SUSPENDED_IOERROR;
	} else if (str_eq(why, "watchdog")) {
		reason = VIR_DOMAIN_PAUSED_WATCHDOG;
		detail = VIR_DOMAIN_EVENT_SUSPENDED_WATCHDOG;
	}
	if (obj->state == VIR_DOMAIN_PAUSED)
		return;
	run_force_state(obj, VIR_DOMAIN_PAUSED, reason);
	notify_lifecycle(obj, VIR_DOMAIN_EVENT_SUSPENDED, detail);
}

static void guest_resumed(struct dom_obj *obj)
{
	if (obj->state == VIR_DOMAIN_RUNNING)
		return;
	run_force_state(obj, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_UNPAUSED);
	notify_lifecycle(obj, VIR_DOMAIN_EVENT_RESUMED,
			 VIR_DOMAIN_EVENT_RESUMED_UNPAUSED);
}

static void guest_shutting_down(struct dom_obj *obj)
{
	if (obj->state == VIR_DOMAIN_SHUTDOWN)
		return;
	run_force_state(obj, VIR_DOMAIN_SHUTDOWN, VIR_DOMAIN_SHUTDOWN_UNKNOWN);
	notify_lifecycle(obj, VIR_DOMAIN_EVENT_SHUTDOWN,
			 VIR_DOMAIN_EVENT_SHUTDOWN_GUEST);
}

static void guest_rebooted(struct dom_obj *obj)
{
	struct domain_notice n = { .kind = DOMAIN_NOTIFY_REBOOT };

	if (obj->state == VIR_DOMAIN_SHUTDOWN)
		run_force_state(obj, VIR_DOMAIN_RUNNING,
			    VIR_DOMAIN_RUNNING_BOOTED);
	notify(obj, &n);
}

static void show_tray(struct dom_disk *disk, bool open)
{
	free(disk->tray);
	disk->tray = open ? xstrdup("open") : NULL;
}

/* why: "open sata0-0-1" */
static void guest_tray(struct dom_obj *obj, const char *why)
{
	bool open = str_startswith(why, "open ");
	const char *alias = strchr(why, ' ');
	struct domain_notice n = {
		.kind = DOMAIN_NOTIFY_TRAY,
		.value = open ? VIR_DOMAIN_EVENT_TRAY_CHANGE_OPEN :
				VIR_DOMAIN_EVENT_TRAY_CHANGE_CLOSE,
	};

	for (unsigned int i = 0; alias && i < obj->d.live->n_disks; i++) {
		struct dom_disk *disk = &obj->d.live->disks[i];

		if (!str_eq(disk->info.alias, alias + 1))
			continue;
		pthread_mutex_lock(&obj->reg->lock);
		show_tray(disk, open);
		pthread_mutex_unlock(&obj->reg->lock);
		run_force_state(obj, obj->state, obj->reason);
		n.uri = disk->info.alias;
		notify(obj, &n);
		return;
	}
}

static struct dom_char *find_channel(struct dom_obj *obj, const char *alias)
{
	for (unsigned int i = 0; alias && i < obj->d.live->n_chars; i++) {
		struct dom_char *c = &obj->d.live->chars[i];

		if (c->kind == CHAR_CHANNEL && str_eq(c->info.alias, alias))
			return c;
	}
	return NULL;
}

static void guest_agent(struct dom_obj *obj, bool open)
{
	struct domain_notice n = {
		.kind = DOMAIN_NOTIFY_AGENT,
		.value = open ? VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_CONNECTED :
				VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_DISCONNECTED,
		.detail = VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_REASON_CHANNEL,
	};

	if (open)
		agent_opened(obj);
	else
		agent_closed(obj);
	notify(obj, &n);
}

/* why: "open channel0" */
static void guest_port(struct dom_obj *obj, const char *why)
{
	bool open = str_startswith(why, "open ");
	const char *state = open ? "connected" : "disconnected";
	const char *alias = strchr(why, ' ');
	struct dom_char *c = find_channel(obj, alias ? alias + 1 : NULL);

	if (!c)
		return;
	if (str_eq(c->target_state, state)) {
		/* A daemon that starts anew is not connected to it yet. */
		if (open && agent_is_channel(c))
			agent_opened(obj);
		return;
	}
	pthread_mutex_lock(&obj->reg->lock);
	free(c->target_state);
	c->target_state = xstrdup(state);
	pthread_mutex_unlock(&obj->reg->lock);
	run_force_state(obj, obj->state, obj->reason);
	if (agent_is_channel(c))
		guest_agent(obj, open);
}

/* What follows but a pause has events of its own. */
static void guest_watchdog(struct dom_obj *obj, const char *action)
{
	static const char *const words[] = {
		[VIR_DOMAIN_EVENT_WATCHDOG_NONE] = "none",
		[VIR_DOMAIN_EVENT_WATCHDOG_PAUSE] = "pause",
		[VIR_DOMAIN_EVENT_WATCHDOG_RESET] = "reset",
		[VIR_DOMAIN_EVENT_WATCHDOG_POWEROFF] = "poweroff",
		[VIR_DOMAIN_EVENT_WATCHDOG_SHUTDOWN] = "shutdown",
		[VIR_DOMAIN_EVENT_WATCHDOG_INJECTNMI] = "inject-nmi",
	};
	struct domain_notice n = { .kind = DOMAIN_NOTIFY_WATCHDOG };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (words[i] && str_eq(words[i], action))
			n.value = i;
	notify(obj, &n);
	if (n.value == VIR_DOMAIN_EVENT_WATCHDOG_PAUSE)
		guest_paused(obj, "watchdog");
}

static void guest_graphics(struct dom_obj *obj, const char *viewer)
{
	struct domain_notice n = {
		.kind = DOMAIN_NOTIFY_GRAPHICS,
		.viewer = viewer,
	};

	notify(obj, &n);
}

/* Nobody listens there: an everyday answer. */
static void guest_vsock(struct dom_obj *obj, const char *port)
{
	struct error err = { 0 };

	if (driver_call(obj, &err, vsock_connect, strtoul(port, NULL, 10)) < 0)
		log_debug("domain '%s': %s", obj->d.name, err.message);
}

static void set_balloon(struct dom_obj *obj, uint64_t bytes)
{
	struct domain_notice n = {
		.kind = DOMAIN_NOTIFY_BALLOON,
		.value = bytes / KIB,
	};

	if (bytes == obj->d.live->cur_memory)
		return;
	pthread_mutex_lock(&obj->reg->lock);
	obj->d.live->cur_memory = bytes;
	pthread_mutex_unlock(&obj->reg->lock);
	run_force_state(obj, obj->state, obj->reason);
	notify(obj, &n);
}

void guest_refresh_balloon(struct dom_obj *obj)
{
	struct domain_stats stats = { 0 };
	struct error err = { 0 };

	if (driver_call(obj, &err, stats, &stats) < 0)
		return;
	if (stats.balloon_bytes)
		set_balloon(obj, stats.balloon_bytes);
	domain_stats_finish(&stats);
}

/* It gave some back, perhaps long after it was asked. */
static void guest_vcpus(struct dom_obj *obj, unsigned int n)
{
	if (!n || n == obj->d.live->vcpus || n > obj->d.live->max_vcpus)
		return;
	pthread_mutex_lock(&obj->reg->lock);
	obj->d.live->vcpus = n;
	pthread_mutex_unlock(&obj->reg->lock);
	run_force_state(obj, obj->state, obj->reason);
}

/* Where the difference is kept, the guest finds its time again. */
static void guest_rtc(struct dom_obj *obj, int64_t offset)
{
	struct domain_notice n = {
		.kind = DOMAIN_NOTIFY_RTC,
		.value = (uint64_t)offset,
	};

	if (obj->d.live->clock == CLOCK_VARIABLE)
		tune_clock(obj, offset);
	notify(obj, &n);
}

static void guest_ended(struct dom_obj *obj, bool crashed, const char *why)
{
	if (str_eq(why, "preserved"))
		guest_preserved(obj, crashed);
	else if (crashed)
		guest_crashed(obj, why);
	else
		guest_stopped(obj, why);
}

void guest_event(struct dom_obj *obj, const struct pending_event *ev)
{
	if (!obj->active || ev->id != obj->d.id)
		return; /* about a run that has ended */
	switch (ev->event) {
	case DOMAIN_EVENT_PAUSED:
		guest_paused(obj, ev->why);
		break;
	case DOMAIN_EVENT_RESUMED:
		guest_resumed(obj);
		break;
	case DOMAIN_EVENT_ASLEEP:
		guest_asleep(obj);
		break;
	case DOMAIN_EVENT_AWAKE:
		guest_awake(obj);
		break;
	case DOMAIN_EVENT_REBOOTED:
		guest_rebooted(obj);
		break;
	case DOMAIN_EVENT_SHUTDOWN:
		guest_shutting_down(obj);
		break;
	case DOMAIN_EVENT_STOPPED:
	case DOMAIN_EVENT_CRASHED:
		guest_ended(obj, ev->event == DOMAIN_EVENT_CRASHED, ev->why);
		break;
	case DOMAIN_EVENT_BALLOON:
		guest_refresh_balloon(obj);
		break;
	case DOMAIN_EVENT_GRAPHICS:
		guest_graphics(obj, ev->why);
		break;
	case DOMAIN_EVENT_TRAY:
		guest_tray(obj, ev->why);
		break;
	case DOMAIN_EVENT_VSOCK:
		guest_vsock(obj, ev->why);
		break;
	case DOMAIN_EVENT_PORT:
		guest_port(obj, ev->why);
		break;
	case DOMAIN_EVENT_BLOCKJOB:
		blockjob_event(obj, ev->why);
		break;
	case DOMAIN_EVENT_HANDOVER:
		migrate_handover(obj, ev->why);
		break;
	case DOMAIN_EVENT_ITERATION:
		break; /* told at once */
	case DOMAIN_EVENT_VCPUS:
		guest_vcpus(obj, strtoul(ev->why, NULL, 10));
		break;
	case DOMAIN_EVENT_RTC:
		guest_rtc(obj, strtoll(ev->why, NULL, 10));
		break;
	case DOMAIN_EVENT_WATCHDOG:
		guest_watchdog(obj, ev->why);
		break;
	case DOMAIN_EVENT_MEMORY:
		guest_memory(obj, ev->why);
		break;
	case DOMAIN_EVENT_DEVICE_REMOVED:
		guest_device_removed(obj, ev->why);
		break;
	case DOMAIN_EVENT_DEVICE_KEPT:
		guest_device_kept(obj, ev->why);
		break;
	}
}
