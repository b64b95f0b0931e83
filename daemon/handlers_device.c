/*
 * daemon/handlers_device.c -- changing a device of a domain, whatever it is.
 */
#include <errno.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "daemon/reply.h"

static int update_graphics(struct call *call, const wire_dom_str_flags *args,
			   struct error *err)
{
	struct dom_graphics *graphics;
	int r = graphics_def_parse(args->str, &graphics, err);

	if (r < 0)
		return r;
	r = domain_update_graphics(call->reg, wire_uuid_of(&args->dom),
				   graphics, args->flags, err);
	graphics_def_free(graphics);
	return r;
}

int handle_domain_update_device_flags(struct call *call,
				      const wire_dom_str_flags *args,
				      struct error *err)
{
	_cleanup_free_ char *kind = device_def_kind(args->str, err);

	if (!kind)
		return -EINVAL;
	if (str_eq(kind, "graphics"))
		return update_graphics(call, args, err);
	if (str_eq(kind, "disk"))
		return domain_update_disk(call->reg, wire_uuid_of(&args->dom),
					  args->str, args->flags, err);
	if (str_eq(kind, "interface"))
		return domain_update_iface(call->reg, wire_uuid_of(&args->dom),
					   args->str, args->flags, err);
	if (str_eq(kind, "memory"))
		return domain_update_memory(call->reg, wire_uuid_of(&args->dom),
					    args->str, args->flags, err);
	return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
			  "a device '%s' cannot be changed", kind);
}

/* Without flags: as it runs. */
int handle_domain_attach_device(struct call *call, const wire_dom_str *args,
				struct error *err)
{
	return domain_attach_device(call->reg, wire_uuid_of(&args->dom),
				    args->str, VIR_DOMAIN_AFFECT_LIVE, err);
}

int handle_domain_attach_device_flags(struct call *call,
				      const wire_dom_str_flags *args,
				      struct error *err)
{
	return domain_attach_device(call->reg, wire_uuid_of(&args->dom),
				    args->str, args->flags, err);
}

int handle_domain_detach_device(struct call *call, const wire_dom_str *args,
				struct error *err)
{
	return domain_detach_device(call->reg, wire_uuid_of(&args->dom),
				    args->str, VIR_DOMAIN_AFFECT_LIVE, err);
}

int handle_domain_detach_device_flags(struct call *call,
				      const wire_dom_str_flags *args,
				      struct error *err)
{
	return domain_detach_device(call->reg, wire_uuid_of(&args->dom),
				    args->str, args->flags, err);
}

int handle_domain_detach_device_alias(struct call *call,
				      const wire_dom_str_flags *args,
				      struct error *err)
{
	return domain_detach_alias(call->reg, wire_uuid_of(&args->dom),
				   args->str, args->flags, err);
}
