/*
 * drivers/launch_variant.c -- what of a definition is ours alone, and so in its
 * metadata, which libvirt's schema accepts and stock clients can set:
 *
 *	<metadata>
 *	  <vireo:engine xmlns:vireo='urn:vireo:domain' variant='interp'/>
 *	  <vireo:bootmenu xmlns:vireo='urn:vireo:domain' splash='/PATH.bmp'/>
 *	</metadata>
 */
#include <libvirt/virterror.h>
#include <string.h>

#include "drivers/launch.h"
#include "model/metadata.h"

int launch_metadata(const struct domain_def *def, const char *element,
		    const char *attr, bool *ret_there, char **ret_value,
		    struct error *err)
{
	_cleanup_xml_ xmlDoc *doc = NULL;
	const xmlNode *n;
	int r = metadata_find(def->metadata, LAUNCH_NAMESPACE, element, &doc,
			      &n, err);

	*ret_there = r >= 0 && n;
	*ret_value = *ret_there ? xml_attr(n, attr) : NULL;
	return r;
}

static bool all_lower_case(const char *s)
{
	return *s && strspn(s, "abcdefghijklmnopqrstuvwxyz") == strlen(s);
}

int launch_variant(const struct domain_def *def, char **ret_variant,
		   struct error *err)
{
	_cleanup_free_ char *variant = NULL;
	bool there;
	int r = launch_metadata(def, "engine", "variant", &there, &variant,
				err);

	*ret_variant = NULL;
	if (r < 0)
		return r;
	if (there && (!variant || !all_lower_case(variant)))
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "<metadata>: <engine> needs a variant, such "
				  "as 'interp'");
	*ret_variant = steal_ptr(&variant);
	return 0;
}
