/*
 * model/schemas.c -- our RELAX NG schemas, loaded once.
 *
 * A compiled schema is only read, so threads share it; each validation has a
 * context of its own.
 */
#include "model/schemas.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <libxml/parser.h>
#include <libxml/relaxng.h>
#include <string.h>

#include "base/error.h"

enum { TEXT_MAX = 256 };

static struct schema {
	const char *name;
	xmlRelaxNG *rng; /* process-wide, set before threads start */
} schemas[] = {
	{ "domain", NULL },
	{ "domainsnapshot", NULL },
	{ "domainbackup", NULL },
	{ "domaincheckpoint", NULL },
	{ "pool", NULL },
	{ "volume", NULL },
	{ "secret", NULL },
	{ "network", NULL },
	{ "nwfilter", NULL },
	{ "nwfilterbinding", NULL },
};

/* Keeps the first complaint; libxml2 2.12 made its argument const. */
#if LIBXML_VERSION >= 21200
static void on_error(void *arg, const xmlError *e)
#else
static void on_error(void *arg, xmlError *e)
#endif
{
	char *text = arg;

	if (!*text && e->message)
		snprintf(text, TEXT_MAX, "line %d: %.*s", e->line,
			 (int)strcspn(e->message, "\n"), e->message);
}

static int load(struct schema *schema, const char *dir, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/%s.rng", dir, schema->name);
	xmlRelaxNGParserCtxt *ctxt = xmlRelaxNGNewParserCtxt(path);
	char text[TEXT_MAX] = "";

	if (!ctxt)
		return error_set(err, -ENOMEM, "out of memory");
	xmlRelaxNGSetParserStructuredErrors(ctxt, on_error, text);
	schema->rng = xmlRelaxNGParse(ctxt);
	xmlRelaxNGFreeParserCtxt(ctxt);
	if (!schema->rng)
		return error_set(err, -EINVAL, "cannot load schema %s: %s",
				 path, text);
	return 0;
}

int model_schemas_load(const char *dir, struct error *err)
{
	xmlInitParser();
	for (size_t i = 0; i < ARRAY_SIZE(schemas); i++) {
		int r = load(&schemas[i], dir ? dir : PKGDATADIR "/schemas",
			     err);

		if (r < 0)
			return r;
	}
	return 0;
}

void model_schemas_unload(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(schemas); i++) {
		xmlRelaxNGFree(schemas[i].rng);
		schemas[i].rng = NULL;
	}
}

static xmlRelaxNG *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(schemas); i++)
		if (str_eq(schemas[i].name, name))
			return schemas[i].rng;
	return NULL;
}

int schema_validate(const char *name, xmlDoc *doc, struct error *err)
{
	xmlRelaxNG *rng = find(name);
	xmlRelaxNGValidCtxt *ctxt = rng ? xmlRelaxNGNewValidCtxt(rng) : NULL;
	char text[TEXT_MAX] = "";
	int r;

	if (!ctxt)
		return error_virt(err, VIR_ERR_INTERNAL_ERROR,
				  "no schema for <%s> is loaded", name);
	xmlRelaxNGSetValidStructuredErrors(ctxt, on_error, text);
	r = xmlRelaxNGValidateDoc(ctxt, doc);
	xmlRelaxNGFreeValidCtxt(ctxt);
	if (r == 0)
		return 0;
	return error_virt(err, VIR_ERR_XML_INVALID_SCHEMA,
			  "the document does not follow %s.rng: %s", name,
			  text);
}
