/*
 * daemon/handlers_auth.c -- clients say who they are.
 *
 * A session of a socket that asks for it can do nothing else before that
 * (dispatch.c).
 */
#include <libvirt/virterror.h>

#include "daemon/polkit.h"
#include "daemon/reply.h"
#include "daemon/server_priv.h"

int handle_auth_list(struct call *call, wire_auth_list *reply,
		     struct error *err)
{
	reply->types.types_val = xcalloc(1, sizeof(int));
	reply->types.types_len = 1;
	reply->types.types_val[0] = call->auth;
	return 0;
}

static int refuse(enum polkit_outcome outcome, const char *action,
		  struct error *err)
{
	switch (outcome) {
	case POLKIT_DISMISSED:
		return error_virt(err, VIR_ERR_AUTH_CANCELLED, "%s",
				  "user cancelled authentication process");
	case POLKIT_CHALLENGE:
		return error_virt(err, VIR_ERR_AUTH_UNAVAILABLE,
				  "no polkit agent available to authenticate action '%s'",
				  action);
	default:
		return error_virt(err, VIR_ERR_AUTH_FAILED, "%s",
				  "access denied by policy");
	}
}

int handle_auth_polkit(struct call *call, wire_int *reply, struct error *err)
{
	const struct peer *peer = &call->session->peer;
	const struct polkit_subject subject = { peer->pid, peer->uid, true };
	const char *action = call->readonly ? "org.libvirt.unix.monitor" :
					      "org.libvirt.unix.manage";
	enum polkit_outcome outcome;
	int r;

	err->domain = VIR_FROM_POLKIT;
	if (call->auth != AUTH_POLKIT)
		return error_virt(err, VIR_ERR_AUTH_FAILED, "%s",
				  "this socket does not ask for polkit");
	r = polkit_ask(call->session->server->polkit, &subject, action, NULL,
		       &outcome, err);
	if (r < 0) {
		err->code = VIR_ERR_AUTH_FAILED;
		return r;
	}
	if (outcome != POLKIT_YES)
		return refuse(outcome, action, err);
	call->authenticated = true;
	*reply = 1;
	return 0;
}
