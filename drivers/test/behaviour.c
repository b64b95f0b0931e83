/*
 * drivers/test/behaviour.c -- reads how a test guest is to misbehave.
 */
#include <libvirt/virterror.h>
#include <libxml/parser.h>
#include <string.h>

#include "base/error.h"
#include "drivers/test/guest.h"

static const char *const op_names[] = {
	[OP_START] = "start",	[OP_STOP] = "stop",
	[OP_PAUSE] = "pause",	[OP_RESUME] = "resume",
	[OP_STATS] = "stats",	[OP_SHUTDOWN] = "shutdown",
};
static_assert(ARRAY_SIZE(op_names) == BEHAVIOUR_OPS, "op_names is short");

static const char *const how_names[] = {
	[BEHAVE] = "work",
	[BEHAVE_FAIL] = "fail",
	[BEHAVE_HANG] = "hang",
	[BEHAVE_IGNORE] = "ignore",
};

static int find_word(const char *const *words, unsigned int n,
		     const char *word)
{
	for (unsigned int i = 0; i < n; i++)
		if (str_eq(words[i], word))
			return i;
	return -1;
}

static int bad(const char *name, const char *value, struct error *err)
{
	return error_virt(err, VIR_ERR_XML_ERROR,
			  "test behaviour: unknown %s='%s'", name, value);
}

static int read_ms(const char *name, const char *value, unsigned int *ret_ms,
		   struct error *err)
{
	uint64_t ms;

	if (parse_u64(value, 10, 3600000, &ms) < 0)
		return bad(name, value, err);
	*ret_ms = ms;
	return 0;
}

static int read_attribute(struct behaviour *b, const char *name,
			  const char *value, struct error *err)
{
	int op = find_word(op_names, BEHAVIOUR_OPS, name);
	int how = find_word(how_names, ARRAY_SIZE(how_names), value);

	if (str_eq(name, "crash-after-ms"))
		return read_ms(name, value, &b->crash_after_ms, err);
	if (str_eq(name, "poweroff-after-ms"))
		return read_ms(name, value, &b->poweroff_after_ms, err);
	if (op < 0 || how < 0)
		return bad(name, value, err);
	b->how[op] = how;
	return 0;
}

static int read_element(xmlNodePtr node, struct behaviour *b,
			struct error *err)
{
	int r = 0;

	for (xmlAttrPtr a = node->properties; a && r == 0; a = a->next) {
		xmlChar *value = xmlNodeGetContent((xmlNodePtr)a);

		r = read_attribute(b, (const char *)a->name,
				   (const char *)value, err);
		xmlFree(value);
	}
	return r;
}

static bool is_behaviour(xmlNodePtr n)
{
	return n->type == XML_ELEMENT_NODE && n->ns &&
	       str_eq((const char *)n->ns->href, BEHAVIOUR_URI);
}

int behaviour_parse(const char *metadata, struct behaviour *ret,
		    struct error *err)
{
	_cleanup_free_ char *text =
		xasprintf("<m>%s</m>", metadata ? metadata : "");
	struct behaviour b = { 0 };
	xmlDocPtr doc;
	int r = 0;

	doc = xmlReadMemory(text, strlen(text), "(metadata)", NULL,
			    XML_PARSE_NONET | XML_PARSE_NOERROR |
				    XML_PARSE_NOWARNING);
	if (!doc)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "metadata is not well-formed");
	for (xmlNodePtr n = xmlDocGetRootElement(doc)->children; n && r == 0;
	     n = n->next)
		if (is_behaviour(n))
			r = read_element(n, &b, err);
	xmlFreeDoc(doc);
	if (r == 0)
		*ret = b;
	return r;
}
