/*
 * dbus/handle.c -- finds out what a call is about, checks its arguments against
 * the table, and answers it.
 */
#include <string.h>

#include "dbus/service.h"

struct request {
	DBusMessage *msg;
	const struct trees *trees;
	struct connections *connections;
	struct where where;
	const char *iface, *member;
};

DBusMessage *reply_virt_error(DBusMessage *msg)
{
	const virError *e = virGetLastError();
	const char *text = e && e->message ? e->message : "unknown error";

	if (!dbus_validate_utf8(text, NULL))
		text = "an error whose text is not UTF-8";
	return dbus_message_new_error(msg, "org.libvirt.Error", text);
}

static DBusMessage *no_method(const struct request *r)
{
	return dbus_message_new_error_printf(
		r->msg, DBUS_ERROR_UNKNOWN_METHOD,
		"No such method \"%s\" in interface \"%s\" at \"%s\"",
		r->member, r->iface ? r->iface : "",
		dbus_message_get_path(r->msg));
}

static DBusMessage *no_object(const struct request *r)
{
	return dbus_message_new_error_printf(r->msg, DBUS_ERROR_UNKNOWN_OBJECT,
					     "No object at \"%s\"",
					     dbus_message_get_path(r->msg));
}

static DBusMessage *bad_args(DBusMessage *msg, const char *want)
{
	return dbus_message_new_error_printf(
		msg, DBUS_ERROR_INVALID_ARGS,
		"Arguments have the types \"%s\" and must have \"%s\"",
		dbus_message_get_signature(msg), want);
}

static const struct method *find_method(const struct iface *iface,
					const char *name)
{
	for (const struct method *m = iface->methods; m->name; m++)
		if (str_eq(m->name, name))
			return m;
	return NULL;
}

static bool for_iface(const struct request *r, const char *name)
{
	return !r->iface || str_eq(r->iface, name);
}

/* Makes the call and takes the reply apart again if it failed half-way. */
static DBusMessage *reply_call(DBusMessage *msg, struct call *c)
{
	DBusMessage *reply = dbus_message_new_method_return(msg);
	const char *refused = NULL;
	DBusMessageIter at;

	dbus_message_iter_init_append(reply, &at);
	c->reply = &at;
	c->refused = &refused;
	if (call_method(c))
		return reply;
	dbus_message_unref(reply);
	if (refused)
		return dbus_message_new_error(msg, DBUS_ERROR_LIMITS_EXCEEDED,
					      refused);
	return reply_virt_error(msg);
}

static DBusMessage *run_method(const struct request *r, struct call *c)
{
	struct values in = { 0 };
	struct error err = { 0 };
	DBusMessage *reply;

	c->in = &in;
	if (values_read(r->msg, &in, &err) < 0)
		reply = dbus_message_new_error(r->msg, DBUS_ERROR_INVALID_ARGS,
					       err.message);
	else
		reply = reply_call(r->msg, c);
	values_free(&in);
	return reply;
}

static DBusMessage *on_object(const struct request *r, struct call *c)
{
	const struct iface *iface = kind_ops(r->where.kind)->iface;

	if (c->method)
		return run_method(r, c);
	if (str_eq(r->member, "Get"))
		return properties_get(r->msg, c, iface);
	if (str_eq(r->member, "Set"))
		return properties_set(r->msg, c, iface);
	return properties_all(r->msg, c, iface);
}

static DBusMessage *find_object(const struct request *r, struct call *c)
{
	const struct kind_ops *ops = kind_ops(r->where.kind);
	struct buf id = { 0 };
	DBusMessage *reply;

	if (r->where.place == PLACE_TREE) {
		c->self = c->conn;
		return on_object(r, c);
	}
	if (!ops->decode(r->where.id, &id)) {
		buf_free(&id);
		return no_object(r);
	}
	c->self = ops->lookup(c->conn, id.data);
	buf_free(&id);
	if (!c->self)
		return reply_virt_error(r->msg);
	reply = on_object(r, c);
	ops->free(c->self);
	return reply;
}

static const char *properties_signature(const char *member)
{
	return str_eq(member, "Get")	? "ss" :
	       str_eq(member, "Set")	? "ssv" :
	       str_eq(member, "GetAll") ? "s" : NULL;
}

/* Checked before any connection is opened. */
static DBusMessage *check(const struct request *r, struct call *c)
{
	const struct iface *iface = kind_ops(r->where.kind)->iface;
	_cleanup_free_ char *want = NULL;

	if (for_iface(r, iface->name))
		c->method = find_method(iface, r->member);
	if (c->method)
		want = signature_of(c->method->in);
	else if (for_iface(r, DBUS_INTERFACE_PROPERTIES))
		want = xstrdup(properties_signature(r->member));
	if (!want)
		return no_method(r);
	return dbus_message_has_signature(r->msg, want) ? NULL :
							  bad_args(r->msg, want);
}

/* Whose properties are asked for must be this object's interface. */
static DBusMessage *check_properties(const struct request *r,
				     const struct call *c)
{
	const char *of;

	if (c->method)
		return NULL;
	dbus_message_get_args(r->msg, NULL, 's', &of, 0);
	if (str_eq(of, kind_ops(r->where.kind)->iface->name))
		return NULL;
	return dbus_message_new_error_printf(r->msg, DBUS_ERROR_INVALID_ARGS,
					     "No such interface \"%s\"", of);
}

static DBusMessage *call_object(const struct request *r)
{
	struct call c = { .tree = r->where.tree };
	DBusMessage *reply = check(r, &c);

	if (!reply)
		reply = check_properties(r, &c);
	if (reply)
		return reply;
	c.conn = tree_open(r->connections, r->trees, r->where.tree);
	return c.conn ? find_object(r, &c) : reply_virt_error(r->msg);
}

static DBusMessage *call_introspect(const struct request *r)
{
	DBusMessage *reply;
	virConnectPtr conn = NULL;
	char *xml;

	if (!dbus_message_has_signature(r->msg, ""))
		return bad_args(r->msg, "");
	if (r->where.place == PLACE_KIND)
		conn = tree_open(r->connections, r->trees, r->where.tree);
	xml = introspect(r->trees, &r->where, dbus_message_get_path(r->msg),
			 conn);
	reply = dbus_message_new_method_return(r->msg);
	dbus_message_append_args(reply, 's', &xml, 0);
	free(xml);
	return reply;
}

DBusMessage *handle(DBusMessage *msg, const struct trees *trees,
		    struct connections *connections)
{
	struct request r = {
		.msg = msg,
		.trees = trees,
		.connections = connections,
		.where = path_find(trees, dbus_message_get_path(msg)),
		.iface = dbus_message_get_interface(msg),
		.member = dbus_message_get_member(msg),
	};

	if (r.where.place == PLACE_NOWHERE)
		return no_object(&r);
	if (str_eq(r.member, "Introspect") &&
	    for_iface(&r, DBUS_INTERFACE_INTROSPECTABLE))
		return call_introspect(&r);
	if (r.where.place == PLACE_TREE || r.where.place == PLACE_OBJECT)
		return call_object(&r);
	return no_method(&r);
}
