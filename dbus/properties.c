/*
 * dbus/properties.c -- org.freedesktop.DBus.Properties over the tables.
 */
#include "dbus/service.h"

static const struct property *find(const struct iface *iface, const char *name)
{
	for (const struct property *p = iface->properties; p && p->name; p++)
		if (str_eq(p->name, name))
			return p;
	return NULL;
}

static DBusMessage *unknown(DBusMessage *msg, const char *name)
{
	return dbus_message_new_error_printf(msg, DBUS_ERROR_UNKNOWN_PROPERTY,
					     "No such property \"%s\"", name);
}

/* A message with the property's value and nothing else, or NULL. */
static DBusMessage *value_of(DBusMessage *msg, const struct call *on,
			     const struct property *p)
{
	DBusMessage *reply = dbus_message_new_method_return(msg);
	DBusMessageIter at;
	struct values none = { 0 };
	struct call c = *on;

	dbus_message_iter_init_append(reply, &at);
	c.method = &p->get;
	c.in = &none;
	c.reply = &at;
	if (call_method(&c))
		return reply;
	dbus_message_unref(reply);
	return NULL;
}

static void copy(DBusMessageIter *from, DBusMessageIter *to)
{
	int type;

	for (; (type = dbus_message_iter_get_arg_type(from));
	     dbus_message_iter_next(from)) {
		DBusMessageIter inner, copied;
		DBusBasicValue value;

		if (dbus_type_is_basic(type)) {
			dbus_message_iter_get_basic(from, &value);
			put_basic(to, type, &value);
			continue;
		}
		dbus_message_iter_recurse(from, &inner);
		dbus_message_iter_open_container(to, type, NULL, &copied);
		copy(&inner, &copied);
		dbus_message_iter_close_container(to, &copied);
	}
}

static void put_variant(DBusMessageIter *to, const char *type,
			DBusMessage *value)
{
	DBusMessageIter from, variant;

	dbus_message_iter_init(value, &from);
	dbus_message_iter_open_container(to, 'v', type, &variant);
	copy(&from, &variant);
	dbus_message_iter_close_container(to, &variant);
}

DBusMessage *properties_get(DBusMessage *msg, struct call *c,
			    const struct iface *iface)
{
	DBusMessage *value, *reply;
	const char *name, *of;
	const struct property *p;
	DBusMessageIter at;

	dbus_message_get_args(msg, NULL, 's', &of, 's', &name, 0);
	p = find(iface, name);
	if (!p)
		return unknown(msg, name);
	value = value_of(msg, c, p);
	if (!value)
		return reply_virt_error(msg);
	reply = dbus_message_new_method_return(msg);
	dbus_message_iter_init_append(reply, &at);
	put_variant(&at, p->type, value);
	dbus_message_unref(value);
	return reply;
}

/* All of them have a variant in a variant, as typed parameters do. */
static void put_entry(DBusMessageIter *array, const struct property *p,
		      DBusMessage *value)
{
	DBusMessageIter entry, outer;

	dbus_message_iter_open_container(array, 'e', NULL, &entry);
	put_string(&entry, p->name);
	dbus_message_iter_open_container(&entry, 'v', "v", &outer);
	put_variant(&outer, p->type, value);
	dbus_message_iter_close_container(&entry, &outer);
	dbus_message_iter_close_container(array, &entry);
}

/* What cannot be had is left out. */
DBusMessage *properties_all(DBusMessage *msg, struct call *c,
			    const struct iface *iface)
{
	DBusMessage *reply = dbus_message_new_method_return(msg), *value;
	DBusMessageIter at, array;

	dbus_message_iter_init_append(reply, &at);
	dbus_message_iter_open_container(&at, 'a', "{sv}", &array);
	for (const struct property *p = iface->properties; p && p->name; p++) {
		value = value_of(msg, c, p);
		if (!value)
			continue;
		put_entry(&array, p, value);
		dbus_message_unref(value);
	}
	dbus_message_iter_close_container(&at, &array);
	return reply;
}

/* All that can be set are booleans. */
DBusMessage *properties_set(DBusMessage *msg, struct call *c,
			    const struct iface *iface)
{
	struct values in = { .n = 1 };
	DBusMessageIter at, variant;
	const struct property *p;
	const char *name;

	dbus_message_iter_init(msg, &at);
	dbus_message_iter_next(&at);
	dbus_message_iter_get_basic(&at, &name);
	dbus_message_iter_next(&at);
	dbus_message_iter_recurse(&at, &variant);
	p = find(iface, name);
	if (!p)
		return unknown(msg, name);
	if (!p->set.fn)
		return dbus_message_new_error_printf(
			msg, DBUS_ERROR_PROPERTY_READ_ONLY,
			"Property \"%s\" cannot be set", name);
	if (dbus_message_iter_get_arg_type(&variant) != 'b')
		return dbus_message_new_error_printf(
			msg, DBUS_ERROR_INVALID_ARGS,
			"Property \"%s\" is a boolean", name);
	dbus_message_iter_get_basic(&variant, &in.v[0].u);
	c->method = &p->set;
	c->in = &in;
	return call_method(c) ? dbus_message_new_method_return(msg) :
				reply_virt_error(msg);
}
