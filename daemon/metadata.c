/*
 * daemon/metadata.c -- title, description, and one element for each namespace
 * below <metadata>: applications keep their own things there.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <string.h>

#include "daemon/definition.h"
#include "daemon/registry.h"

enum { METADATA_OPTIONS = XML_PARSE_NONET | XML_PARSE_NOERROR |
			  XML_PARSE_NOWARNING };

static void cleanup_doc(xmlDocPtr *doc)
{
	xmlFreeDoc(*doc);
}

#define _cleanup_doc_ _cleanup_(cleanup_doc)

/* No entities, no document types: a client's text never makes us read. */
static xmlDocPtr parse_text(const char *text, struct error *err)
{
	xmlDocPtr doc = strlen(text) > INT32_MAX ?
				NULL :
				xmlReadMemory(text, strlen(text),
					      "(metadata_xml)", NULL,
					      METADATA_OPTIONS);

	if (doc && !doc->intSubset)
		return doc;
	xmlFreeDoc(doc);
	error_virt(err, VIR_ERR_XML_ERROR,
		   "metadata is not one well-formed XML element without a "
		   "document type");
	return NULL;
}

/* The children of <metadata>, below a root of our own. */
static xmlDocPtr parse_children(const char *children, struct error *err)
{
	_cleanup_free_ char *text = xasprintf("<metadata>%s</metadata>",
					      children ? children : "");

	return parse_text(text, err);
}

static xmlNodePtr find_ns(xmlDocPtr doc, const char *uri)
{
	xmlNodePtr n = xmlDocGetRootElement(doc)->children;

	for (; n; n = n->next)
		if (n->type == XML_ELEMENT_NODE && n->ns &&
		    str_eq((const char *)n->ns->href, uri))
			return n;
	return NULL;
}

static char *node_text(xmlDocPtr doc, xmlNodePtr node)
{
	xmlBufferPtr buf = xmlBufferCreate();
	char *text;

	xmlNodeDump(buf, doc, node, 0, 1);
	text = xstrdup((const char *)xmlBufferContent(buf));
	xmlBufferFree(buf);
	return text;
}

static char *children_text(xmlDocPtr doc)
{
	xmlNodePtr n = xmlDocGetRootElement(doc)->children;
	xmlBufferPtr buf = xmlBufferCreate();
	char *text = NULL;

	for (; n; n = n->next)
		xmlNodeDump(buf, doc, n, 0, 0);
	if (xmlBufferLength(buf))
		text = xstrdup((const char *)xmlBufferContent(buf));
	xmlBufferFree(buf);
	return text;
}

static void add_ns(xmlNodePtr node, xmlNsPtr ns)
{
	if (node->type != XML_ELEMENT_NODE)
		return;
	if (!node->ns)
		xmlSetNs(node, ns);
	for (xmlNodePtr n = node->children; n; n = n->next)
		add_ns(n, ns);
}

static void drop_ns(xmlNodePtr node, const char *uri)
{
	if (node->type != XML_ELEMENT_NODE)
		return;
	if (node->ns && str_eq((const char *)node->ns->href, uri))
		xmlSetNs(node, NULL);
	for (xmlNodePtr n = node->children; n; n = n->next)
		drop_ns(n, uri);
}

static void drop_ns_declaration(xmlNodePtr node, const char *uri)
{
	for (xmlNsPtr *at = &node->nsDef; *at; at = &(*at)->next) {
		xmlNsPtr ns = *at;

		if (!str_eq((const char *)ns->href, uri))
			continue;
		*at = ns->next;
		xmlFreeNs(ns);
		return;
	}
}

/*
 * The client's element, and all in it that has no namespace, gets the given
 * one under the prefix 'key'; reading gives it back without, as libvirt does.
 */
static xmlNodePtr parse_element(xmlDocPtr into, const char *text,
				const char *key, const char *uri,
				struct error *err)
{
	_cleanup_doc_ xmlDocPtr doc = parse_text(text, err);
	xmlNodePtr root;
	xmlNsPtr ns;

	if (!doc)
		return NULL;
	root = xmlDocGetRootElement(doc);
	ns = xmlValidateNCName((const xmlChar *)key, 0) == 0 ?
		     xmlNewNs(root, (const xmlChar *)uri,
			      (const xmlChar *)key) :
		     NULL;
	if (!ns) {
		error_virt(err, VIR_ERR_INVALID_ARG,
			   "'%s' cannot be the prefix of the metadata's "
			   "namespace",
			   key);
		return NULL;
	}
	add_ns(root, ns);
	return xmlDocCopyNode(root, into, 1);
}

static int set_element(struct domain_def *def, const char *text,
		       const char *key, const char *uri, struct error *err)
{
	_cleanup_doc_ xmlDocPtr doc = parse_children(def->metadata, err);
	xmlNodePtr old, new = NULL;

	if (!doc)
		return -1;
	if (text) {
		new = parse_element(doc, text, key, uri, err);
		if (!new)
			return -1;
	}
	while ((old = find_ns(doc, uri))) {
		xmlUnlinkNode(old);
		xmlFreeNode(old);
	}
	if (new)
		xmlAddChild(xmlDocGetRootElement(doc), new);
	free(def->metadata);
	def->metadata = children_text(doc);
	return 0;
}

static void set_text(char **at, const char *text)
{
	free(*at);
	*at = text && text[0] ? xstrdup(text) : NULL;
}

static int set_metadata(struct domain_def *def, int type, const char *text,
			const char *key, const char *uri, struct error *err)
{
	switch (type) {
	case VIR_DOMAIN_METADATA_TITLE:
		set_text(&def->title, text);
		return 0;
	case VIR_DOMAIN_METADATA_DESCRIPTION:
		set_text(&def->description, text);
		return 0;
	default:
		return set_element(def, text, key, uri, err) < 0 ? -EINVAL : 0;
	}
}

static int check_args(int type, const char *text, const char *key,
		      const char *uri, struct error *err)
{
	if (type < 0 || type > VIR_DOMAIN_METADATA_ELEMENT)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "unknown metadata type '%d'", type);
	if (type == VIR_DOMAIN_METADATA_ELEMENT) {
		if (!uri || (text && !key))
			return error_virt(err, VIR_ERR_INVALID_ARG,
					  "an element of metadata needs a uri "
					  "and a key");
		return 0;
	}
	if (type == VIR_DOMAIN_METADATA_TITLE && text && strchr(text, '\n'))
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "metadata title can't contain newlines");
	return 0;
}

/* A copy with the change, or NULL with err. */
static struct domain_def *changed(const struct domain_def *def, int type,
				  const char *text, const char *key,
				  const char *uri, struct error *err)
{
	struct domain_def *copy = domain_def_copy(def);

	if (set_metadata(copy, type, text, key, uri, err) == 0)
		return copy;
	domain_def_free(copy);
	return NULL;
}

/* Only these fields: the rest of the live definition is the driver's. */
static void swap_metadata(struct domain_def *a, struct domain_def *b)
{
	char *title = a->title, *description = a->description;
	char *metadata = a->metadata;

	a->title = b->title;
	a->description = b->description;
	a->metadata = b->metadata;
	b->title = title;
	b->description = description;
	b->metadata = metadata;
}

static void swap_live(struct dom_obj *obj, struct domain_def *other)
{
	pthread_mutex_lock(&obj->reg->lock);
	swap_metadata(obj->d.live, other);
	pthread_mutex_unlock(&obj->reg->lock);
}

static int set_live(struct dom_obj *obj, struct domain_def *live,
		    struct error *err)
{
	int r;

	swap_live(obj, live);
	r = run_record(obj, err);
	if (r < 0)
		swap_live(obj, live); /* back */
	return r;
}

/* Both copies are made before either is stored: a bad element changes none. */
static int set_both(struct dom_obj *obj, struct domain_def *live,
		    struct domain_def **config, struct error *err)
{
	int r = live ? set_live(obj, live, err) : 0;

	if (r < 0 || !*config)
		return r;
	r = config_replace(obj, *config, err);
	if (r == 0)
		*config = NULL;
	else if (live)
		set_live(obj, live, NULL);
	return r;
}

static int set_on(struct dom_obj *obj, int type, const char *text,
		  const char *key, const char *uri, unsigned int flags,
		  struct error *err)
{
	struct domain_def *live = NULL, *config = NULL;
	int r = 0;

	if (flags & VIR_DOMAIN_AFFECT_LIVE) {
		live = changed(obj->d.live, type, text, key, uri, err);
		r = live ? 0 : -EINVAL;
	}
	if (r == 0 && (flags & VIR_DOMAIN_AFFECT_CONFIG)) {
		config = changed(obj->config, type, text, key, uri, err);
		r = config ? 0 : -EINVAL;
	}
	if (r == 0)
		r = set_both(obj, live, &config, err);
	domain_def_free(live);
	domain_def_free(config);
	return r;
}

static void notify_metadata(struct dom_obj *obj, int type, const char *uri)
{
	struct domain_notice n = {
		.kind = DOMAIN_NOTIFY_METADATA,
		.type = type,
		.uri = uri,
	};

	notify(obj, &n);
}

int domain_set_metadata(struct registry *reg, const uint8_t uuid[UUID_LEN],
			int type, const char *metadata, const char *key,
			const char *uri, unsigned int flags,
			struct error *err)
{
	struct dom_obj *obj;
	int r = check_flags(flags,
			    VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG,
			    __func__, err);

	if (r == 0)
		r = check_args(type, metadata, key, uri, err);
	if (r == 0)
		r = obj_begin(reg, uuid, "set-metadata", &obj, err);
	if (r < 0)
		return r;
	r = config_impact(obj, &flags, err);
	if (r == 0)
		r = set_on(obj, type, metadata, key, uri, flags, err);
	if (r == 0)
		notify_metadata(obj, type, uri);
	obj_end(obj);
	return r;
}

/* ---- reading ---- */

static char *get_element(const struct domain_def *def, const char *uri)
{
	_cleanup_doc_ xmlDocPtr doc = parse_children(def->metadata, NULL);
	xmlNodePtr node = doc ? find_ns(doc, uri) : NULL;

	if (!node)
		return NULL;
	drop_ns(node, uri);
	drop_ns_declaration(node, uri);
	return node_text(doc, node);
}

static char *get_metadata(const struct domain_def *def, int type,
			  const char *uri)
{
	switch (type) {
	case VIR_DOMAIN_METADATA_TITLE:
		return xstrdup(def->title);
	case VIR_DOMAIN_METADATA_DESCRIPTION:
		return xstrdup(def->description);
	default:
		return get_element(def, uri);
	}
}

/* live or config, never both; a copy, so that XML is not read under a lock. */
static struct domain_def *def_for_reading(struct registry *reg,
					  struct dom_obj *obj,
					  unsigned int flags,
					  struct error *err)
{
	const unsigned int both =
		VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG;
	const struct domain_def *def;
	struct domain_def *copy = NULL;

	if ((flags & both) == both) {
		error_virt(err, VIR_ERR_INVALID_ARG,
			   "flags 'VIR_DOMAIN_AFFECT_LIVE' and "
			   "'VIR_DOMAIN_AFFECT_CONFIG' are mutually exclusive");
		return NULL;
	}
	pthread_mutex_lock(&reg->lock);
	if (!obj->listed)
		obj_gone(obj->d.uuid, err);
	else if (config_impact(obj, &flags, err) == 0) {
		def = flags & VIR_DOMAIN_AFFECT_LIVE ? obj_live_locked(obj) :
						       obj->config;
		copy = domain_def_copy(def);
	}
	pthread_mutex_unlock(&reg->lock);
	return copy;
}

char *domain_get_metadata(struct registry *reg, const uint8_t uuid[UUID_LEN],
			  int type, const char *uri, unsigned int flags,
			  struct error *err)
{
	struct domain_def *def = NULL;
	struct dom_obj *obj;
	char *text = NULL;

	if (check_flags(flags,
			VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG,
			__func__, err) < 0 ||
	    check_args(type, NULL, NULL, uri, err) < 0 ||
	    obj_get(reg, uuid, &obj, err) < 0)
		return NULL;
	def = def_for_reading(reg, obj, flags, err);
	obj_unref(obj);
	if (!def)
		return NULL;
	text = get_metadata(def, type, uri);
	domain_def_free(def);
	if (!text)
		error_virt(err, VIR_ERR_NO_DOMAIN_METADATA,
			   "Requested metadata element is not present");
	return text;
}
