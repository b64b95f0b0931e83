/*
 * model/metadata.c -- elements of <metadata> (model/metadata.h).
 */
#include "model/metadata.h"

#include <string.h>

#include "base/util.h"

static bool is_it(const xmlNode *node, const char *ns, const char *element)
{
	return xml_name(node) && str_eq(xml_name(node), element) && node->ns &&
	       str_eq((const char *)node->ns->href, ns);
}

int metadata_find(const char *metadata, const char *ns, const char *element,
		  xmlDoc **ret_doc, const xmlNode **ret_node,
		  struct error *err)
{
	_cleanup_free_ char *text = NULL;
	const xmlNode *n;
	int r;

	*ret_doc = NULL;
	*ret_node = NULL;
	if (!metadata || !strstr(metadata, ns))
		return 0;
	text = xasprintf("<metadata>%s</metadata>", metadata);
	r = xml_parse(text, "metadata", ret_doc, err);
	if (r < 0)
		return r;
	n = xml_child(xmlDocGetRootElement(*ret_doc), NULL);
	while (n && !is_it(n, ns, element))
		n = xml_next(n, NULL);
	*ret_node = n;
	return 0;
}
