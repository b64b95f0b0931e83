/*
 * model/metadata.h -- what stands in <metadata>, which libvirt's schema leaves
 * to whoever knows the namespace.
 */
#ifndef MODEL_METADATA_H
#define MODEL_METADATA_H

#include "model/xml.h"

/*
 * The first element of that name and namespace; *ret_node NULL: there is none.
 * metadata: <metadata>'s children as text, or NULL.  The caller frees *ret_doc.
 */
int metadata_find(const char *metadata, const char *ns, const char *element,
		  xmlDoc **ret_doc, const xmlNode **ret_node,
		  struct error *err);

#endif
