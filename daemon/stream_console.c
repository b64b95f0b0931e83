/*
 * daemon/stream_console.c -- a domain's console as a stream.
 *
 * The registry gives a connected descriptor (a pty or a socket of the VMM);
 * dispatch turns it into a stream once the reply is on its way.
 */
#include <libvirt/libvirt.h>

#include "daemon/reply.h"

int handle_domain_open_console(struct call *call,
			       const wire_dom_optstr_flags *args,
			       struct error *err)
{
	call->stream.force = args->flags & VIR_DOMAIN_CONSOLE_FORCE;
	return domain_open_console(call->reg, wire_uuid_of(&args->dom),
				   args->str ? *args->str : NULL, args->flags,
				   &call->stream_fd, err);
}
