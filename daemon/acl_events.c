/*
 * daemon/acl_events.c -- events for those who may hear of some domains and
 * networks only.
 *
 * Whether they may is asked on a worker, one event of a session's after the
 * other, so that they arrive in order.
 */
#include <string.h>

#define LOG_MODULE "acl"
#include "base/log.h"
#include "daemon/access_driver.h"
#include "daemon/acl.h"
#include "daemon/dispatch.h"
#include "daemon/events.h"
#include "daemon/networks.h"
#include "daemon/server_priv.h"

struct told {
	struct told *next; /* in the session's list; the first one is asked about */
	struct work work;
	struct call call; /* of which only what questions need is there */
	bool is_network; /* then: */
	struct network_notice network;
	struct domain_notice notice;
	char *uri, *viewer;
	bool allowed;
};

static void told_free(struct told *t)
{
	free(t->uri);
	free(t->viewer);
	free(t);
}

static void told_run(struct work *work)
{
	struct told *t = container_of(work, struct told, work);
	const char *permission = t->is_network ? "network:getattr" :
						 "domain:getattr";
	struct access_details d = { 0 };
	struct error err = { 0 };
	int r;

	acl_name_connection(&t->call, &d);
	if (t->is_network)
		acl_name_object(permission, t->network.network.name,
				t->network.network.uuid, &d);
	else
		acl_name_object(permission, t->notice.dom.name,
				t->notice.dom.uuid, &d);
	r = acl_allowed(&t->call, permission, &d, &err);
	if (r < 0)
		log_warn("%s", err.message);
	t->allowed = r > 0;
	access_details_finish(&d);
}

static void told_start(struct session *s)
{
	session_ref(s);
	workers_submit(s->server->workers, &s->told->work, false);
}

static void told_done(struct work *work)
{
	struct told *t = container_of(work, struct told, work);
	struct session *s = t->call.session;

	s->told = t->next;
	if (!s->told)
		s->told_tail = &s->told;
	s->n_told--;
	if (t->allowed && s->fd >= 0 && t->is_network)
		events_tell_network(s, &t->network);
	else if (t->allowed && s->fd >= 0)
		events_tell(s, &t->notice);
	if (s->told)
		told_start(s);
	told_free(t);
	session_unref(s);
}

static struct told *told_create(struct session *s)
{
	struct told *t = xcalloc(1, sizeof(*t));

	t->work.run = told_run;
	t->work.done = told_done;
	t->call.session = s;
	t->call.scheme = s->scheme;
	return t;
}

/* NULL: nobody listens, or to too much. */
static struct told *told_next(struct session *s)
{
	if (!s->subscriptions || s->fd < 0)
		return NULL;
	if (s->n_told >= SESSION_TOLD_MAX) {
		session_close(s, "is told more than can be checked");
		return NULL;
	}
	return told_create(s);
}

static void told_queue(struct session *s, struct told *t)
{
	*s->told_tail = t;
	s->told_tail = &t->next;
	if (!s->n_told++)
		told_start(s);
}

void acl_tell(struct session *s, const struct domain_notice *n)
{
	struct told *t;

	if (!acl_session_checked(s)) {
		events_tell(s, n);
		return;
	}
	t = told_next(s);
	if (!t)
		return;
	t->notice = *n;
	t->notice.uri = t->uri = xstrdup(n->uri);
	t->notice.viewer = t->viewer = xstrdup(n->viewer);
	told_queue(s, t);
}

void acl_tell_network(struct session *s, const struct network_notice *n)
{
	struct told *t;

	if (!acl_session_checked(s)) {
		events_tell_network(s, n);
		return;
	}
	t = told_next(s);
	if (!t)
		return;
	t->is_network = true;
	t->network = *n;
	told_queue(s, t);
}

void acl_forget(struct session *s)
{
	struct told *t, *next;

	if (!s->told)
		return;
	for (t = s->told->next; t; t = next) {
		next = t->next;
		told_free(t);
		s->n_told--;
	}
	s->told->next = NULL;
	s->told_tail = &s->told->next;
}
