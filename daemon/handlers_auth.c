/*
 * daemon/handlers_auth.c -- clients say who they are.
 *
 * A session of a socket that asks for it can do nothing else before that
 * (dispatch.c).
 */
#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include <libvirt/virterror.h>

#define LOG_MODULE "auth"
#include "base/log.h"
#include "daemon/polkit.h"
#include "daemon/reply.h"
#include "daemon/sasl.h"
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

/* ---- SASL ---- */

static int sasl_asked(const struct call *call, struct error *err)
{
	err->domain = VIR_FROM_RPC;
	if (call->auth == AUTH_SASL)
		return 0;
	return error_virt(err, VIR_ERR_AUTH_FAILED, "%s",
			  "this socket does not ask for SASL");
}

int handle_auth_sasl_init(struct call *call, wire_str *reply,
			  struct error *err)
{
	int r = sasl_asked(call, err);

	return r < 0 ? r :
		       sasl_login_begin(call->session->sasl,
					call->session->kind == SERVER_TLS,
					reply, err);
}

/* Patterns are separated by commas. */
static bool user_allowed(const char *patterns, const char *user)
{
	_cleanup_free_ char *copy = xstrdup(patterns);
	char *save, *p;

	if (!copy)
		return true;
	for (p = strtok_r(copy, ",", &save); p; p = strtok_r(NULL, ",", &save))
		if (fnmatch(p, user, 0) == 0)
			return true;
	return false;
}

static int sasl_done(struct call *call, struct error *err)
{
	_cleanup_free_ char *user = sasl_login_user(call->session->sasl);
	const char *patterns = call->session->server->sasl_users;

	if (user && user_allowed(patterns, user)) {
		log_info("user '%s' is in", user);
		call->authenticated = true;
		call->user = steal_ptr(&user);
		return 0;
	}
	log_warn("user '%s' is not allowed", user ? user : "");
	return error_virt(err, VIR_ERR_AUTH_FAILED, "%s",
			  "authentication failed");
}

static char *bytes_of(const int *chars, u_int n)
{
	char *bytes = xmalloc(n + 1);

	for (u_int i = 0; i < n; i++)
		bytes[i] = (char)chars[i];
	bytes[n] = '\0';
	return bytes;
}

/* data: NULL is not the same as empty. */
static int sasl_step(struct call *call, const char *mech, const char *data,
		     size_t len, wire_sasl *reply, struct error *err)
{
	const char *out;
	size_t n;
	int r = sasl_login_step(call->session->sasl, mech, data, len, &out, &n,
				err);

	if (r > 0 && sasl_done(call, err) < 0)
		return -EACCES;
	if (r < 0)
		return r;
	reply->complete = r;
	reply->nil = !out;
	n = out ? MIN(n, WIRE_SASL_DATA_MAX) : 0;
	reply->data.data_val = xcalloc(n + 1, sizeof(int));
	reply->data.data_len = n;
	for (size_t i = 0; i < n; i++)
		reply->data.data_val[i] = out[i];
	return 0;
}

int handle_auth_sasl_start(struct call *call, const wire_sasl_start_args *args,
			   wire_sasl *reply, struct error *err)
{
	_cleanup_free_ char *data =
		args->nil ? NULL :
			    bytes_of(args->data.data_val, args->data.data_len);
	int r = sasl_asked(call, err);

	return r < 0 ? r :
		       sasl_step(call, args->mech, data,
				 data ? args->data.data_len : 0, reply, err);
}

int handle_auth_sasl_step(struct call *call, const wire_sasl_step_args *args,
			  wire_sasl *reply, struct error *err)
{
	_cleanup_free_ char *data =
		args->nil ? NULL :
			    bytes_of(args->data.data_val, args->data.data_len);
	int r = sasl_asked(call, err);

	return r < 0 ? r :
		       sasl_step(call, NULL, data,
				 data ? args->data.data_len : 0, reply, err);
}
