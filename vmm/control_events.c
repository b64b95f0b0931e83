/*
 * vmm/control_events.c -- what the machine tells, told to the client.
 */
#include "vmm/control_priv.h"

#include <netdb.h>

#include "vmm/hotplug.h"
#include "vmm/loop.h"
#include "vmm/vnc/vnc.h"

static void control_on_reset(void *arg)
{
	control_send(arg, control_event("reset"));
}

void control_on_stopped(void *arg, enum machine_stop why,
			const char *detail, bool preserved)
{
	struct control *c = arg;
	struct json_object *o = control_event("stopped");

	control_set_state(c, STATE_STOPPED, why);
	control_add_str(o, "reason", machine_stop_name(why));
	control_add_str(o, "detail", detail);
	control_send(c, o);
	if (!preserved)
		loop_quit(c->loop);
}

static void control_on_shutdown(void *arg)
{
	control_send(arg, control_event("shutdown"));
}

static void control_on_asleep(void *arg, bool asleep)
{
	control_send(arg, control_event(asleep ? "asleep" : "awake"));
}

static void control_on_balloon(void *arg, uint64_t actual)
{
	struct json_object *o = control_event("balloon");

	control_add_u64(o, "actual", actual);
	control_send(arg, o);
}

static void control_on_panicked(void *arg)
{
	control_send(arg, control_event("panicked"));
}

/* {"family": "ipv4", "node": "127.0.0.1", "service": "5900"} */
static struct json_object *control_address(const struct sockaddr_storage *ss)
{
	struct json_object *o = json_object_new_object();
	char node[NI_MAXHOST] = "", service[NI_MAXSERV] = "";

	if (ss->ss_family != AF_UNIX)
		getnameinfo((const struct sockaddr *)ss, sizeof(*ss), node,
			    sizeof(node), service, sizeof(service),
			    NI_NUMERICHOST | NI_NUMERICSERV);
	control_add_str(o, "family",
			ss->ss_family == AF_INET  ? "ipv4" :
			ss->ss_family == AF_INET6 ? "ipv6" :
						    "unix");
	control_add_str(o, "node", node);
	control_add_str(o, "service", service);
	return o;
}

static void control_on_vnc(void *arg, const struct vnc_event *e)
{
	struct json_object *o = control_event("vnc");

	control_add_str(o, "phase", e->phase);
	control_add_str(o, "auth", e->auth);
	control_add_u64(o, "index", e->index);
	json_object_object_add(o, "local", control_address(&e->local));
	json_object_object_add(o, "remote", control_address(&e->remote));
	control_send(arg, o);
}

static void control_on_watchdog(void *arg, enum spec_watchdog action)
{
	struct control *c = arg;
	struct json_object *o = control_event("watchdog");

	if (action == WATCHDOG_PAUSE) {
		machine_pause(c->m);
		control_set_state(c, STATE_PAUSED, STOP_NONE);
	}
	control_add_str(o, "action", vmm_spec_watchdog_name(action));
	control_send(c, o);
}

static void control_on_tray(void *arg, const char *id, bool open)
{
	struct json_object *o = control_event("tray");

	control_add_str(o, "drive", id);
	json_object_object_add(o, "open", json_object_new_boolean(open));
	control_send(arg, o);
}

static void control_on_vsock(void *arg, uint32_t port)
{
	struct control *c = arg;
	struct json_object *o;

	if (c->client < 0) { /* nobody there who could connect */
		machine_vsock_connected(c->m, port, -1);
		return;
	}
	o = control_event("vsock");
	control_add_u64(o, "port", port);
	control_send(c, o);
}

void control_tell_device(struct control *c, const char *event,
			 const char *id)
{
	struct json_object *o = control_event(event);

	control_add_str(o, "device", id);
	control_send(c, o);
}

static void control_on_unplugged(void *arg, unsigned int bus, bool gone)
{
	struct control *c = arg;
	char *id;

	while ((id = hotplug_on_bus(c->hotplug, bus, gone))) {
		control_tell_device(c, gone ? "unplugged" : "kept", id);
		free(id);
		if (!gone)
			break;
	}
}

static void control_on_port(void *arg, const char *id, bool open)
{
	struct json_object *o = control_event("port");

	control_add_str(o, "port", id);
	json_object_object_add(o, "open", json_object_new_boolean(open));
	control_send(arg, o);
}

static void control_on_memory(void *arg, const char *id,
			      enum machine_memory what, uint64_t bytes)
{
	struct control *c = arg;
	struct json_object *o;

	if (what == MEMORY_GONE)
		hotplug_forget(c->hotplug, id);
	if (what != MEMORY_IN_USE) {
		control_tell_device(c, what == MEMORY_GONE ? "unplugged" :
							      "kept", id);
		return;
	}
	o = control_event("memory");
	control_add_str(o, "device", id);
	control_add_u64(o, "size", bytes);
	control_send(c, o);
}

static void control_on_vcpus(void *arg, unsigned int n)
{
	struct json_object *o = control_event("vcpus");

	control_add_u64(o, "count", n);
	control_send(arg, o);
}

static void control_on_rtc(void *arg, int64_t offset)
{
	struct json_object *o = control_event("rtc");

	json_object_object_add(o, "offset", json_object_new_int64(offset));
	control_send(arg, o);
}

const struct machine_listener control_listener = {
	.rtc = control_on_rtc,
	.vcpus = control_on_vcpus,
	.memory = control_on_memory,
	.reset = control_on_reset,
	.stopped = control_on_stopped,
	.shutdown = control_on_shutdown,
	.asleep = control_on_asleep,
	.balloon = control_on_balloon,
	.panicked = control_on_panicked,
	.watchdog = control_on_watchdog,
	.tray = control_on_tray,
	.unplugged = control_on_unplugged,
	.port = control_on_port,
	.vnc = control_on_vnc,
	.vsock = control_on_vsock,
};
