/*
 * dbus/introspect.c -- what is at a path, as XML, from the same tables that
 * calls are made from.
 */
#include <string.h>

#include "dbus/service.h"

static const char head[] =
	"<!DOCTYPE node PUBLIC "
	"\"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"\n"
	" \"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">\n"
	"<node>\n";

/* What every object has. */
static const struct iface standard[] = {
	{ .name = "org.freedesktop.DBus.Introspectable",
	  .methods = (const struct method[]){
		  { .name = "Introspect", .in = "", .out = "xml_data:s" },
		  { 0 } } },
	{ .name = "org.freedesktop.DBus.Peer",
	  .methods = (const struct method[]){
		  { .name = "Ping", .in = "", .out = "" },
		  { .name = "GetMachineId", .in = "", .out = "machine_uuid:s" },
		  { 0 } } },
	{ .name = "org.freedesktop.DBus.Properties",
	  .methods = (const struct method[]){
		  { .name = "Get", .in = "interface_name:s property_name:s",
		    .out = "value:v" },
		  { .name = "Set",
		    .in = "interface_name:s property_name:s value:v",
		    .out = "" },
		  { .name = "GetAll", .in = "interface_name:s",
		    .out = "properties:a{sv}" },
		  { 0 } },
	  .signals = (const struct signal[]){
		  { "PropertiesChanged",
		    "interface_name:s changed_properties:a{sv} "
		    "invalidated_properties:as" },
		  { 0 } } },
};

static void add_args(struct buf *xml, const char *args, const char *direction)
{
	while (*args) {
		int name = strcspn(args, ":"), type;

		type = strcspn(args + name + 1, " ");
		buf_printf(xml, "      <arg name=\"%.*s\" type=\"%.*s\"%s/>\n",
			   name, args, type, args + name + 1, direction);
		args += name + 1 + type;
		args += strspn(args, " ");
	}
}

static void add_annotation(struct buf *xml, const char *indent,
			   const char *value)
{
	buf_printf(xml,
		   "%s<annotation name=\""
		   "org.freedesktop.DBus.Property.EmitsChangedSignal\" "
		   "value=\"%s\"/>\n",
		   indent, value);
}

/* Nobody is told of changes: said once, where there is what can change. */
static void add_quiet(struct buf *xml, const struct property *p)
{
	while (p && p->name && p->constant)
		p++;
	if (p && p->name)
		add_annotation(xml, "    ", "false");
}

static void add_property(struct buf *xml, const struct property *p)
{
	buf_printf(xml, "    <property name=\"%s\" type=\"%s\" access=\"%s\"",
		   p->name, p->type, p->set.fn ? "readwrite" : "read");
	if (!p->constant) {
		buf_puts(xml, "/>\n");
		return;
	}
	buf_puts(xml, ">\n");
	add_annotation(xml, "      ", "const");
	buf_puts(xml, "    </property>\n");
}

static void add_iface(struct buf *xml, const struct iface *iface)
{
	buf_printf(xml, "  <interface name=\"%s\">\n", iface->name);
	add_quiet(xml, iface->properties);
	for (const struct property *p = iface->properties; p && p->name; p++)
		add_property(xml, p);
	for (const struct method *m = iface->methods; m && m->name; m++) {
		buf_printf(xml, "    <method name=\"%s\">\n", m->name);
		add_args(xml, m->in, " direction=\"in\"");
		add_args(xml, m->out, " direction=\"out\"");
		buf_puts(xml, "    </method>\n");
	}
	for (const struct signal *s = iface->signals; s && s->name; s++) {
		buf_printf(xml, "    <signal name=\"%s\">\n", s->name);
		add_args(xml, s->args, "");
		buf_puts(xml, "    </signal>\n");
	}
	buf_puts(xml, "  </interface>\n");
}

static void add_node(struct buf *xml, const char *name, int len)
{
	buf_printf(xml, "  <node name=\"%.*s\"/>\n", len, name);
}

/* The next step from path to each tree, each once. */
static void add_steps(struct buf *xml, const struct trees *trees,
		      const char *path)
{
	size_t len = strlen(path);
	const char *seen = "";

	len += path[len - 1] != '/';
	for (unsigned int i = 0; i < trees->n; i++) {
		const char *step = trees->tree[i].path + len;
		int n = strcspn(step, "/");

		if (strncmp(trees->tree[i].path, path, strlen(path)) != 0 ||
		    (strncmp(seen, step, n) == 0 && strcspn(seen, "/") ==
							    (size_t)n))
			continue;
		add_node(xml, step, n);
		seen = step;
	}
}

static void add_objects(struct buf *xml, const struct where *where,
			virConnectPtr conn)
{
	const struct kind_ops *ops = kind_ops(where->kind);
	void **objects = NULL;

	if (!conn || !ops->list || ops->list(conn, &objects, 0) < 0)
		return;
	for (void **o = objects; *o; o++) {
		struct buf id = { 0 };

		if (ops->id(*o, &id))
			add_node(xml, id.data, id.len);
		buf_free(&id);
	}
	objects_free(where->kind, objects);
}

char *introspect(const struct trees *trees, const struct where *where,
		 const char *path, virConnectPtr conn)
{
	bool object = where->place == PLACE_TREE ||
		      where->place == PLACE_OBJECT;
	struct buf xml = { 0 };

	buf_puts(&xml, head);
	for (unsigned int i = 0; i < ARRAY_SIZE(standard) && object; i++)
		add_iface(&xml, &standard[i]);
	if (object)
		add_iface(&xml, kind_ops(where->kind)->iface);
	if (where->place == PLACE_ABOVE)
		add_steps(&xml, trees, path);
	if (where->place == PLACE_KIND)
		add_objects(&xml, where, conn);
	for (enum kind k = KIND_DOMAIN; k < KINDS; k++)
		if (where->place == PLACE_TREE)
			add_node(&xml, kind_ops(k)->node, 64);
	buf_puts(&xml, "</node>\n");
	return buf_steal(&xml);
}
