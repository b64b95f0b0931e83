/*
 * cli/xml.c -- XML read, printed in parts and written by commands.
 */
#include "cli/xml.h"

#include <libxml/parser.h>
#include <libxml/xpathInternals.h>
#include <string.h>

#include "cli/output.h"

int xml_open(struct xml *x, const char *text)
{
	xmlKeepBlanksDefault(0);
	x->doc = xmlReadMemory(text, (int)strlen(text), "xml", NULL,
			       XML_PARSE_NONET | XML_PARSE_NOERROR |
				       XML_PARSE_NOWARNING |
				       XML_PARSE_NOBLANKS);
	x->ctxt = x->doc ? xmlXPathNewContext(x->doc) : NULL;
	if (x->ctxt)
		return 0;
	xml_close(x);
	say_error("the document is not XML");
	return -1;
}

void xml_close(struct xml *x)
{
	xmlXPathFreeContext(x->ctxt);
	xmlFreeDoc(x->doc);
	*x = (struct xml){ NULL };
}

int xml_open_domain(struct ctl *ctl, struct xml *x, virDomainPtr dom,
		    unsigned int flags)
{
	_cleanup_free_ char *text = virDomainGetXMLDesc(dom, flags);

	if (!text) {
		say_failed(ctl, "Failed to get domain description xml");
		return -1;
	}
	return xml_open(x, text);
}

xmlXPathObjectPtr xml_find(struct xml *x, xmlNodePtr node, const char *expr)
{
	x->ctxt->node = node ? node : xmlDocGetRootElement(x->doc);
	return xmlXPathEval(BAD_CAST expr, x->ctxt);
}

char *xml_string(struct xml *x, xmlNodePtr node, const char *expr)
{
	_cleanup_free_ char *call = xasprintf("string(%s)", expr);
	xmlXPathObjectPtr found = xml_find(x, node, call);
	char *text = NULL;

	if (found && found->stringval && *found->stringval)
		text = xstrdup((char *)found->stringval);
	xmlXPathFreeObject(found);
	return text;
}

/* An expression's only match of name with $name bound to it. */
static int find_named(struct xml *x, const char *expr, const char *name,
		      xmlNodePtr *ret)
{
	xmlXPathObjectPtr found;
	int n;

	xmlXPathRegisterVariable(x->ctxt, BAD_CAST "name",
				 xmlXPathNewCString(name));
	found = xml_find(x, NULL, expr);
	n = xml_count(found);
	*ret = n ? found->nodesetval->nodeTab[0] : NULL;
	xmlXPathFreeObject(found);
	return n;
}

static bool is_mac(const char *s)
{
	return strlen(s) == 17 && strspn(s, "0123456789abcdefABCDEF:") == 17;
}

static const char nic_expr[] =
	"./devices/interface[target/@dev = $name or "
	"translate(mac/@address, 'ABCDEF', 'abcdef') = "
	"translate($name, 'ABCDEF', 'abcdef')]";

xmlNodePtr xml_find_nic_quietly(struct xml *x, const char *name)
{
	xmlNodePtr nic;

	return find_named(x, nic_expr, name, &nic) == 1 ? nic : NULL;
}

xmlNodePtr xml_find_nic(struct xml *x, const char *name)
{
	xmlNodePtr nic;
	int n = find_named(x, nic_expr, name, &nic);

	if (n > 1)
		say_error("multiple matching interfaces found");
	else if (!n)
		say_error("Interface (%s: %s) not found.",
			  is_mac(name) ? "mac" : "dev", name);
	return n == 1 ? nic : NULL;
}

xmlNodePtr xml_find_disk(struct xml *x, const char *name)
{
	xmlNodePtr disk;

	find_named(x,
		   "./devices/disk[target/@dev = $name or "
		   "source/@file = $name or source/@dev = $name or "
		   "source/@name = $name or source/@dir = $name or "
		   "source/@volume = $name]",
		   name, &disk);
	return disk;
}

char *xml_text(struct xml *x, xmlNodePtr node)
{
	xmlBufferPtr b = xmlBufferCreate();
	char *text;

	xmlNodeDump(b, x->doc, node, 0, 1);
	text = xstrdup((const char *)xmlBufferContent(b));
	xmlBufferFree(b);
	return text;
}

static void show_wrapped(struct xml *x, xmlXPathObjectPtr found)
{
	xmlDocPtr doc = xmlNewDoc(BAD_CAST "1.0");
	xmlNodePtr root = xmlNewNode(NULL, BAD_CAST "nodes");
	_cleanup_free_ char *text = NULL;

	xmlDocSetRootElement(doc, root);
	for (int i = 0; i < xml_count(found); i++)
		xmlAddChild(root, xmlDocCopyNode(found->nodesetval->nodeTab[i],
						 doc, 1));
	text = xml_text(x, root);
	printf("%s\n", text);
	xmlFreeDoc(doc);
}

static int show_selected(struct xml *x, const char *expr, bool wrap)
{
	xmlXPathObjectPtr found = xml_find(x, NULL, expr);

	if (!found || found->type != XPATH_NODESET) {
		say_error("'%s' selects no nodes", expr);
		xmlXPathFreeObject(found);
		return EXIT_FAILED;
	}
	if (wrap)
		show_wrapped(x, found);
	for (int i = 0; !wrap && i < xml_count(found); i++) {
		_cleanup_free_ char *text =
			xml_text(x, found->nodesetval->nodeTab[i]);

		printf("%s\n", text);
	}
	xmlXPathFreeObject(found);
	return EXIT_OK;
}

int xml_show(struct ctl *ctl, const struct args *args, char *text)
{
	_cleanup_free_ char *owned = text;
	_cleanup_xml_ struct xml x = { NULL };

	if (!text)
		return say_failed(ctl, NULL);
	if (ctl->output != OUTPUT_TABLE) {
		say_value(ctl, "xml", text);
		return EXIT_OK;
	}
	if (!args_has(args, "xpath")) {
		fputs(text, stdout);
		return EXIT_OK;
	}
	if (xml_open(&x, text) < 0)
		return EXIT_FAILED;
	return show_selected(&x, args_get(args, "xpath"),
			     args_has(args, "wrap"));
}

void xml_add(struct buf *b, const char *text)
{
	xmlChar *escaped = text ? xmlEncodeSpecialChars(NULL, BAD_CAST text)
				: NULL;

	if (escaped)
		buf_puts(b, (char *)escaped);
	xmlFree(escaped);
}

void xml_attr(struct buf *b, const char *name, const char *value)
{
	_cleanup_free_ char *copy = NULL;
	char *p;

	if (!value)
		return;
	/* encodeSpecialChars() leaves apostrophes alone. */
	buf_printf(b, " %s='", name);
	copy = xstrdup(value);
	for (char *rest = copy; (p = strsep(&rest, "'"));) {
		xml_add(b, p);
		if (rest)
			buf_puts(b, "&apos;");
	}
	buf_puts(b, "'");
}

void xml_line(struct buf *b, int indent, const char *element,
	      const char *text)
{
	if (!text)
		return;
	buf_printf(b, "%*s<%s>", indent, "", element);
	xml_add(b, text);
	buf_printf(b, "</%s>\n", element);
}
