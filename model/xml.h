/*
 * model/xml.h -- reading hostile XML with libxml2, and writing it.
 */
#ifndef MODEL_XML_H
#define MODEL_XML_H

#include <libxml/tree.h>

#include "base/buf.h"
#include "base/error.h"

enum {
	XML_TEXT_MAX = 10 * 1024 * 1024, /* bytes in a document */
	XML_DEPTH_MAX = 64,		 /* elements inside each other */
};

/*
 * No network, no DTD, no entities but XML's own five, bounded size and
 * depth.  The root must be <root>; NULL: any.
 */
int xml_parse(const char *text, const char *root, xmlDoc **ret_doc,
	      struct error *err);
void xml_doc_cleanup(xmlDoc **doc);
#define _cleanup_xml_ _cleanup_(xml_doc_cleanup)

/* The sentence plus the node's path and line; returns error_virt()'s. */
int xml_error(struct error *err, int code, const xmlNode *node,
	      const char *fmt, ...) PRINTF(4, 5);

/* Next or first element without namespace called name (NULL: any). */
xmlNode *xml_child(const xmlNode *parent, const char *name);
xmlNode *xml_next(const xmlNode *node, const char *name);
bool xml_is(const xmlNode *node, const char *name);
const char *xml_name(const xmlNode *node);

char *xml_attr(const xmlNode *node, const char *name); /* NULL if none */
char *xml_text(const xmlNode *node); /* NULL when empty */

/* Building: a child with text (NULL: none); an attribute of an element. */
xmlNode *xml_new(const char *root);
xmlNode *xml_add(xmlNode *parent, const char *name, const char *text);
void xml_set(xmlNode *node, const char *name, const char *fmt, ...)
	PRINTF(3, 4);
char *xml_finish(xmlNode *root); /* the text; frees the tree */

/*
 * As libvirt prints: two spaces a level, single quotes.  Elements that have
 * text of their own stay on their line as they are.
 */
void xml_write(struct buf *out, const xmlNode *node, unsigned int level);

#endif
