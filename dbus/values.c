/*
 * dbus/values.c -- a message's arguments as C functions want them.
 *
 * libdbus has checked the message and handle.c its signature; strings and bytes
 * stay in the message, the rest is copied.
 */
#include <errno.h>
#include <string.h>

#include "dbus/service.h"

struct value *values_add(struct values *list, char type)
{
	assert(list->n < MAX_VALUES);
	list->v[list->n].type = type;
	return &list->v[list->n++];
}

static void files_free(struct value *v)
{
	int *fds = v->data;

	for (int i = 0; i < v->n; i++)
		fd_close(fds[i]);
	free(fds);
}

static void value_free(struct value *v)
{
	if (!v->owned)
		return;
	if (v->type == 'P')
		virTypedParamsFree(v->params, MAX(v->n, 0));
	else if (v->type == 'O')
		objects_free(v->kind, v->data);
	else if (v->type == 'H')
		files_free(v);
	else
		free(v->data);
}

void values_free(struct values *list)
{
	for (unsigned int i = 0; i < list->n; i++)
		value_free(&list->v[i]);
	list->n = 0;
}

static int count(DBusMessageIter *array)
{
	DBusMessageIter at = *array;
	int n = 0;

	for (; dbus_message_iter_get_arg_type(&at); dbus_message_iter_next(&at))
		n++;
	return n;
}

/* size: of a C element; libdbus stores what has the D-Bus type's size. */
static void read_elements(DBusMessageIter *at, struct value *v, size_t size)
{
	char *to;

	v->n = count(at);
	v->owned = true;
	v->data = to = xcalloc(MAX(v->n, 1), size);
	for (int i = 0; i < v->n; i++, to += size) {
		dbus_message_iter_get_basic(at, to);
		dbus_message_iter_next(at);
	}
}

static void read_booleans(DBusMessageIter *at, struct value *v)
{
	unsigned char *to;

	v->n = count(at);
	v->owned = true;
	v->data = to = xcalloc(MAX(v->n, 1), 1);
	for (int i = 0; i < v->n; i++) {
		dbus_bool_t on;

		dbus_message_iter_get_basic(at, &on);
		to[i] = on;
		dbus_message_iter_next(at);
	}
}

static void read_bytes(DBusMessageIter *at, struct value *v)
{
	int n = 0;

	dbus_message_iter_get_fixed_array(at, &v->data, &n);
	v->n = n;
}

static int add_param(struct value *v, int *max, const char *name,
		     DBusMessageIter *value)
{
	DBusBasicValue b;
	int type = dbus_message_iter_get_arg_type(value);

	if (!dbus_type_is_basic(type))
		return -1;
	if (!strchr("iuxtdbs", type))
		return -1;
	dbus_message_iter_get_basic(value, &b);
	switch (type) {
	case 'i':
		return virTypedParamsAddInt(&v->params, &v->n, max, name, b.i32);
	case 'u':
		return virTypedParamsAddUInt(&v->params, &v->n, max, name,
					     b.u32);
	case 'x':
		return virTypedParamsAddLLong(&v->params, &v->n, max, name,
					      b.i64);
	case 't':
		return virTypedParamsAddULLong(&v->params, &v->n, max, name,
					       b.u64);
	case 'd':
		return virTypedParamsAddDouble(&v->params, &v->n, max, name,
					       b.dbl);
	case 'b':
		return virTypedParamsAddBoolean(&v->params, &v->n, max, name,
						b.bool_val);
	}
	return virTypedParamsAddString(&v->params, &v->n, max, name, b.str);
}

static int read_params(DBusMessageIter *at, struct value *v, struct error *err)
{
	int max = 0;

	v->owned = true;
	for (; dbus_message_iter_get_arg_type(at); dbus_message_iter_next(at)) {
		DBusMessageIter entry, value;
		const char *name;

		dbus_message_iter_recurse(at, &entry);
		dbus_message_iter_get_basic(&entry, &name);
		dbus_message_iter_next(&entry);
		dbus_message_iter_recurse(&entry, &value);
		if (add_param(v, &max, name, &value) < 0)
			return error_set(err, -EINVAL,
					 "parameter '%s' cannot be used: its "
					 "type, its name or a second one of "
					 "the name", name);
	}
	return 0;
}

static int read_array(DBusMessageIter *arg, struct values *ret,
		      struct error *err)
{
	DBusMessageIter at;

	dbus_message_iter_recurse(arg, &at);
	switch (dbus_message_iter_get_element_type(arg)) {
	case 's':
		read_elements(&at, values_add(ret, 'S'), sizeof(char *));
		return 0;
	case 'u':
		read_elements(&at, values_add(ret, 'U'), sizeof(uint32_t));
		return 0;
	case 'h':
		read_elements(&at, values_add(ret, 'H'), sizeof(int));
		return 0;
	case 'b':
		read_booleans(&at, values_add(ret, 'B'));
		return 0;
	case 'y':
		read_bytes(&at, values_add(ret, 'Y'));
		return 0;
	case 'e':
		return read_params(&at, values_add(ret, 'P'), err);
	}
	return error_set(err, -EINVAL, "unexpected array");
}

int values_read(DBusMessage *msg, struct values *ret, struct error *err)
{
	DBusMessageIter at;
	int type, r = 0;

	dbus_message_iter_init(msg, &at);
	while (!r && (type = dbus_message_iter_get_arg_type(&at))) {
		if (ret->n == MAX_VALUES)
			r = error_set(err, -E2BIG, "too many arguments");
		else if (type == 'a')
			r = read_array(&at, ret, err);
		else if (strchr("iuxts", type))
			dbus_message_iter_get_basic(
				&at, &values_add(ret, type)->t);
		else
			r = error_set(err, -EINVAL, "unexpected type %c", type);
		dbus_message_iter_next(&at);
	}
	return r;
}
