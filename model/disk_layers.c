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

/* ---- written ---- */

/* What is kept of the disk, without its elements of that name. */
static xmlNode *kept_without(const struct dom_disk *disk, const char *name)
{
	_cleanup_xml_ xmlDoc *doc = NULL;
	xmlNode *root, *old;

	if (!disk->info.extra ||
	    xml_parse(disk->info.extra, NULL, &doc, NULL) < 0)
		return xml_new("disk");
	root = xmlDocGetRootElement(doc);
	while ((old = xml_child(root, name))) {
		xmlUnlinkNode(old);
		xmlFreeNode(old);
	}
	steal_ptr(&doc);
	return root;
}

static void keep(struct dom_disk *disk, xmlNode *root)
{
	bool any = root->properties || xml_child(root, NULL);
	char *text = xml_finish(root);

	free(disk->info.extra);
	disk->info.extra = any ? text : NULL;
	if (!any)
		free(text);
}

static void add_image(xmlNode *node, const struct dom_layer *image)
{
	const char *kind = image->is_device ? "dev" : "file";

	xml_set(node, "type", "%s", image->is_device ? "block" : "file");
	xml_set(xml_add(node, "format", NULL), "type", "%s",
		image->format ? image->format : "raw");
	xml_set(xml_add(node, "source", NULL), kind, "%s", image->source);
}

void disk_set_layers(struct dom_disk *disk, const struct dom_layer *list,
		     unsigned int n)
{
	xmlNode *root = kept_without(disk, "backingStore"), *at = root;

	for (unsigned int i = 0; list && i < n; i++) {
		at = xml_add(at, "backingStore", NULL);
		add_image(at, &list[i]);
	}
	if (list)
		xml_add(at, "backingStore", NULL);
	keep(disk, root);
}

void disk_mirror_finish(struct dom_mirror *m)
{
	free(m->image.source);
	free(m->image.format);
	free(m->job);
}

int disk_mirror(const struct dom_disk *disk, struct dom_mirror *ret)
{
	_cleanup_free_ char *type = NULL, *ready = NULL;
	_cleanup_xml_ xmlDoc *doc = NULL;
	const xmlNode *node;

	if (!disk->info.extra ||
	    xml_parse(disk->info.extra, NULL, &doc, NULL) < 0)
		return 0;
	node = xml_child(xmlDocGetRootElement(doc), "mirror");
	if (!node)
		return 0;
	*ret = (struct dom_mirror){ .job = xml_attr(node, "job") };
	type = xml_attr(node, "type");
	ready = xml_attr(node, "ready");
	ret->ready = str_eq(ready, "yes");
	if (read_one(node, type, &ret->image, NULL) < 0) {
		disk_mirror_finish(ret);
		return 0;
	}
	return 1;
}

/* A copy of a file has its name in attributes, too: so it was once. */
void disk_set_mirror(struct dom_disk *disk, const struct dom_mirror *m)
{
	xmlNode *root = kept_without(disk, "mirror"), *node;

	if (m) {
		node = xml_add(root, "mirror", NULL);
		add_image(node, &m->image);
		if (!m->image.is_device && str_eq(m->job, "copy")) {
			xml_set(node, "file", "%s", m->image.source);
			xml_set(node, "format", "%s",
				m->image.format ? m->image.format : "raw");
		}
		xml_set(node, "job", "%s", m->job);
		if (m->ready)
			xml_set(node, "ready", "yes");
	}
	keep(disk, root);
}
