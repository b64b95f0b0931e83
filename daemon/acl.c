/*
 * daemon/acl.c -- asking whether a call may be made (daemon/acl.h).
 */
#include "daemon/acl.h"

#include <errno.h>
#include <string.h>

#include <libvirt/virterror.h>

#include "daemon/access_driver.h"
#include "daemon/dispatch.h"
#include "daemon/server_priv.h"
#include "rpc/perms.h"

bool acl_session_checked(const struct session *s)
{
	return s->server->access && !(s->peer.pid && s->peer.uid == 0);
}

int acl_allowed(struct call *call, const char *permission,
		const struct access_details *details, struct error *err)
{
	const struct server *server = call->session->server;
	const struct peer *peer = &call->session->peer;
	const struct access_question q = { peer->pid, peer->uid, permission,
					   details };
	int r = server->access->check(server->polkit, &q, err);

	if (r < 0)
		err->code = VIR_ERR_ACCESS_DENIED;
	return r;
}

int acl_require(struct call *call, const char *permission,
		const struct access_details *details, struct error *err)
{
	int r = acl_allowed(call, permission, details, err);

	if (r < 0)
		return r;
	return r ? 0 : error_virt(err, VIR_ERR_ACCESS_DENIED,
				  "no permission %s", permission);
}

/* The details of an object are no details of another class's. */
static bool same_class(const char *a, const char *b)
{
	size_t len = strcspn(a, ":");

	return strcspn(b, ":") == len && !strncmp(a, b, len);
}

static int require_rule(struct call *call, const struct permission *rule,
			const struct access_details *object, struct error *err)
{
	struct access_details none = { 0 };
	int r;

	if (str_eq(rule->name, "none"))
		return 0;
	if (same_class(rule->name, call->proc->access) &&
	    !str_startswith(rule->name, "connect:"))
		return acl_require(call, rule->name, object, err);
	acl_name_connection(call, &none);
	r = acl_require(call, rule->name, &none, err);
	access_details_finish(&none);
	return r;
}

int acl_check(struct call *call, const void *args, struct error *err)
{
	const struct permissions *p = &permissions[call->proc - procedures];
	struct access_details object = { 0 };
	int r;

	if (!acl_session_checked(call->session) || acl_is_lookup(call->proc))
		return 0;
	r = acl_subject(call, p, args, &object, err);
	for (unsigned int i = 0; i < p->n && r >= 0; i++)
		if (permission_applies(&p->list[i], args))
			r = require_rule(call, &p->list[i], &object, err);
	access_details_finish(&object);
	return r;
}
