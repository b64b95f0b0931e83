/*
 * model/xml.c -- reading hostile XML with libxml2.
 */
#include "model/xml.h"

#include <libvirt/virterror.h>
#include <libxml/parser.h>
#include <stdarg.h>
#include <string.h>

void xml_doc_cleanup(xmlDoc **doc)
{
	xmlFreeDoc(*doc);
}

const char *xml_name(const xmlNode *node)
{
	return (const char *)node->name;
}

bool xml_is(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE &&
	       (!name || (!node->ns && !strcmp(xml_name(node), name)));
}

static xmlNode *first_of(xmlNode *node, const char *name)
{
	while (node && !xml_is(node, name))
		node = node->next;
	return node;
}

xmlNode *xml_child(const xmlNode *parent, const char *name)
{
	return first_of(parent->children, name);
}

xmlNode *xml_next(const xmlNode *node, const char *name)
{
	return first_of(node->next, name);
}

static char *steal_xml_string(xmlChar *s)
{
	char *copy = xstrdup((const char *)s);

	xmlFree(s);
	return copy;
}

char *xml_attr(const xmlNode *node, const char *name)
{
	return steal_xml_string(xmlGetNoNsProp(node, BAD_CAST name));
}

char *xml_text(const xmlNode *node)
{
	_cleanup_free_ char *text = steal_xml_string(xmlNodeGetContent(node));

	return text && *text ? steal_ptr(&text) : NULL;
}

int xml_error(struct error *err, int code, const xmlNode *node,
	      const char *fmt, ...)
{
	char text[512];
	xmlChar *path = xmlGetNodePath(node);
	va_list ap;
	int r;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r = error_virt(err, code, "%s (%s, line %ld)", text,
		       path ? (const char *)path : "?", xmlGetLineNo(node));
	xmlFree(path);
	return r;
}

/* A document that brings a DTD is refused before any of it is read. */
static void refuse_dtd(void *arg, const xmlChar *name, const xmlChar *id,
		       const xmlChar *system)
{
	xmlParserCtxt *ctxt = arg;

	*(bool *)ctxt->_private = true;
	xmlStopParser(ctxt);
}

static int report_syntax(xmlParserCtxt *ctxt, struct error *err)
{
	const xmlError *e = xmlCtxtGetLastError(ctxt);
	const char *text = e && e->message ? e->message : "not XML";

	return error_virt(err, VIR_ERR_XML_DETAIL, "at line %d: %.*s",
			  e ? e->line : 0, (int)strcspn(text, "\n"), text);
}

static int read_doc(xmlParserCtxt *ctxt, const char *text, xmlDoc **ret_doc,
		    struct error *err)
{
	static const int options = XML_PARSE_NONET | XML_PARSE_NOERROR |
				   XML_PARSE_NOWARNING | XML_PARSE_BIG_LINES;
	bool has_dtd = false;
	_cleanup_xml_ xmlDoc *doc = NULL;

	ctxt->_private = &has_dtd;
	ctxt->sax->internalSubset = refuse_dtd;
	doc = xmlCtxtReadMemory(ctxt, text, strlen(text), NULL, NULL, options);
	if (has_dtd)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "a document type declaration is not allowed");
	if (!doc || !ctxt->wellFormed)
		return report_syntax(ctxt, err);
	*ret_doc = steal_ptr(&doc);
	return 0;
}

/* libxml2 itself stops at 256, so this recursion is bounded. */
static unsigned int depth_of(const xmlNode *node)
{
	unsigned int deepest = 0;

	for (const xmlNode *c = node->children; c; c = c->next) {
		unsigned int depth = xml_is(c, NULL) ? depth_of(c) : 0;

		deepest = MAX(deepest, depth);
	}
	return deepest + 1;
}

static int check_root(xmlDoc *doc, const char *root, struct error *err)
{
	const xmlNode *node = xmlDocGetRootElement(doc);

	if (!xml_is(node, root))
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "unexpected root element <%s>, expecting <%s>",
				  xml_name(node), root);
	if (depth_of(node) > XML_DEPTH_MAX)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "elements are nested more than %d deep",
				  XML_DEPTH_MAX);
	return 0;
}

int xml_parse(const char *text, const char *root, xmlDoc **ret_doc,
	      struct error *err)
{
	_cleanup_xml_ xmlDoc *doc = NULL;
	xmlParserCtxt *ctxt;
	int r;

	if (strnlen(text, XML_TEXT_MAX + 1) > XML_TEXT_MAX)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "the document is larger than %d bytes",
				  XML_TEXT_MAX);
	ctxt = xmlNewParserCtxt();
	if (!ctxt)
		return error_virt(err, VIR_ERR_NO_MEMORY, "out of memory");
	r = read_doc(ctxt, text, &doc, err);
	xmlFreeParserCtxt(ctxt);
	if (r < 0)
		return r;
	r = root ? check_root(doc, root, err) : 0;
	if (r < 0)
		return r;
	*ret_doc = steal_ptr(&doc);
	return 0;
}
