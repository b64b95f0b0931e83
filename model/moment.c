/*
 * model/moment.c -- what snapshots' and checkpoints' documents have in common.
 */
#include "model/moment.h"

#include <libvirt/virterror.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"

char *moment_text(const xmlNode *parent, const char *name)
{
	const xmlNode *node = xml_child(parent, name);

	return node ? xml_text(node) : NULL;
}

int moment_check_name(const xmlNode *root, const char *kind, const char *name,
		      struct error *err)
{
	if (name && (strchr(name, '/') || name[0] == '.'))
		return xml_error(err, VIR_ERR_XML_DETAIL, root,
				 "invalid domain %s name '%s': name can't contain '/' or begin with '.'",
				 kind, name);
	return 0;
}

int moment_read_created(const xmlNode *root, int64_t *ret, struct error *err)
{
	_cleanup_free_ char *text = moment_text(root, "creationTime");
	uint64_t value = 0;

	if (text && parse_u64(text, 10, INT64_MAX, &value) < 0)
		return xml_error(err, VIR_ERR_XML_ERROR, root,
				 "invalid creationTime '%s'", text);
	*ret = (int64_t)value;
	return 0;
}

void moment_write_created(xmlNode *root, int64_t created)
{
	char text[32];

	if (!created)
		return;
	snprintf(text, sizeof(text), "%lld", (long long)created);
	xml_add(root, "creationTime", text);
}

int moment_read_domain(const xmlNode *root, const char *element,
		       struct domain_def **ret_def, struct error *err)
{
	xmlNode *node = xml_child(root, element);
	_cleanup_buf_ struct buf text = { 0 };
	_cleanup_free_ char *copy = NULL;
	_cleanup_xml_ xmlDoc *doc = NULL;

	if (!node || !xml_child(node, "name"))
		return 0;
	doc = xmlNewDoc(BAD_CAST "1.0");
	node = xmlDocCopyNode(node, doc, 1);
	xmlDocSetRootElement(doc, node);
	xmlNodeSetName(node, BAD_CAST "domain");
	xml_write(&text, node, 0);
	copy = buf_steal(&text);
	return domain_def_parse(copy, 0, ret_def, err);
}

void moment_write_domain(xmlNode *root, const char *element,
			 const struct domain_def *domain, unsigned int flags)
{
	_cleanup_free_ char *text = domain_def_format(domain, flags);
	_cleanup_xml_ xmlDoc *doc = NULL;
	struct error err = { 0 };
	xmlNode *node;

	if (xml_parse(text, "domain", &doc, &err) < 0)
		return;
	node = xmlDocCopyNode(xmlDocGetRootElement(doc), root->doc, 1);
	xmlNodeSetName(node, BAD_CAST element);
	xmlAddChild(root, node);
}
