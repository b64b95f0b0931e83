/*
 * dbus/encode.c -- values into a message.
 *
 * libdbus ends the process when it is given text that is not UTF-8, and libvirt
 * promises nothing about what a guest's agent says: such bytes become '?'.
 */
#include <string.h>

#include "dbus/service.h"

void put_basic(DBusMessageIter *to, char type, const void *value)
{
	if (!dbus_message_iter_append_basic(to, type, value))
		abort(); /* out of memory */
}

void put_string(DBusMessageIter *to, const char *s)
{
	char *copy = xstrdup(s ? s : "");

	if (!dbus_validate_utf8(copy, NULL))
		for (char *c = copy; *c; c++)
			if (*c & 0x80)
				*c = '?';
	put_basic(to, 's', &copy);
	free(copy);
}

static void put_param(DBusMessageIter *to, const virTypedParameter *p)
{
	static const char *const types[] = {
		[VIR_TYPED_PARAM_INT] = "i", [VIR_TYPED_PARAM_UINT] = "u",
		[VIR_TYPED_PARAM_LLONG] = "x", [VIR_TYPED_PARAM_ULLONG] = "t",
		[VIR_TYPED_PARAM_DOUBLE] = "d", [VIR_TYPED_PARAM_BOOLEAN] = "b",
		[VIR_TYPED_PARAM_STRING] = "s",
	};
	const char *type = types[p->type];
	DBusMessageIter outer, inner;
	dbus_bool_t b = p->value.b;

	/* A variant in a variant: what clients of libvirt-dbus expect. */
	dbus_message_iter_open_container(to, 'v', "v", &outer);
	dbus_message_iter_open_container(&outer, 'v', type, &inner);
	if (*type == 's')
		put_string(&inner, p->value.s);
	else if (*type == 'b')
		put_basic(&inner, 'b', &b);
	else
		put_basic(&inner, *type, &p->value);
	dbus_message_iter_close_container(&outer, &inner);
	dbus_message_iter_close_container(to, &outer);
}

void put_params(DBusMessageIter *to, const virTypedParameter *params, int n)
{
	DBusMessageIter array, entry;

	dbus_message_iter_open_container(to, 'a', "{sv}", &array);
	for (int i = 0; i < n; i++) {
		if (params[i].type < VIR_TYPED_PARAM_INT ||
		    params[i].type > VIR_TYPED_PARAM_STRING)
			continue;
		dbus_message_iter_open_container(&array, 'e', NULL, &entry);
		put_string(&entry, params[i].field);
		put_param(&entry, &params[i]);
		dbus_message_iter_close_container(&array, &entry);
	}
	dbus_message_iter_close_container(to, &array);
}

void put_map(DBusMessageIter *to, const unsigned char *map, int cpus)
{
	DBusMessageIter array;

	dbus_message_iter_open_container(to, 'a', "b", &array);
	for (int i = 0; i < cpus; i++) {
		dbus_bool_t used = VIR_CPU_USED(map, i) != 0;

		put_basic(&array, 'b', &used);
	}
	dbus_message_iter_close_container(to, &array);
}

static void put_objects(DBusMessageIter *to, const struct value *v,
			const struct tree *tree)
{
	DBusMessageIter array;
	void **objects = v->data;

	dbus_message_iter_open_container(to, 'a', "o", &array);
	for (; objects && *objects; objects++) {
		char *path = path_of(tree, v->kind, *objects);

		if (path)
			put_basic(&array, 'o', &path);
		free(path);
	}
	dbus_message_iter_close_container(to, &array);
}

static void put_bytes(DBusMessageIter *to, const struct value *v)
{
	DBusMessageIter array;

	dbus_message_iter_open_container(to, 'a', "y", &array);
	dbus_message_iter_append_fixed_array(&array, 'y', &v->data, v->n);
	dbus_message_iter_close_container(to, &array);
}

static void put_number(DBusMessageIter *to, char type, const struct value *v)
{
	dbus_bool_t b = v->i != 0;
	int fd = v->i;

	if (type == 'b')
		put_basic(to, type, &b);
	else if (type == 'h')
		put_basic(to, type, &fd);
	else
		put_basic(to, type, &v->t);
}

static void put_value(DBusMessageIter *to, char type, const struct value *v,
		      const struct tree *tree)
{
	if (v->type == 'P')
		put_params(to, v->params, v->n);
	else if (v->type == 'O')
		put_objects(to, v, tree);
	else if (v->type == 'Y')
		put_bytes(to, v);
	else if (v->type == 's')
		put_string(to, v->s);
	else if (v->type == 'o')
		put_basic(to, 'o', &v->s);
	else
		put_number(to, type, v);
}

/* The only types there are in tables: basic, one array, a tuple of these. */
void put_values(DBusMessageIter *to, const char *type,
		const struct values *from, const struct tree *tree)
{
	DBusMessageIter tuple;
	DBusMessageIter *at = *type == '(' ? &tuple : to;
	unsigned int i = 0;

	if (at == &tuple)
		dbus_message_iter_open_container(to, 'r', NULL, &tuple);
	for (; *type && i < from->n; type++) {
		if (*type == '(')
			continue;
		put_value(at, *type, &from->v[i++], tree);
		if (*type == 'a') /* the values say of what */
			type = strchr("{", type[1]) ? strchr(type, '}') : type + 1;
	}
	assert(i == from->n);
	if (at == &tuple)
		dbus_message_iter_close_container(to, &tuple);
}

char *signature_of(const char *args)
{
	struct buf ret = { 0 };

	while ((args = strchr(args, ':'))) {
		size_t len = strcspn(++args, " ");

		buf_add(&ret, args, len);
	}
	return buf_steal(&ret);
}
