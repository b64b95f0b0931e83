/*
 * model/xml_write.c -- XML text from a tree, as libvirt prints it.
 */
#include <libxml/parserInternals.h>
#include <string.h>

#include "model/xml.h"

static const char *escape_of(char c, bool attr)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '\r':
		return "&#13;";
	case '\'':
		return attr ? "&apos;" : NULL;
	case '\n': /* would be read back as blanks (XML 1.0, 3.3.3) */
		return attr ? "&#10;" : NULL;
	case '\t':
		return attr ? "&#9;" : NULL;
	default:
		return NULL;
	}
}

static void put_text(struct buf *out, const xmlChar *text, bool attr)
{
	for (const char *p = (const char *)text; p && *p; p++) {
		const char *escaped = escape_of(*p, attr);

		if (escaped)
			buf_puts(out, escaped);
		else
			buf_add(out, p, 1);
	}
}

static void put_name(struct buf *out, const xmlNs *ns, const xmlChar *name)
{
	if (ns && ns->prefix)
		buf_printf(out, "%s:", (const char *)ns->prefix);
	buf_puts(out, (const char *)name);
}

static void put_namespaces(struct buf *out, const xmlNode *node)
{
	for (const xmlNs *ns = node->nsDef; ns; ns = ns->next) {
		buf_puts(out, ns->prefix ? " xmlns:" : " xmlns");
		buf_puts(out, ns->prefix ? (const char *)ns->prefix : "");
		buf_puts(out, "='");
		put_text(out, ns->href, true);
		buf_puts(out, "'");
	}
}

static void put_attrs(struct buf *out, const xmlNode *node)
{
	for (const xmlAttr *a = node->properties; a; a = a->next) {
		xmlChar *value = xmlNodeGetContent((const xmlNode *)a);

		buf_puts(out, " ");
		put_name(out, a->ns, a->name);
		buf_puts(out, "='");
		put_text(out, value, true);
		buf_puts(out, "'");
		xmlFree(value);
	}
}

static bool is_text(const xmlNode *node)
{
	return node->type == XML_TEXT_NODE ||
	       node->type == XML_CDATA_SECTION_NODE;
}

static bool has_text(const xmlNode *node)
{
	for (const xmlNode *c = node->children; c; c = c->next)
		if (is_text(c) && !xmlIsBlankNode(c))
			return true;
	return false;
}

static void put_element(struct buf *out, const xmlNode *node, int level);

static void put_inline(struct buf *out, const xmlNode *node)
{
	for (const xmlNode *c = node->children; c; c = c->next) {
		if (is_text(c) && c->name == xmlStringTextNoenc)
			buf_puts(out, (const char *)c->content);
		else if (is_text(c))
			put_text(out, c->content, false);
		else if (c->type == XML_ELEMENT_NODE)
			put_element(out, c, -1);
	}
}

static void put_lines(struct buf *out, const xmlNode *node, int level)
{
	buf_puts(out, "\n");
	for (xmlNode *c = xml_child(node, NULL); c; c = xml_next(c, NULL))
		xml_write(out, c, level);
	buf_printf(out, "%*s", 2 * (level - 1), "");
}

/* level < 0: inside text, where blanks count. */
static void put_element(struct buf *out, const xmlNode *node, int level)
{
	bool text = level < 0 || has_text(node);

	buf_puts(out, "<");
	put_name(out, node->ns, node->name);
	put_namespaces(out, node);
	put_attrs(out, node);
	if (text ? !node->children : !xml_child(node, NULL)) {
		buf_puts(out, "/>");
		return;
	}
	buf_puts(out, ">");
	if (text)
		put_inline(out, node);
	else
		put_lines(out, node, level + 1);
	buf_puts(out, "</");
	put_name(out, node->ns, node->name);
	buf_puts(out, ">");
}

void xml_write(struct buf *out, const xmlNode *node, unsigned int level)
{
	buf_printf(out, "%*s", 2 * level, "");
	put_element(out, node, level);
	buf_puts(out, "\n");
}
