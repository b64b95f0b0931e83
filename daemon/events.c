/*
 * daemon/events.c -- what a client asked to be told, and telling it.
 *
 * Newer clients register with a callback id, which each message repeats; the
 * two older registrations get messages without one.  Every domain event is
 * accepted; those that never happen here are never sent.
 */
#include <string.h>

#define VIR_ENUM_SENTINELS /* the number of each kind of event */
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "base/error.h"
#include "daemon/domain.h"
#include "daemon/events.h"
#include "daemon/networks.h"
#include "daemon/reply.h"
#include "daemon/session.h"
#include "rpc/procs.h"

static const struct {
	const char *name;
	int count;
} classes[] = {
	[EVENT_DOMAIN] = { "domain", VIR_DOMAIN_EVENT_ID_LAST },
	[EVENT_NETWORK] = { "network", VIR_NETWORK_EVENT_ID_LAST },
	[EVENT_POOL] = { "storage pool", VIR_STORAGE_POOL_EVENT_ID_LAST },
	[EVENT_NODEDEV] = { "node device", VIR_NODE_DEVICE_EVENT_ID_LAST },
	[EVENT_SECRET] = { "secret", VIR_SECRET_EVENT_ID_LAST },
};

int events_subscribe(struct session *s, enum event_class class, int event,
		     const char *uuid, int *ret_id, struct error *err)
{
	struct subscription *sub;

	if (event < 0 || event >= classes[class].count)
		return error_virt(err, VIR_ERR_INTERNAL_ERROR,
				  "unsupported %s event ID %d",
				  classes[class].name, event);
	if (s->n_subscriptions == SESSION_SUBSCRIPTIONS_MAX)
		return error_virt(err, VIR_ERR_OPERATION_FAILED,
				  "too many event callbacks on one connection");
	sub = xcalloc(1, sizeof(*sub));
	sub->class = class;
	sub->event = event;
	if (uuid) {
		sub->filter = true;
		memcpy(sub->uuid, uuid, UUID_LEN);
	}
	if (ret_id)
		*ret_id = sub->id = ++s->last_callback;
	sub->next = s->subscriptions;
	s->subscriptions = sub;
	s->n_subscriptions++;
	return 0;
}

static void events_remove(struct session *s, struct subscription **p)
{
	struct subscription *sub = *p;

	*p = sub->next;
	s->n_subscriptions--;
	free(sub);
}

int events_unsubscribe(struct session *s, enum event_class class, int id,
		       struct error *err)
{
	struct subscription **p = &s->subscriptions;

	while (*p && ((*p)->class != class || (*p)->id != id || !(*p)->id))
		p = &(*p)->next;
	if (!*p)
		return error_virt(err, VIR_ERR_INTERNAL_ERROR,
				  "%s event callback %d not registered",
				  classes[class].name, id);
	events_remove(s, p);
	return 0;
}

int events_unsubscribe_old(struct session *s, int event, struct error *err)
{
	struct subscription **p = &s->subscriptions;

	while (*p && ((*p)->class != EVENT_DOMAIN || (*p)->event != event ||
		      (*p)->id))
		p = &(*p)->next;
	if (!*p)
		return error_virt(err, VIR_ERR_INTERNAL_ERROR,
				  "domain event %d not registered", event);
	events_remove(s, p);
	return 0;
}

void events_forget(struct session *s)
{
	while (s->subscriptions)
		events_remove(s, &s->subscriptions);
}

/* ---- telling ---- */

static void tell(struct session *s, int proc, xdrproc_t type, const void *body)
{
	wire_header h = {
		.prog = RPC_PROGRAM,
		.vers = RPC_VERSION,
		.proc = proc,
		.type = FRAME_MESSAGE,
		.serial = 1, /* as libvirtd has it */
	};

	session_send(s, packet_create(&h, type, body));
}

static void tell_lifecycle(struct session *s, const struct subscription *sub,
			   const wire_dom *dom, const struct domain_notice *n)
{
	wire_cb_lifecycle m = { sub->id, { *dom, n->event, n->detail } };

	if (sub->id)
		tell(s, PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE,
		     (xdrproc_t)xdr_wire_cb_lifecycle, &m);
	else
		tell(s, PROC_DOMAIN_EVENT_LIFECYCLE,
		     (xdrproc_t)xdr_wire_ev_lifecycle, &m.msg);
}

static void tell_reboot(struct session *s, const struct subscription *sub,
			const wire_dom *dom, const struct domain_notice *n)
{
	wire_cb_dom m = { sub->id, *dom };

	if (sub->id)
		tell(s, PROC_DOMAIN_EVENT_CALLBACK_REBOOT,
		     (xdrproc_t)xdr_wire_cb_dom, &m);
	else
		tell(s, PROC_DOMAIN_EVENT_REBOOT, (xdrproc_t)xdr_wire_dom, dom);
}

static void tell_pm(struct session *s, const struct subscription *sub,
		    const wire_dom *dom, int proc, int old_proc)
{
	wire_cb_pm m = { sub->id, 0, *dom };

	if (sub->id)
		tell(s, proc, (xdrproc_t)xdr_wire_cb_pm, &m);
	else
		tell(s, old_proc, (xdrproc_t)xdr_wire_dom, dom);
}

static void tell_asleep(struct session *s, const struct subscription *sub,
			const wire_dom *dom, const struct domain_notice *n)
{
	tell_pm(s, sub, dom, PROC_DOMAIN_EVENT_CALLBACK_PMSUSPEND,
		PROC_DOMAIN_EVENT_PMSUSPEND);
}

static void tell_awake(struct session *s, const struct subscription *sub,
		       const wire_dom *dom, const struct domain_notice *n)
{
	tell_pm(s, sub, dom, PROC_DOMAIN_EVENT_CALLBACK_PMWAKEUP,
		PROC_DOMAIN_EVENT_PMWAKEUP);
}

static void tell_balloon(struct session *s, const struct subscription *sub,
			 const wire_dom *dom, const struct domain_notice *n)
{
	wire_cb_dom_u64 m = { sub->id, *dom, n->value };
	wire_dom_u64 old = { *dom, n->value };

	if (sub->id)
		tell(s, PROC_DOMAIN_EVENT_CALLBACK_BALLOON_CHANGE,
		     (xdrproc_t)xdr_wire_cb_dom_u64, &m);
	else
		tell(s, PROC_DOMAIN_EVENT_BALLOON_CHANGE,
		     (xdrproc_t)xdr_wire_dom_u64, &old);
}

static void tell_rtc(struct session *s, const struct subscription *sub,
		     const wire_dom *dom, const struct domain_notice *n)
{
	wire_cb_dom_u64 m = { sub->id, *dom, n->value };
	wire_dom_u64 old = { *dom, n->value };

	if (sub->id)
		tell(s, PROC_DOMAIN_EVENT_CALLBACK_RTC_CHANGE,
		     (xdrproc_t)xdr_wire_cb_dom_u64, &m);
	else
		tell(s, PROC_DOMAIN_EVENT_RTC_CHANGE,
		     (xdrproc_t)xdr_wire_dom_u64, &old);
}

static void tell_tray(struct session *s, const struct subscription *sub,
		      const wire_dom *dom, const struct domain_notice *n)
{
	wire_cb_tray m = { sub->id, { *dom, (char *)n->uri, n->value } };

	if (sub->id)
		tell(s, PROC_DOMAIN_EVENT_CALLBACK_TRAY_CHANGE,
		     (xdrproc_t)xdr_wire_cb_tray, &m);
	else
		tell(s, PROC_DOMAIN_EVENT_TRAY_CHANGE,
		     (xdrproc_t)xdr_wire_ev_tray, &m.msg);
}

static void tell_block_job(struct session *s, const struct subscription *sub,
			   const wire_dom *dom, const struct domain_notice *n)
{
	wire_cb_block_job m = { sub->id,
				{ *dom, (char *)n->uri, n->event, n->detail } };

	if (n->kind == DOMAIN_NOTIFY_BLOCK_JOB_2)
		tell(s, PROC_DOMAIN_EVENT_BLOCK_JOB_2,
		     (xdrproc_t)xdr_wire_cb_block_job, &m);
	else if (sub->id)
		tell(s, PROC_DOMAIN_EVENT_CALLBACK_BLOCK_JOB,
		     (xdrproc_t)xdr_wire_cb_block_job, &m);
	else
		tell(s, PROC_DOMAIN_EVENT_BLOCK_JOB,
		     (xdrproc_t)xdr_wire_ev_block_job, &m.msg);
}

static void tell_device(struct session *s, const struct subscription *sub,
			const wire_dom *dom, const struct domain_notice *n,
			int proc)
{
	wire_cb_device m = { sub->id, *dom, (char *)n->uri };

	tell(s, proc, (xdrproc_t)xdr_wire_cb_device, &m);
}

static void tell_added(struct session *s, const struct subscription *sub,
		       const wire_dom *dom, const struct domain_notice *n)
{
	if (sub->id) /* younger than the registrations without ids */
		tell_device(s, sub, dom, n,
			    PROC_DOMAIN_EVENT_CALLBACK_DEVICE_ADDED);
}

static void tell_kept(struct session *s, const struct subscription *sub,
		      const wire_dom *dom, const struct domain_notice *n)
{
	if (sub->id)
		tell_device(s, sub, dom, n,
			    PROC_DOMAIN_EVENT_CALLBACK_DEVICE_REMOVAL_FAILED);
}

static void tell_removed(struct session *s, const struct subscription *sub,
			 const wire_dom *dom, const struct domain_notice *n)
{
	wire_dom_str old = { *dom, (char *)n->uri };

	if (sub->id)
		tell_device(s, sub, dom, n,
			    PROC_DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED);
	else
		tell(s, PROC_DOMAIN_EVENT_DEVICE_REMOVED,
		     (xdrproc_t)xdr_wire_dom_str, &old);
}

static void tell_memory(struct session *s, const struct subscription *sub,
			const wire_dom *dom, const struct domain_notice *n)
{
	wire_cb_dom_str_u64 m = { sub->id, *dom, (char *)n->uri, n->value };

	if (sub->id)
		tell(s, PROC_DOMAIN_EVENT_MEMORY_DEVICE_SIZE_CHANGE,
		     (xdrproc_t)xdr_wire_cb_dom_str_u64, &m);
}

static void tell_watchdog(struct session *s, const struct subscription *sub,
			  const wire_dom *dom, const struct domain_notice *n)
{
	wire_cb_dom_int m = { sub->id, *dom, n->value };
	wire_dom_int old = { *dom, n->value };

	if (sub->id)
		tell(s, PROC_DOMAIN_EVENT_CALLBACK_WATCHDOG,
		     (xdrproc_t)xdr_wire_cb_dom_int, &m);
	else
		tell(s, PROC_DOMAIN_EVENT_WATCHDOG,
		     (xdrproc_t)xdr_wire_dom_int, &old);
}

static void tell_agent(struct session *s, const struct subscription *sub,
		       const wire_dom *dom, const struct domain_notice *n)
{
	wire_cb_agent m = { sub->id, *dom, n->value, n->detail };

	if (sub->id)
		tell(s, PROC_DOMAIN_EVENT_CALLBACK_AGENT_LIFECYCLE,
		     (xdrproc_t)xdr_wire_cb_agent, &m);
}

static void tell_iteration(struct session *s, const struct subscription *sub,
			   const wire_dom *dom, const struct domain_notice *n)
{
	wire_cb_dom_int m = { sub->id, *dom, n->value };

	if (sub->id)
		tell(s, PROC_DOMAIN_EVENT_CALLBACK_MIGRATION_ITERATION,
		     (xdrproc_t)xdr_wire_cb_dom_int, &m);
}

static void tell_job(struct session *s, const struct subscription *sub,
		     const wire_dom *dom, const struct domain_notice *n)
{
	wire_cb_job m = { .id = sub->id, .dom = *dom };
	struct params p = { 0 };

	reply_job(&p, &n->job);
	m.params.params_val = p.val;
	m.params.params_len = p.len;
	if (sub->id)
		tell(s, PROC_DOMAIN_EVENT_CALLBACK_JOB_COMPLETED,
		     (xdrproc_t)xdr_wire_cb_job, &m);
	params_free(&p);
}

static void tell_metadata(struct session *s, const struct subscription *sub,
			  const wire_dom *dom, const struct domain_notice *n)
{
	char *uri = (char *)n->uri;
	wire_cb_metadata m = { sub->id, *dom, n->type, uri ? &uri : NULL };

	if (sub->id) /* younger than the registrations without ids */
		tell(s, PROC_DOMAIN_EVENT_CALLBACK_METADATA_CHANGE,
		     (xdrproc_t)xdr_wire_cb_metadata, &m);
}

/* ---- graphics ---- */

enum { VIEWER_WORDS = 8 };

static void set_address(wire_graphics_address *a, char **word)
{
	a->family = str_eq(word[0], "ipv4") ?
			    VIR_DOMAIN_EVENT_GRAPHICS_ADDRESS_IPV4 :
		    str_eq(word[0], "ipv6") ?
			    VIR_DOMAIN_EVENT_GRAPHICS_ADDRESS_IPV6 :
			    VIR_DOMAIN_EVENT_GRAPHICS_ADDRESS_UNIX;
	a->node = str_eq(word[1], "-") ? "" : word[1];
	a->service = str_eq(word[2], "-") ? "" : word[2];
}

static int viewer_phase(const char *word)
{
	if (str_eq(word, "connected"))
		return VIR_DOMAIN_EVENT_GRAPHICS_CONNECT;
	if (str_eq(word, "initialized"))
		return VIR_DOMAIN_EVENT_GRAPHICS_INITIALIZE;
	return VIR_DOMAIN_EVENT_GRAPHICS_DISCONNECT;
}

static void tell_graphics(struct session *s, const struct subscription *sub,
			  const wire_dom *dom, const struct domain_notice *n)
{
	_cleanup_free_ char *text = xstrdup(n->viewer);
	wire_cb_graphics m = { sub->id, { .dom = *dom } };
	char *rest = text, *word[VIEWER_WORDS];

	for (unsigned int i = 0; i < VIEWER_WORDS; i++) {
		word[i] = strsep(&rest, " ");
		if (!word[i])
			return;
	}
	m.msg.phase = viewer_phase(word[0]);
	m.msg.auth = word[1];
	set_address(&m.msg.local, word + 2);
	set_address(&m.msg.remote, word + 5);
	if (sub->id)
		tell(s, PROC_DOMAIN_EVENT_CALLBACK_GRAPHICS,
		     (xdrproc_t)xdr_wire_cb_graphics, &m);
	else
		tell(s, PROC_DOMAIN_EVENT_GRAPHICS,
		     (xdrproc_t)xdr_wire_ev_graphics, &m.msg);
}

/* ---- pools and secrets: always with an id ---- */

static void tell_pool(struct session *s, const struct subscription *sub,
		      const wire_dom *obj, const struct domain_notice *n)
{
	wire_cb_named_lifecycle m = { sub->id, { .name = obj->name },
				      n->event, n->detail };

	memcpy(m.obj.uuid, obj->uuid, UUID_LEN);
	tell(s, PROC_STORAGE_POOL_EVENT_LIFECYCLE,
	     (xdrproc_t)xdr_wire_cb_named_lifecycle, &m);
}

static void tell_pool_refresh(struct session *s,
			      const struct subscription *sub,
			      const wire_dom *obj,
			      const struct domain_notice *n)
{
	wire_cb_named m = { sub->id, { .name = obj->name } };

	memcpy(m.obj.uuid, obj->uuid, UUID_LEN);
	tell(s, PROC_STORAGE_POOL_EVENT_REFRESH, (xdrproc_t)xdr_wire_cb_named,
	     &m);
}

static void tell_secret(struct session *s, const struct subscription *sub,
			const wire_dom *obj, const struct domain_notice *n)
{
	wire_cb_secret_lifecycle m = {
		sub->id,
		{ .usage_type = n->type, .usage_id = (char *)n->uri },
		n->event, n->detail
	};

	memcpy(m.secret.uuid, obj->uuid, UUID_LEN);
	tell(s, PROC_SECRET_EVENT_LIFECYCLE,
	     (xdrproc_t)xdr_wire_cb_secret_lifecycle, &m);
}

static void tell_secret_value(struct session *s,
			      const struct subscription *sub,
			      const wire_dom *obj,
			      const struct domain_notice *n)
{
	wire_cb_secret m = { sub->id, { .usage_type = n->type,
					.usage_id = (char *)n->uri } };

	memcpy(m.secret.uuid, obj->uuid, UUID_LEN);
	tell(s, PROC_SECRET_EVENT_VALUE_CHANGED,
	     (xdrproc_t)xdr_wire_cb_secret, &m);
}

static const struct {
	int event;
	void (*tell)(struct session *s, const struct subscription *sub,
		     const wire_dom *dom, const struct domain_notice *n);
	enum event_class class;
} notices[] = {
	[DOMAIN_NOTIFY_LIFECYCLE] = { VIR_DOMAIN_EVENT_ID_LIFECYCLE,
				      tell_lifecycle },
	[DOMAIN_NOTIFY_REBOOT] = { VIR_DOMAIN_EVENT_ID_REBOOT, tell_reboot },
	[DOMAIN_NOTIFY_BALLOON] = { VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE,
				    tell_balloon },
	[DOMAIN_NOTIFY_BLOCK_JOB] = { VIR_DOMAIN_EVENT_ID_BLOCK_JOB,
				      tell_block_job },
	[DOMAIN_NOTIFY_BLOCK_JOB_2] = { VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2,
					tell_block_job },
	[DOMAIN_NOTIFY_TRAY] = { VIR_DOMAIN_EVENT_ID_TRAY_CHANGE, tell_tray },
	[DOMAIN_NOTIFY_DEVICE_ADDED] = { VIR_DOMAIN_EVENT_ID_DEVICE_ADDED,
					 tell_added },
	[DOMAIN_NOTIFY_DEVICE_REMOVED] = { VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
					   tell_removed },
	[DOMAIN_NOTIFY_DEVICE_KEPT] = {
		VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED, tell_kept },
	[DOMAIN_NOTIFY_WATCHDOG] = { VIR_DOMAIN_EVENT_ID_WATCHDOG,
				     tell_watchdog },
	[DOMAIN_NOTIFY_GRAPHICS] = { VIR_DOMAIN_EVENT_ID_GRAPHICS,
				     tell_graphics },
	[DOMAIN_NOTIFY_AGENT] = { VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE,
				  tell_agent },
	[DOMAIN_NOTIFY_ITERATION] = { VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION,
				      tell_iteration },
	[DOMAIN_NOTIFY_JOB] = { VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, tell_job },
	[DOMAIN_NOTIFY_RTC] = { VIR_DOMAIN_EVENT_ID_RTC_CHANGE, tell_rtc },
	[DOMAIN_NOTIFY_MEMORY] = {
		VIR_DOMAIN_EVENT_ID_MEMORY_DEVICE_SIZE_CHANGE, tell_memory },
	[DOMAIN_NOTIFY_ASLEEP] = { VIR_DOMAIN_EVENT_ID_PMSUSPEND,
				   tell_asleep },
	[DOMAIN_NOTIFY_AWAKE] = { VIR_DOMAIN_EVENT_ID_PMWAKEUP, tell_awake },
	[DOMAIN_NOTIFY_METADATA] = { VIR_DOMAIN_EVENT_ID_METADATA_CHANGE,
				     tell_metadata },
	[DOMAIN_NOTIFY_POOL] = { VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE,
				 tell_pool, EVENT_POOL },
	[DOMAIN_NOTIFY_POOL_REFRESH] = { VIR_STORAGE_POOL_EVENT_ID_REFRESH,
					 tell_pool_refresh, EVENT_POOL },
	[DOMAIN_NOTIFY_SECRET] = { VIR_SECRET_EVENT_ID_LIFECYCLE, tell_secret,
				   EVENT_SECRET },
	[DOMAIN_NOTIFY_SECRET_VALUE] = { VIR_SECRET_EVENT_ID_VALUE_CHANGED,
					 tell_secret_value, EVENT_SECRET },
};

static bool wanted(const struct subscription *sub,
		   const struct domain_notice *n)
{
	return n->kind >= 0 && (size_t)n->kind < ARRAY_SIZE(notices) &&
	       sub->class == notices[n->kind].class &&
	       sub->event == notices[n->kind].event &&
	       (!sub->filter || !memcmp(sub->uuid, n->dom.uuid, UUID_LEN));
}

void events_tell(struct session *s, const struct domain_notice *n)
{
	wire_dom dom = { .name = (char *)n->dom.name, .id = n->dom.id };
	struct subscription *sub, *next;

	memcpy(dom.uuid, n->dom.uuid, UUID_LEN);
	session_ref(s);
	for (sub = s->subscriptions; sub; sub = next) {
		next = sub->next;
		if (wanted(sub, n))
			notices[n->kind].tell(s, sub, &dom, n);
		if (s->fd < 0)
			break; /* closed, and its subscriptions freed */
	}
	session_unref(s);
}

void events_tell_network(struct session *s, const struct network_notice *n)
{
	wire_cb_network m = { .event = n->event, .detail = n->detail };
	struct subscription *sub, *next;

	m.network.name = (char *)n->network.name;
	memcpy(m.network.uuid, n->network.uuid, UUID_LEN);
	session_ref(s);
	for (sub = s->subscriptions; sub; sub = next) {
		next = sub->next;
		if (sub->class != EVENT_NETWORK ||
		    sub->event != VIR_NETWORK_EVENT_ID_LIFECYCLE ||
		    (sub->filter &&
		     memcmp(sub->uuid, n->network.uuid, UUID_LEN)))
			continue;
		m.callback = sub->id;
		tell(s, PROC_NETWORK_EVENT_LIFECYCLE,
		     (xdrproc_t)xdr_wire_cb_network, &m);
		if (s->fd < 0)
			break; /* closed, and its subscriptions freed */
	}
	session_unref(s);
}
