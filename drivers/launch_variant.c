/*
 * drivers/launch_variant.c -- which variant of the emulator a definition wants.
 *
 *	<metadata>
 *	  <vireo:engine xmlns:vireo='urn:vireo:domain' variant='interp'/>
 *	</metadata>
 *
 * Metadata, so that libvirt's schema accepts it and stock clients can set it.
 */
#include <libvirt/virterror.h>
#include <string.h>

#include "drivers/launch.h"
#include "model/xml.h"

static bool is_ours(const xmlNode *node)
{
	return xml_name(node) && str_eq(xml_name(node), "engine") && node->ns &&
	       str_eq((const char *)node->ns->href, LAUNCH_NAMESPACE);
}

static bool all_lower_case(const char *s)
{
	return *s && strspn(s, "abcdefghijklmnopqrstuvwxyz") == strlen(s);
}

int launch_variant(const struct domain_def *def, char **ret_variant,
		   struct error *err)
{
	_cleanup_free_ char *text = NULL, *variant = NULL;
	_cleanup_xml_ xmlDoc *doc = NULL;
	const xmlNode *n;
	int r;

	*ret_variant = NULL;
	if (!def->metadata)
		return 0;
	text = xasprintf("<metadata>%s</metadata>", def->metadata);
	r = xml_parse(text, "metadata", &doc, err);
	if (r < 0)
		return r;
	n = xml_child(xmlDocGetRootElement(doc), NULL);
	while (n && !is_ours(n))
		n = xml_next(n, NULL);
	if (n)
		variant = xml_attr(n, "variant");
	if (n && (!variant || !all_lower_case(variant)))
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "<metadata>: <engine> needs a variant, such "
				  "as 'interp'");
	*ret_variant = steal_ptr(&variant);
	return 0;
}
