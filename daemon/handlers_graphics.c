/*
 * daemon/handlers_graphics.c -- a domain's picture, keyboard and VNC server.
 */
#include <errno.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "daemon/reply.h"

int handle_domain_send_key(struct call *call, const wire_send_key_args *args,
			   struct error *err)
{
	return domain_send_keys(call->reg, wire_uuid_of(&args->dom),
				args->codeset, args->hold_ms,
				args->codes.codes_val, args->codes.codes_len,
				args->flags, err);
}

int handle_domain_screenshot(struct call *call,
			     const wire_dom_uint_flags *args,
			     wire_optstr *reply, struct error *err)
{
	char mime[64];
	int r = domain_screenshot(call->reg, wire_uuid_of(&args->dom),
				  args->value, args->flags, &call->stream_fd,
				  mime, err);

	if (r < 0)
		return r;
	*reply = xmalloc(sizeof(**reply));
	**reply = xstrdup(mime);
	return 0;
}

/* The client's end of a connection came along with the call. */
int handle_domain_open_graphics(struct call *call,
				const wire_dom_uint_flags *args,
				struct error *err)
{
	if (call->frame->n_fds != 1)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "one file descriptor is needed");
	return domain_open_graphics(call->reg, wire_uuid_of(&args->dom),
				    args->value, call->frame->fds[0],
				    args->flags, err);
}

int handle_domain_open_graphics_fd(struct call *call,
				   const wire_dom_uint_flags *args,
				   struct error *err)
{
	return domain_open_graphics_fd(call->reg, wire_uuid_of(&args->dom),
				       args->value, args->flags,
				       &call->reply_fd, err);
}
