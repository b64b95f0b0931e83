/*
 * model/disk_layers.c -- <backingStore>, which is kept as it was written.
 */
#include "model/disk_layers.h"

#include <libvirt/virterror.h>

#include "base/error.h"
#include "model/domain.h"
#include "model/xml.h"

enum { LEVELS_MAX = 200 };

static char *child_attr(const xmlNode *node, const char *child,
			const char *attr)
{
	const xmlNode *c = xml_child(node, child);

	return c ? xml_attr(c, attr) : NULL;
}

static int read_one(const xmlNode *node, const char *type,
		    struct dom_layer *ret, struct error *err)
{
	ret->is_device = str_eq(type, "block");
	if (!ret->is_device && !str_eq(type, "file"))
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "<backingStore>: only type='file' and 'block' are supported");
	ret->source = child_attr(node, "source",
				 ret->is_device ? "dev" : "file");
	ret->format = child_attr(node, "format", "type");
	return ret->source ? 0 :
			     error_virt(err, VIR_ERR_XML_ERROR,
					"<backingStore>: it has no <source>");
}

static int read_chain(const xmlNode *disk, struct dom_layer **ret,
		      unsigned int *ret_n, bool *ret_ended, struct error *err)
{
	const xmlNode *node = xml_child(disk, "backingStore");
	int r = 0;

	for (; node && r >= 0; node = xml_child(node, "backingStore")) {
		_cleanup_free_ char *type = xml_attr(node, "type");

		if (!type && !xml_child(node, NULL)) {
			*ret_ended = true;
			return 0;
		}
		if (*ret_n == LEVELS_MAX)
			return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
					  "<backingStore>: there are too many");
		*ret = xrealloc(*ret, *ret_n + 1, sizeof(**ret));
		(*ret)[*ret_n] = (struct dom_layer){ 0 };
		r = read_one(node, type, &(*ret)[(*ret_n)++], err);
	}
	return r;
}

int disk_layers(const struct dom_disk *disk, struct dom_layer **ret,
		 unsigned int *ret_n, bool *ret_ended, struct error *err)
{
	_cleanup_xml_ xmlDoc *doc = NULL;
	struct dom_layer *list = NULL;
	unsigned int n = 0;
	int r = 0;

	*ret_ended = false;
	if (disk->info.extra) {
		r = xml_parse(disk->info.extra, NULL, &doc, err);
		if (r >= 0)
			r = read_chain(xmlDocGetRootElement(doc), &list, &n,
				       ret_ended, err);
	}
	if (r < 0) {
		disk_layers_free(list, n);
		return r;
	}
	*ret = list;
	*ret_n = n;
	return 0;
}

void disk_layers_free(struct dom_layer *list, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		free(list[i].source);
		free(list[i].format);
	}
	free(list);
}
