/*
 * model/bind_extra.c -- the remainder of an element: taken out, merged back.
 */
#include <string.h>

#include "model/bind.h"
#include "model/xml.h"

static void add_attr(xmlNode *node, xmlAttr *attr)
{
	xmlAttr *copy = xmlCopyProp(node, attr);

	copy->parent = NULL; /* or xmlAddChild() takes it for linked */
	xmlAddChild(node, (xmlNode *)copy);
}

static void keep_attrs(const xmlNode *node, xmlNode *copy)
{
	for (xmlAttr *a = node->properties; a; a = a->next)
		if (!bind_marked(a))
			add_attr(copy, a);
}

static bool keep_whole(const xmlNode *node)
{
	return node->type == XML_ELEMENT_NODE ||
	       (node->type == XML_TEXT_NODE && !xmlIsBlankNode(node)) ||
	       node->type == XML_CDATA_SECTION_NODE;
}

static xmlNode *keep_child(xmlNode *child, xmlDoc *doc)
{
	if (bind_taken(child))
		return NULL;
	if (bind_marked(child))
		return child->type == XML_ELEMENT_NODE ?
			bind_remainder(child, doc) : NULL;
	/* Text between elements means nothing; libvirt drops it too. */
	return child->type == XML_ELEMENT_NODE ?
		xmlDocCopyNode(child, doc, 1) : NULL;
}

/* An element with only what nobody read; NULL when that is nothing. */
xmlNode *bind_remainder(const xmlNode *node, xmlDoc *doc)
{
	xmlNode *copy = xmlNewDocNode(doc, NULL, node->name, NULL);

	keep_attrs(node, copy);
	for (xmlNode *c = node->children; c; c = c->next) {
		xmlNode *kept = keep_child(c, doc);

		if (kept)
			xmlAddChild(copy, kept);
	}
	if (copy->properties || copy->children)
		return copy;
	xmlFreeNode(copy);
	return NULL;
}

static bool clashes(const xmlNode *into, const xmlNode *from)
{
	for (xmlAttr *a = from->properties; a; a = a->next)
		if (xmlHasProp(into, a->name))
			return true;
	return false;
}

/* The element that a table wrote and that a kept one belongs to. */
static xmlNode *home_of(const xmlNode *node, const xmlNode *child)
{
	for (xmlNode *c = node->children; c; c = c->next)
		if (bind_marked(c) && !child->ns &&
		    xml_is(c, xml_name(child)) && !clashes(c, child))
			return c;
	return NULL;
}

static void merge_node(xmlNode *into, const xmlNode *from);

static void merge_child(xmlNode *into, xmlNode *child)
{
	xmlNode *home;

	if (!keep_whole(child))
		return;
	home = child->type == XML_ELEMENT_NODE ? home_of(into, child) : NULL;
	if (home)
		merge_node(home, child);
	else
		xmlAddChild(into, xmlDocCopyNode(child, into->doc, 1));
}

static void merge_node(xmlNode *into, const xmlNode *from)
{
	for (xmlAttr *a = from->properties; a; a = a->next)
		add_attr(into, a);
	for (xmlNode *c = from->children; c; c = c->next)
		merge_child(into, c);
}

void bind_merge(xmlNode *node, const char *extra)
{
	_cleanup_xml_ xmlDoc *doc = NULL;

	if (xml_parse(extra, NULL, &doc, NULL) == 0)
		merge_node(node, xmlDocGetRootElement(doc));
}

/* The place of a name in " a b * c ". */
static const char *place_of(const char *order, const xmlNode *node)
{
	char word[64];
	const char *place = NULL;

	snprintf(word, sizeof(word), " %s ", xml_name(node));
	if (!node->ns)
		place = strstr(order, word);
	if (!place)
		place = strstr(order, " * ");
	return place ? place : order + strlen(order);
}

/* Insertion keeps equals in their order. */
static void insert(xmlNode *node, xmlNode *child, const char *order)
{
	xmlNode *after = node->last;

	while (after && place_of(order, after) > place_of(order, child))
		after = after->prev;
	if (after)
		xmlAddNextSibling(after, child);
	else if (node->children)
		xmlAddPrevSibling(node->children, child);
	else
		xmlAddChild(node, child);
}

void bind_sort(xmlNode *node, const char *order)
{
	xmlNode *next, *child = node->children;

	node->children = node->last = NULL;
	for (; child; child = next) {
		next = child->next;
		child->next = child->prev = NULL;
		child->parent = NULL;
		insert(node, child, order);
	}
}
