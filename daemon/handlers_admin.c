/*
 * daemon/handlers_admin.c -- libvirt's administration program (virt-admin): the
 * daemon's servers, their clients, threads and limits.
 *
 * Two servers, as libvirtd has them: "vireod" is what clients of virtual
 * machines use, "admin" this one's.  Only root, or the user whose session's
 * daemon this is, gets at the socket; everything runs on the event loop, whose
 * the sessions are.
 */
#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <string.h>

#include <libvirt/libvirt-admin.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "daemon/reply.h"
#include "daemon/server_priv.h"

static const char *const names[] = {
	[SERVICE_MAIN] = "vireod",
	[SERVICE_ADMIN] = "admin",
};

int handle_admin_connect_open(struct call *call, const wire_int *flags,
			      struct error *err)
{
	return call_flags(call, *flags, 0, err);
}

int handle_admin_connect_close(struct call *call, struct error *err)
{
	call->session->closing = true; /* once the reply is out */
	return 0;
}

int handle_admin_connect_get_lib_version(struct call *call, wire_u64 *reply,
					 struct error *err)
{
	*reply = LIBVIR_VERSION_NUMBER; /* the protocol that we speak */
	return 0;
}

/* ---- servers ---- */

int handle_admin_connect_list_servers(struct call *call,
				      const wire_list_args *args,
				      wire_admin_servers *reply,
				      struct error *err)
{
	const u_int n = ARRAY_SIZE(names);
	int r = call_flags(call, args->flags, 0, err);

	if (r < 0)
		return r;
	reply->ret = n;
	if (!args->need_results)
		return 0;
	reply->servers.servers_val = xcalloc(n, sizeof(char *));
	reply->servers.servers_len = n;
	for (u_int i = 0; i < n; i++)
		reply->servers.servers_val[i] = xstrdup(names[i]);
	return 0;
}

/* Whichever it is, or VIR_ERR_NO_SERVER. */
static int find_server(struct call *call, const char *name, unsigned int flags,
		       struct error *err)
{
	int r = call_flags(call, flags, 0, err);

	for (size_t i = 0; i < ARRAY_SIZE(names) && r >= 0; i++)
		if (str_eq(name, names[i]))
			return i;
	return r < 0 ? r : error_virt(err, VIR_ERR_NO_SERVER,
				      "No server named '%s'", name);
}

int handle_admin_connect_lookup_server(struct call *call,
				       const wire_str_flags *args,
				       wire_str *reply, struct error *err)
{
	int which = find_server(call, args->str, args->flags, err);

	if (which < 0)
		return which;
	*reply = xstrdup(names[which]);
	return 0;
}

static void give_params(struct params *p, wire_params *reply)
{
	reply->params.params_len = p->len;
	reply->params.params_val = steal_ptr(&p->val);
}

/* ---- threads ---- */

int handle_admin_server_get_threadpool_parameters(struct call *call,
						  const wire_str_flags *args,
						  wire_params *reply,
						  struct error *err)
{
	int which = find_server(call, args->str, args->flags, err);
	struct workers_info w = { 0 };
	struct params p = { 0 };

	if (which < 0)
		return which;
	if (which == SERVICE_MAIN) /* the other one has no threads */
		workers_get_info(call->session->server->workers, &w);
	params_uint(&p, w.min, VIR_THREADPOOL_WORKERS_MIN);
	params_uint(&p, w.max, VIR_THREADPOOL_WORKERS_MAX);
	params_uint(&p, w.n, VIR_THREADPOOL_WORKERS_CURRENT);
	params_uint(&p, w.idle, VIR_THREADPOOL_WORKERS_FREE);
	params_uint(&p, w.reserved, VIR_THREADPOOL_WORKERS_PRIORITY);
	params_uint(&p, w.waiting, VIR_THREADPOOL_JOB_QUEUE_DEPTH);
	give_params(&p, reply);
	return 0;
}

struct setting {
	const char *name;
	unsigned int *value;
};

/* Each parameter is one of these, once, and an unsigned number. */
static int take_settings(const wire_admin_set_args *args,
			 const struct setting *settings, size_t n,
			 struct error *err)
{
	for (u_int i = 0; i < args->params.params_len; i++) {
		const wire_param *p = &args->params.params_val[i];
		size_t k = 0;

		while (k < n && !str_eq(settings[k].name, p->field))
			k++;
		if (k == n)
			return error_virt(err, VIR_ERR_INVALID_ARG,
					  "parameter '%s' cannot be set",
					  p->field);
		if (p->value.type != VIR_TYPED_PARAM_UINT)
			return error_virt(err, VIR_ERR_INVALID_ARG,
					  "parameter '%s' is an unsigned number",
					  p->field);
		*settings[k].value = p->value.wire_value_u.ui;
	}
	return 0;
}

int handle_admin_server_set_threadpool_parameters(
	struct call *call, const wire_admin_set_args *args, struct error *err)
{
	int which = find_server(call, args->srv, args->flags, err);
	struct workers *workers = call->session->server->workers;
	struct workers_info w;
	const struct setting settings[] = {
		{ VIR_THREADPOOL_WORKERS_MIN, &w.min },
		{ VIR_THREADPOOL_WORKERS_MAX, &w.max },
		{ VIR_THREADPOOL_WORKERS_PRIORITY, &w.reserved },
	};
	int r;

	if (which < 0)
		return which;
	if (which != SERVICE_MAIN)
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED, "%s",
				  "server 'admin' has no threads of its own");
	workers_get_info(workers, &w);
	r = take_settings(args, settings, ARRAY_SIZE(settings), err);
	return r < 0 ? r : workers_set_limits(workers, &w, err);
}

/* ---- clients ---- */

static int service_of(const struct session *s)
{
	return s->kind == SERVER_ADMIN ? SERVICE_ADMIN : SERVICE_MAIN;
}

static int transport_of(const struct session *s)
{
	switch (s->kind) {
	case SERVER_TCP:
		return VIR_CLIENT_TRANS_TCP;
	case SERVER_TLS:
		return VIR_CLIENT_TRANS_TLS;
	default:
		return VIR_CLIENT_TRANS_UNIX;
	}
}

static void reply_client(const struct session *s, wire_admin_client *ret)
{
	ret->srv = xstrdup(names[service_of(s)]);
	ret->id = s->id;
	ret->timestamp = s->since;
	ret->transport = transport_of(s);
}

static unsigned int count_clients(const struct server *server, int which,
				  bool anonymous)
{
	unsigned int n = 0;

	for (struct session *s = server->sessions; s; s = s->next)
		n += service_of(s) == which && (!anonymous ||
						!s->authenticated);
	return n;
}

int handle_admin_server_list_clients(struct call *call,
				     const wire_admin_list_args *args,
				     wire_admin_clients *reply,
				     struct error *err)
{
	int which = find_server(call, args->srv, args->flags, err);
	struct server *server = call->session->server;
	unsigned int n, i;

	if (which < 0)
		return which;
	reply->ret = n = count_clients(server, which, false);
	if (!args->need_results)
		return 0;
	reply->clients.clients_val = xcalloc(n + 1, sizeof(wire_admin_client));
	reply->clients.clients_len = i = n;
	/* Newest first in the list; oldest first for who reads it. */
	for (struct session *s = server->sessions; s; s = s->next)
		if (service_of(s) == which)
			reply_client(s, &reply->clients.clients_val[--i]);
	return 0;
}

static int find_client(struct call *call, const char *srv, uint64_t id,
		       unsigned int flags, struct session **ret,
		       struct error *err)
{
	int which = find_server(call, srv, flags, err);

	if (which < 0)
		return which;
	for (struct session *s = call->session->server->sessions; s;
	     s = s->next)
		if (s->id == id && service_of(s) == which) {
			*ret = s;
			return 0;
		}
	return error_virt(err, VIR_ERR_NO_CLIENT,
			  "No client with matching ID '%llu'",
			  (unsigned long long)id);
}

int handle_admin_server_lookup_client(struct call *call,
				      const wire_admin_lookup_args *args,
				      wire_admin_client *reply,
				      struct error *err)
{
	struct session *s;
	int r = find_client(call, args->srv, args->id, args->flags, &s, err);

	if (r >= 0)
		reply_client(s, reply);
	return r;
}

int handle_admin_client_get_info(struct call *call,
				 const wire_admin_client_args *args,
				 wire_params *reply, struct error *err)
{
	struct params p = { 0 };
	struct session *s;
	int r = find_client(call, args->client.srv, args->client.id,
			    args->flags, &s, err);

	if (r < 0)
		return r;
	params_bool(&p, s->readonly, VIR_CLIENT_INFO_READONLY);
	if (s->user)
		params_string(&p, s->user, VIR_CLIENT_INFO_SASL_USER_NAME);
	if (s->peer.from)
		params_string(&p, s->peer.from, VIR_CLIENT_INFO_SOCKET_ADDR);
	if (s->peer.pid) {
		params_int(&p, s->peer.uid, VIR_CLIENT_INFO_UNIX_USER_ID);
		params_int(&p, s->peer.gid, VIR_CLIENT_INFO_UNIX_GROUP_ID);
		params_int(&p, s->peer.pid, VIR_CLIENT_INFO_UNIX_PROCESS_ID);
	}
	give_params(&p, reply);
	return 0;
}

/* One's own connection closes when the answer is out. */
int handle_admin_client_close(struct call *call,
			      const wire_admin_client_args *args,
			      struct error *err)
{
	struct session *s;
	int r = find_client(call, args->client.srv, args->client.id,
			    args->flags, &s, err);

	if (r < 0)
		return r;
	if (s == call->session)
		s->closing = true;
	else
		session_close(s, "was disconnected by the administrator");
	return 0;
}

/* ---- limits ---- */

int handle_admin_server_get_client_limits(struct call *call,
					  const wire_str_flags *args,
					  wire_params *reply,
					  struct error *err)
{
	int which = find_server(call, args->str, args->flags, err);
	const struct server *server = call->session->server;
	const struct client_limits *l;
	struct params p = { 0 };

	if (which < 0)
		return which;
	l = &server->limits[which];
	params_uint(&p, l->clients, VIR_SERVER_CLIENTS_MAX);
	params_uint(&p, count_clients(server, which, false),
		    VIR_SERVER_CLIENTS_CURRENT);
	params_uint(&p, l->anonymous, VIR_SERVER_CLIENTS_UNAUTH_MAX);
	params_uint(&p, count_clients(server, which, true),
		    VIR_SERVER_CLIENTS_UNAUTH_CURRENT);
	give_params(&p, reply);
	return 0;
}

int handle_admin_server_set_client_limits(struct call *call,
					  const wire_admin_set_args *args,
					  struct error *err)
{
	int which = find_server(call, args->srv, args->flags, err);
	struct server *server = call->session->server;
	struct client_limits l;
	const struct setting settings[] = {
		{ VIR_SERVER_CLIENTS_MAX, &l.clients },
		{ VIR_SERVER_CLIENTS_UNAUTH_MAX, &l.anonymous },
	};
	int r;

	if (which < 0)
		return which;
	l = server->limits[which];
	r = take_settings(args, settings, ARRAY_SIZE(settings), err);
	if (r < 0)
		return r;
	if (!l.clients || !l.anonymous || l.anonymous > l.clients ||
	    l.clients > SERVER_SESSIONS_MAX)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "of 1 to %d clients at least one and at most all may be unauthenticated, not %u of %u",
				  SERVER_SESSIONS_MAX, l.anonymous, l.clients);
	server->limits[which] = l;
	return 0;
}

/* ---- certificates ---- */

/* On a worker: files are read. */
int handle_admin_server_update_tls_files(struct call *call,
					 const wire_str_flags *args,
					 struct error *err)
{
	int which = find_server(call, args->str, args->flags, err);
	const struct server *server = call->session->server;

	if (which < 0)
		return which;
	if (which != SERVICE_MAIN || !server->load_tls)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "server '%s' does not listen for TLS",
				  names[which]);
	return server->load_tls(server->load_tls_arg, &call->tls, err);
}
