/*
 * daemon/handlers_nwfilter.c -- network filters, and the ports that have one.
 *
 * A filter in the arguments is known by its uuid alone, a binding by its port.
 */
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "daemon/nwfilters.h"
#include "daemon/reply.h"

static struct nwfilters *filters_of(const struct call *call)
{
	return registry_nwfilters(call->reg);
}

static const uint8_t *uuid_of(const wire_named *filter)
{
	return (const uint8_t *)filter->uuid;
}

/* Takes over the name. */
static void reply_name(wire_named *ret, struct nwfilter_name *name)
{
	ret->name = steal_ptr(&name->name);
	memcpy(ret->uuid, name->uuid, UUID_LEN);
}

/* ---- filters ---- */

int handle_connect_num_of_nwfilters(struct call *call, wire_int *reply,
				    struct error *err)
{
	struct nwfilter_name *names;

	*reply = nwfilters_list(filters_of(call), &names);
	nwfilter_names_free(names, *reply);
	return 0;
}

int handle_connect_list_nwfilters(struct call *call, const wire_int *args,
				  wire_names *reply, struct error *err)
{
	struct nwfilter_name *names;
	unsigned int n = nwfilters_list(filters_of(call), &names);

	reply->names.names_len = MIN(n, (unsigned int)MAX(*args, 0));
	reply->names.names_val = xcalloc(n + 1, sizeof(wire_str));
	for (unsigned int i = 0; i < reply->names.names_len; i++)
		reply->names.names_val[i] = steal_ptr(&names[i].name);
	nwfilter_names_free(names, n);
	return 0;
}

int handle_connect_list_all_nwfilters(struct call *call,
				      const wire_list_args *args,
				      wire_nameds *reply, struct error *err)
{
	struct nwfilter_name *names;
	unsigned int n;
	int r = call_flags(call, args->flags, 0, err);

	if (r < 0)
		return r;
	n = nwfilters_list(filters_of(call), &names);
	reply->ret = n;
	if (args->need_results) {
		reply->objs.objs_val = xcalloc(n + 1, sizeof(wire_named));
		reply->objs.objs_len = n;
		for (unsigned int i = 0; i < n; i++)
			reply_name(&reply->objs.objs_val[i], &names[i]);
	}
	nwfilter_names_free(names, n);
	return 0;
}

int handle_nwfilter_lookup_by_name(struct call *call, const wire_str *args,
				   wire_named *reply, struct error *err)
{
	int r = nwfilter_by_name(filters_of(call), *args,
				 (uint8_t *)reply->uuid, err);

	if (r == 0)
		reply->name = xstrdup(*args);
	return r;
}

int handle_nwfilter_lookup_by_uuid(struct call *call, const wire_uuid *args,
				   wire_named *reply, struct error *err)
{
	const uint8_t *uuid = (const uint8_t *)*args;
	int r = nwfilter_by_uuid(filters_of(call), uuid, &reply->name, err);

	if (r == 0)
		memcpy(reply->uuid, uuid, UUID_LEN);
	return r;
}

int handle_nwfilter_get_xml_desc(struct call *call,
				 const wire_named_flags *args,
				 wire_str *reply, struct error *err)
{
	int r = call_flags(call, args->flags, 0, err);

	return r < 0 ? r : nwfilter_xml(filters_of(call), uuid_of(&args->obj),
					reply, err);
}

static int define(struct call *call, const char *xml, bool validate,
		  wire_named *reply, struct error *err)
{
	struct nwfilter_name name;
	int r = nwfilter_define(filters_of(call), xml, validate, &name, err);

	if (r == 0)
		reply_name(reply, &name);
	return r;
}

int handle_nwfilter_define_xml(struct call *call, const wire_str *args,
			       wire_named *reply, struct error *err)
{
	return define(call, *args, false, reply, err);
}

int handle_nwfilter_define_xml_flags(struct call *call,
				     const wire_str_flags *args,
				     wire_named *reply, struct error *err)
{
	int r = call_flags(call, args->flags, VIR_NWFILTER_DEFINE_VALIDATE,
			   err);

	return r < 0 ? r : define(call, args->str,
				  args->flags & VIR_NWFILTER_DEFINE_VALIDATE,
				  reply, err);
}

int handle_nwfilter_undefine(struct call *call, const wire_named *args,
			     struct error *err)
{
	return nwfilter_undefine(filters_of(call), uuid_of(args), err);
}

/* ---- bindings ---- */

/* Takes over both. */
static void reply_port(wire_binding *ret, struct nwfilter_port *port)
{
	ret->port = steal_ptr(&port->port);
	ret->filter = steal_ptr(&port->filter);
}

int handle_connect_list_all_nwfilter_bindings(struct call *call,
					      const wire_list_args *args,
					      wire_bindings *reply,
					      struct error *err)
{
	struct nwfilter_port *ports;
	unsigned int n;
	int r = call_flags(call, args->flags, 0, err);

	if (r < 0)
		return r;
	n = nwfilter_ports(filters_of(call), &ports);
	reply->ret = n;
	if (args->need_results) {
		reply->bindings.bindings_val =
			xcalloc(n + 1, sizeof(wire_binding));
		reply->bindings.bindings_len = n;
		for (unsigned int i = 0; i < n; i++)
			reply_port(&reply->bindings.bindings_val[i],
				   &ports[i]);
	}
	nwfilter_ports_free(ports, n);
	return 0;
}

int handle_nwfilter_binding_lookup_by_port_dev(struct call *call,
					       const wire_str *args,
					       wire_binding *reply,
					       struct error *err)
{
	int r = nwfilter_port_filter(filters_of(call), *args, &reply->filter,
				     err);

	if (r == 0)
		reply->port = xstrdup(*args);
	return r;
}

int handle_nwfilter_binding_get_xml_desc(struct call *call,
					 const wire_binding_flags *args,
					 wire_str *reply, struct error *err)
{
	int r = call_flags(call, args->flags, 0, err);

	return r < 0 ? r : nwfilter_port_xml(filters_of(call),
					     args->binding.port, reply, err);
}

int handle_nwfilter_binding_create_xml(struct call *call,
				       const wire_str_flags *args,
				       wire_binding *reply, struct error *err)
{
	unsigned int validate = VIR_NWFILTER_BINDING_CREATE_VALIDATE;
	struct nwfilter_port port;
	int r = call_flags(call, args->flags, validate, err);

	if (r == 0)
		r = nwfilter_bind(filters_of(call), args->str,
				  args->flags & validate, &port, err);
	if (r == 0)
		reply_port(reply, &port);
	return r;
}

int handle_nwfilter_binding_delete(struct call *call, const wire_binding *args,
				   struct error *err)
{
	return nwfilter_unbind(filters_of(call), args->port, err);
}
