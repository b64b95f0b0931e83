/*
 * daemon/handlers_event.c -- registering for events.
 *
 * All on the loop: an event that happens after the registration's reply was
 * made is sent after it.
 */
#include <libvirt/libvirt.h>

#include "daemon/events.h"
#include "daemon/reply.h"

/* ---- domains: three generations ---- */

int handle_connect_domain_event_register(struct call *call, wire_int *reply,
					 struct error *err)
{
	*reply = 1;
	return events_subscribe(call->session, EVENT_DOMAIN,
				VIR_DOMAIN_EVENT_ID_LIFECYCLE, NULL, NULL, err);
}

int handle_connect_domain_event_deregister(struct call *call, wire_int *reply,
					   struct error *err)
{
	return events_unsubscribe_old(call->session,
				      VIR_DOMAIN_EVENT_ID_LIFECYCLE, err);
}

int handle_connect_domain_event_register_any(struct call *call,
					     const wire_int *args,
					     struct error *err)
{
	return events_subscribe(call->session, EVENT_DOMAIN, *args, NULL, NULL,
				err);
}

int handle_connect_domain_event_deregister_any(struct call *call,
					       const wire_int *args,
					       struct error *err)
{
	return events_unsubscribe_old(call->session, *args, err);
}

int handle_connect_domain_event_callback_register_any(
	struct call *call, const wire_dom_event_args *args, wire_int *reply,
	struct error *err)
{
	return events_subscribe(call->session, EVENT_DOMAIN, args->event,
				args->dom ? args->dom->uuid : NULL, reply, err);
}

int handle_connect_domain_event_callback_deregister_any(struct call *call,
							const wire_int *args,
							struct error *err)
{
	return events_unsubscribe(call->session, EVENT_DOMAIN, *args, err);
}

/* ---- the others ---- */

int handle_connect_network_event_register_any(struct call *call,
					      const wire_named_event_args *args,
					      wire_int *reply,
					      struct error *err)
{
	return events_subscribe(call->session, EVENT_NETWORK, args->event,
				args->obj ? args->obj->uuid : NULL, reply, err);
}

int handle_connect_network_event_deregister_any(struct call *call,
						const wire_int *args,
						struct error *err)
{
	return events_unsubscribe(call->session, EVENT_NETWORK, *args, err);
}

int handle_connect_storage_pool_event_register_any(
	struct call *call, const wire_named_event_args *args, wire_int *reply,
	struct error *err)
{
	return events_subscribe(call->session, EVENT_POOL, args->event,
				args->obj ? args->obj->uuid : NULL, reply, err);
}

int handle_connect_storage_pool_event_deregister_any(struct call *call,
						     const wire_int *args,
						     struct error *err)
{
	return events_unsubscribe(call->session, EVENT_POOL, *args, err);
}

/* Node devices have no uuid, and no device exists to be filtered for. */
int handle_connect_node_device_event_register_any(
	struct call *call, const wire_nodedev_event_args *args, wire_int *reply,
	struct error *err)
{
	return events_subscribe(call->session, EVENT_NODEDEV, args->event, NULL,
				reply, err);
}

int handle_connect_node_device_event_deregister_any(struct call *call,
						    const wire_int *args,
						    struct error *err)
{
	return events_unsubscribe(call->session, EVENT_NODEDEV, *args, err);
}

int handle_connect_secret_event_register_any(struct call *call,
					     const wire_secret_event_args *args,
					     wire_int *reply, struct error *err)
{
	return events_subscribe(call->session, EVENT_SECRET, args->event,
				args->secret ? args->secret->uuid : NULL, reply,
				err);
}

int handle_connect_secret_event_deregister_any(struct call *call,
					       const wire_int *args,
					       struct error *err)
{
	return events_unsubscribe(call->session, EVENT_SECRET, *args, err);
}
