/*
 * cli/cmd-nodedev-event.c -- events of the host's devices as they happen.
 */
#include "cli/output.h"
#include "cli/watch.h"

static void on_life(virConnectPtr conn, virNodeDevicePtr dev, int event,
		    int detail, void *arg)
{
	static const char *const names[] = { "Created", "Deleted", "Defined",
					     "Undefined" };

	watch_print(arg, "event 'lifecycle' for node device %s: %s\n",
		    virNodeDeviceGetName(dev), WATCH_NAME(names, event));
}

static void on_update(virConnectPtr conn, virNodeDevicePtr dev, void *arg)
{
	watch_print(arg, "event 'update' for node device %s\n",
		    virNodeDeviceGetName(dev));
}

static const struct watch_kind kinds[] = {
	{ "lifecycle", VIR_NODE_DEVICE_EVENT_ID_LIFECYCLE, on_life },
	{ "update", VIR_NODE_DEVICE_EVENT_ID_UPDATE, on_update },
	{ NULL },
};

static int watch_devices(struct ctl *ctl, const struct args *args,
			 const struct watch_kind *kind, unsigned long timeout)
{
	const char *name = args_get(args, "device");
	virNodeDevicePtr dev =
		name ? virNodeDeviceLookupByName(ctl->conn, name) : NULL;
	struct watch w = WATCH(args);
	int status = EXIT_FAILED, id;

	if (name && !dev)
		return say_failed(ctl, "Could not find matching device '%s'",
				  name);
	id = virConnectNodeDeviceEventRegisterAny(
		ctl->conn, dev, kind->id,
		VIR_NODE_DEVICE_EVENT_CALLBACK(kind->callback), &w, NULL);
	if (id < 0) {
		say_failed(ctl, NULL);
	} else {
		status = watch_finish(ctl, args, &w, timeout);
		virConnectNodeDeviceEventDeregisterAny(ctl->conn, id);
	}
	if (dev)
		virNodeDeviceFree(dev);
	return status;
}

static int run_nodedev_event(struct ctl *ctl, const struct args *args)
{
	return watch_run(ctl, args, kinds, watch_devices);
}

const struct command family_nodedev_event[] = {
	{
		.name = "nodedev-event",
		.group = "nodedev",
		.summary = "node device events",
		.opts = OPTS({ .name = "device",
			       .kind = OPT_STRING,
			       .help = "only of this one",
			       .complete = complete_nodedevs },
			     OPTS_EVENT),
		.run = run_nodedev_event,
	},
	{ NULL },
};
