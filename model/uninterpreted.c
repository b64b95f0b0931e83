/*
 * model/uninterpreted.c -- says what a definition keeps without acting on.
 */
#include <string.h>

#include "model/tables.h"
#include "model/xml.h"

static void report_attrs(struct buf *out, const xmlNode *node)
{
	for (const xmlAttr *a = node->properties; a; a = a->next)
		buf_printf(out, "%s/@%s\n", xml_name(node),
			   (const char *)a->name);
}

/* Whether a table has members below this child of the element. */
static bool is_read(const struct xml_type *type, const char *name)
{
	size_t len = strlen(name);

	for (const struct field *f = type->fields; f->path; f++)
		if (!strncmp(f->path, name, len) &&
		    strchr("@/", f->path[len]))
			return true;
	return false;
}

/* Kept as text, and read from that: model/disk_layers.h. */
static bool is_read_later(const struct xml_type *type, const xmlNode *child)
{
	return type == &type_disk && (str_eq(xml_name(child), "backingStore") ||
				      str_eq(xml_name(child), "mirror"));
}

static void report_child(struct buf *out, const char *parent,
			 const xmlNode *child, bool read)
{
	if (!read || !child->properties)
		buf_printf(out, "%s/%s\n", parent, xml_name(child));
	for (const xmlAttr *a = child->properties; read && a; a = a->next)
		buf_printf(out, "%s/%s/@%s\n", parent, xml_name(child),
			   (const char *)a->name);
}

static void report(void *arg, const struct xml_type *type, const char *extra)
{
	_cleanup_xml_ xmlDoc *doc = NULL;
	const xmlNode *root;

	if (xml_parse(extra, NULL, &doc, NULL) < 0)
		return;
	root = xmlDocGetRootElement(doc);
	report_attrs(arg, root);
	for (xmlNode *c = xml_child(root, NULL); c; c = xml_next(c, NULL))
		if (!is_read_later(type, c))
			report_child(arg, xml_name(root), c,
				     is_read(type, xml_name(c)));
}

char *domain_def_uninterpreted(const struct domain_def *def)
{
	struct buf out = { 0 };

	bind_each_extra(&type_domain, def, report, &out);
	return out.len ? buf_steal(&out) : NULL;
}
