/*
 * cli/cmd-net-event.c -- events of networks as they happen: net-event.
 */
#include "cli/network.h"
#include "cli/output.h"
#include "cli/watch.h"

static void on_life(virConnectPtr conn, virNetworkPtr net, int event,
		    int detail, void *arg)
{
	static const char *const names[] = { "Defined", "Undefined", "Started",
					     "Stopped" };

	watch_print(arg, "event 'lifecycle' for network %s: %s\n",
		    virNetworkGetName(net), WATCH_NAME(names, event));
}

static const struct watch_kind kinds[] = {
	{ "lifecycle", VIR_NETWORK_EVENT_ID_LIFECYCLE, on_life },
	{ NULL },
};

static int watch_networks(struct ctl *ctl, const struct args *args,
			  const struct watch_kind *kind, unsigned long timeout)
{
	const char *name = args_get(args, "network");
	virNetworkPtr net = name ? ctl_network(ctl, name) : NULL;
	struct watch w = WATCH(args);
	int status = EXIT_FAILED, id;

	if (name && !net)
		return EXIT_FAILED;
	id = virConnectNetworkEventRegisterAny(
		ctl->conn, net, kind->id,
		VIR_NETWORK_EVENT_CALLBACK(kind->callback), &w, NULL);
	if (id < 0) {
		say_failed(ctl, NULL);
	} else {
		status = watch_finish(ctl, args, &w, timeout);
		virConnectNetworkEventDeregisterAny(ctl->conn, id);
	}
	if (net)
		virNetworkFree(net);
	return status;
}

static int run_net_event(struct ctl *ctl, const struct args *args)
{
	return watch_run(ctl, args, kinds, watch_networks);
}

const struct command family_net_event[] = {
	{
		.name = "net-event",
		.group = "network",
		.summary = "network events",
		.opts = OPTS(STRING("network", "only of this one"),
			     OPTS_EVENT),
		.run = run_net_event,
	},
	{ NULL },
};
