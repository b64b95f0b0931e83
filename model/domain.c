/*
 * model/domain.c -- a domain read, written, copied and freed.
 */
#include "model/domain.h"

#include <libvirt/virterror.h>
#include <string.h>

#include "model/complete.h"
#include "model/rules.h"
#include "model/schemas.h"
#include "model/tables.h"
#include "model/xml.h"

static struct domain_def *def_new(void)
{
	struct domain_def *def = xmalloc(sizeof(*def));

	memcpy(def, type_domain.defaults, sizeof(*def));
	return def;
}

void domain_def_free(struct domain_def *def)
{
	if (!def)
		return;
	bind_finish(&type_domain, def);
	free(def);
}

struct domain_def *domain_def_copy(const struct domain_def *def)
{
	struct domain_def *copy = xmalloc(sizeof(*copy));

	bind_copy(&type_domain, def, copy);
	return copy;
}

/* The document that holds the definition as it is written. */
static xmlDoc *build_doc(struct domain_def *view, bool live)
{
	xmlDoc *doc = xmlNewDoc(BAD_CAST "1.0");
	xmlNode *root = xmlNewDocNode(doc, NULL, BAD_CAST "domain", NULL);

	domain_prepare_view(view);
	xmlDocSetRootElement(doc, root);
	bind_format(&type_domain, view, live, root);
	return doc;
}

static int check_rules(const struct domain_def *def, struct error *err)
{
	struct domain_def *view = domain_def_copy(def);
	xmlDoc *doc = build_doc(view, false);
	int r = domain_check_rules(def, doc, err);

	xmlFreeDoc(doc);
	domain_def_free(view);
	return r;
}

static int read_def(const char *xml, unsigned int flags,
		    struct domain_def *def, struct error *err)
{
	bool live = flags & DOMAIN_PARSE_LIVE;
	_cleanup_xml_ xmlDoc *doc = NULL;
	int r = xml_parse(xml, "domain", &doc, err);

	if (r == 0 && (flags & DOMAIN_PARSE_VALIDATE))
		r = schema_validate("domain", doc, err);
	if (r == 0)
		r = bind_parse(&type_domain, xmlDocGetRootElement(doc), live,
			       def, err);
	if (r == 0)
		r = domain_complete(def, live, err);
	if (r == 0 && (flags & DOMAIN_PARSE_RULES))
		r = check_rules(def, err);
	return r;
}

int domain_def_parse(const char *xml, unsigned int flags,
		     struct domain_def **ret_def, struct error *err)
{
	struct domain_def *def = def_new();
	int r = read_def(xml, flags, def, err);

	if (r < 0)
		domain_def_free(def);
	else
		*ret_def = def;
	return r;
}

char *domain_def_format(const struct domain_def *def, unsigned int flags)
{
	bool live = flags & DOMAIN_FORMAT_LIVE;
	struct domain_def *view = domain_def_copy(def);
	struct buf text = { 0 };
	xmlDoc *doc;

	graphics_prepare_view(view, live, flags & DOMAIN_FORMAT_SECURE);
	doc = build_doc(view, live);
	xml_write(&text, xmlDocGetRootElement(doc), 0);
	xmlFreeDoc(doc);
	domain_def_free(view);
	return buf_steal(&text);
}
