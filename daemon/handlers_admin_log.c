/*
 * daemon/handlers_admin_log.c -- libvirt's administration program: what is
 * logged and where, and when an idle daemon ends.
 */
#include <errno.h>
#include <string.h>

#include <libvirt/virterror.h>

#define LOG_MODULE "admin"
#include "base/log.h"
#include "daemon/reply.h"
#include "daemon/server_priv.h"

/* ---- filters: "3:rpc 2" ---- */

int handle_admin_connect_get_logging_filters(struct call *call,
					     const wire_int *flags,
					     wire_admin_filters *reply,
					     struct error *err)
{
	int r = call_flags(call, *flags, 0, err);
	char *text;

	if (r < 0)
		return r;
	reply->n = log_get_filters(&text);
	if (!reply->n) {
		free(text);
		return 0;
	}
	reply->filters = xcalloc(1, sizeof(*reply->filters));
	*reply->filters = text;
	return 0;
}

int handle_admin_connect_set_logging_filters(struct call *call,
					     const wire_optstr_flags *args,
					     struct error *err)
{
	const char *text = opt(args->str);
	int r = call_flags(call, args->flags, 0, err);

	if (r >= 0)
		r = log_set_filters(text ? text : "", err);
	if (r == -EINVAL)
		err->code = VIR_ERR_INVALID_ARG;
	return r;
}

/* ---- the output: one, "LEVEL:stderr" or "LEVEL:file:PATH" ---- */

int handle_admin_connect_get_logging_outputs(struct call *call,
					     const wire_int *flags,
					     wire_admin_outputs *reply,
					     struct error *err)
{
	int r = call_flags(call, *flags, 0, err);

	if (r < 0)
		return r;
	reply->outputs = log_get_output();
	reply->n = 1;
	return 0;
}

static int open_output(const struct server *server, const char *target,
		       int *ret_fd, struct error *err)
{
	if (str_eq(target, "stderr")) {
		*ret_fd = STDERR_FILENO;
		return 0;
	}
	if (str_startswith(target, "file:") && server->open_log)
		return server->open_log(target + 5, true, err, ret_fd);
	return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
			  "the log can go to LEVEL:stderr or LEVEL:file:PATH while the daemon runs, not to '%s'",
			  target);
}

/* On a worker: a file is opened. */
int handle_admin_connect_set_logging_outputs(struct call *call,
					     const wire_optstr_flags *args,
					     struct error *err)
{
	const char *text = opt(args->str);
	int r = call_flags(call, args->flags, 0, err), fd = -1;

	if (r < 0)
		return r;
	if (!text || text[0] < '1' || text[0] > '4' || text[1] != ':' ||
	    strchr(text, ' '))
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "'%s' is not one LEVEL:OUTPUT",
				  text ? text : "");
	r = open_output(call->session->server, text + 2, &fd, err);
	if (r >= 0)
		log_set_output(fd, text[0] - '0', text + 2);
	return r;
}

/* ---- the end of a daemon that nobody uses ---- */

int handle_admin_connect_set_daemon_timeout(struct call *call,
					    const wire_admin_timeout_args *args,
					    struct error *err)
{
	int r = call_flags(call, args->flags, 0, err);

	return r < 0 ? r :
		       server_set_timeout(call->session->server, args->timeout,
					  err);
}
