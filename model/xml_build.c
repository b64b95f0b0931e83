/*
 * model/xml_build.c -- a tree made by hand, for documents we only write.
 */
#include <stdarg.h>

#include "model/xml.h"

xmlNode *xml_new(const char *root)
{
	xmlDoc *doc = xmlNewDoc(BAD_CAST "1.0");
	xmlNode *node = xmlNewDocNode(doc, NULL, BAD_CAST root, NULL);

	if (!node)
		abort();
	xmlDocSetRootElement(doc, node);
	return node;
}

xmlNode *xml_add(xmlNode *parent, const char *name, const char *text)
{
	xmlNode *node = xmlNewTextChild(parent, NULL, BAD_CAST name,
					BAD_CAST text);

	if (!node)
		abort();
	return node;
}

void xml_set(xmlNode *node, const char *name, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	xmlNewProp(node, BAD_CAST name, BAD_CAST text);
}

char *xml_finish(xmlNode *root)
{
	struct buf text = { 0 };

	xml_write(&text, root, 0);
	xmlFreeDoc(root->doc);
	return buf_steal(&text);
}
