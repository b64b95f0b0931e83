/*
 * cli/xml.h -- XML read, printed in parts and written by commands.
 */
#ifndef CLI_XML_H
#define CLI_XML_H

#include <libxml/tree.h>
#include <libxml/xpath.h>

#include "base/buf.h"
#include "cli/args.h"

/* A document with an XPath context; doc NULL after a failure. */
struct xml {
	xmlDocPtr doc;
	xmlXPathContextPtr ctxt;
};

int xml_open(struct xml *x, const char *text); /* -1: said why */
void xml_close(struct xml *x);
#define _cleanup_xml_ _cleanup_(xml_close)

/* A live domain's XML, or its definition; -1: said why. */
int xml_open_domain(struct ctl *ctl, struct xml *x, virDomainPtr dom,
		    unsigned int flags);

/* Nodes that an expression selects below node (NULL: the document). */
xmlXPathObjectPtr xml_find(struct xml *x, xmlNodePtr node, const char *expr);
static inline int xml_count(xmlXPathObjectPtr found)
{
	return found && found->nodesetval ? found->nodesetval->nodeNr : 0;
}

/* "string(expr)"; NULL where it is empty.  The caller frees it. */
char *xml_string(struct xml *x, xmlNodePtr node, const char *expr);

/* A domain's interface by target or MAC address; NULL: said why. */
xmlNodePtr xml_find_nic(struct xml *x, const char *name);
xmlNodePtr xml_find_nic_quietly(struct xml *x, const char *name);
/* A domain's disk by target or source; NULL: none, said nothing. */
xmlNodePtr xml_find_disk(struct xml *x, const char *name);

/* A node with what is below it. */
char *xml_text(struct xml *x, xmlNodePtr node);

/* The options --xpath and --wrap, on a text that is freed: a status. */
int xml_show(struct ctl *ctl, const struct args *args, char *text);

/* Escaped text for an attribute or element; NULL adds nothing. */
void xml_add(struct buf *b, const char *text);
/* " name='value'", nothing when value is NULL. */
void xml_attr(struct buf *b, const char *name, const char *value);
/* "<element>text</element>" on a line of its own, nothing when text is NULL. */
void xml_line(struct buf *b, int indent, const char *element,
	      const char *text);

#endif
