/*
 * model/nwfilter.c -- network filters, references to them and bindings read,
 * written and freed; their rules are in nwfilter_rule.c.
 */
#include "model/nwfilter.h"

#include <libvirt/virterror.h>
#include <string.h>

#include "model/schemas.h"
#include "model/xml.h"

/* ---- variables ---- */

const struct nwfilter_var *nwfilter_var(const struct nwfilter_vars *vars,
					const char *name)
{
	for (unsigned int i = 0; i < vars->n; i++)
		if (str_eq(vars->vars[i].name, name))
			return &vars->vars[i];
	return NULL;
}

/* In its place, if it is new. */
static struct nwfilter_var *find_or_make(struct nwfilter_vars *vars,
					 const char *name)
{
	unsigned int i = 0;

	while (i < vars->n && strcmp(vars->vars[i].name, name) < 0)
		i++;
	if (i < vars->n && str_eq(vars->vars[i].name, name))
		return &vars->vars[i];
	vars->vars = xrealloc(vars->vars, vars->n + 1, sizeof(*vars->vars));
	memmove(&vars->vars[i + 1], &vars->vars[i],
		(vars->n++ - i) * sizeof(*vars->vars));
	vars->vars[i] = (struct nwfilter_var){ .name = xstrdup(name) };
	return &vars->vars[i];
}

void nwfilter_vars_add(struct nwfilter_vars *vars, const char *name,
		       const char *value)
{
	struct nwfilter_var *v = find_or_make(vars, name);

	v->values = xrealloc(v->values, v->n + 1, sizeof(*v->values));
	v->values[v->n++] = xstrdup(value);
}

static void drop_values(struct nwfilter_var *v)
{
	while (v->n)
		free(v->values[--v->n]);
}

void nwfilter_vars_put(struct nwfilter_vars *vars,
		       const struct nwfilter_vars *from)
{
	for (unsigned int i = 0; i < from->n; i++) {
		const struct nwfilter_var *v = &from->vars[i];

		drop_values(find_or_make(vars, v->name));
		for (unsigned int j = 0; j < v->n; j++)
			nwfilter_vars_add(vars, v->name, v->values[j]);
	}
}

void nwfilter_vars_finish(struct nwfilter_vars *vars)
{
	for (unsigned int i = 0; i < vars->n; i++) {
		drop_values(&vars->vars[i]);
		free(vars->vars[i].values);
		free(vars->vars[i].name);
	}
	free(vars->vars);
	*vars = (struct nwfilter_vars){ 0 };
}

#define NAME_CHARS \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

static bool made_of(const char *text, const char *chars)
{
	return text && *text && !text[strspn(text, chars)];
}

/* What is no parameter is passed over, as libvirt does. */
static void read_params(const xmlNode *node, struct nwfilter_vars *vars)
{
	for (xmlNode *c = xml_child(node, "parameter"); c;
	     c = xml_next(c, "parameter")) {
		_cleanup_free_ char *name = xml_attr(c, "name");
		_cleanup_free_ char *value = xml_attr(c, "value");

		if (made_of(name, NAME_CHARS) &&
		    made_of(value, NAME_CHARS ".:"))
			nwfilter_vars_add(vars, name, value);
	}
}

/* ---- references ---- */

int nwfilter_ref_parse(const xmlNode *node, struct nwfilter_ref *ret_ref,
		       struct error *err)
{
	char *filter = xml_attr(node, "filter");

	if (!filter)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "a filterref needs a filter attribute");
	*ret_ref = (struct nwfilter_ref){ .filter = filter };
	read_params(node, &ret_ref->params);
	return 0;
}

void nwfilter_ref_format(const struct nwfilter_ref *ref, xmlNode *parent)
{
	xmlNode *node = xml_add(parent, "filterref", NULL);

	xml_set(node, "filter", "%s", ref->filter);
	for (unsigned int i = 0; i < ref->params.n; i++)
		for (unsigned int j = 0; j < ref->params.vars[i].n; j++) {
			xmlNode *p = xml_add(node, "parameter", NULL);

			xml_set(p, "name", "%s", ref->params.vars[i].name);
			xml_set(p, "value", "%s",
				ref->params.vars[i].values[j]);
		}
}

void nwfilter_ref_finish(struct nwfilter_ref *ref)
{
	free(steal_ptr(&ref->filter));
	nwfilter_vars_finish(&ref->params);
}

/* ---- filters ---- */

/* Chains by what their names begin with, and where they are by default. */
static const struct {
	const char *prefix;
	int priority;
} chains[] = {
	{ "mac", -800 },  { "vlan", -750 }, { "stp", 0 },
	{ "arp", -500 },  { "rarp", -400 }, { "ipv4", -700 },
	{ "ipv6", -600 },
};

static int read_chain(struct nwfilter_def *def, struct error *err)
{
	if (strlen(def->chain) > NWF_CHAIN_LEN)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "Name of chain is longer than %u characters",
				  NWF_CHAIN_LEN);
	if (!made_of(def->chain, NAME_CHARS ".:-"))
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "Chain name contains invalid characters");
	if (str_eq(def->chain, "root"))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(chains); i++)
		if (str_startswith(def->chain, chains[i].prefix)) {
			def->priority = chains[i].priority;
			return 0;
		}
	return error_virt(err, VIR_ERR_INVALID_ARG,
			  "Invalid chain name '%s'. Please use a chain name "
			  "called 'root' or any of the following prefixes: "
			  "mac, vlan, stp, arp, rarp, ipv4, ipv6", def->chain);
}

static int read_priority(const char *text, int *ret_priority,
			 struct error *err)
{
	bool neg = *text == '-';
	uint64_t n;

	if (parse_u64(text + neg, 10, INT32_MAX, &n) < 0)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "Could not parse chain priority '%s'", text);
	if (n > NWF_PRIORITY_MAX)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "Priority '%s' is outside valid range of "
				  "[%d,%d]", text, -NWF_PRIORITY_MAX,
				  NWF_PRIORITY_MAX);
	*ret_priority = neg ? -(int)n : (int)n;
	return 0;
}

static int read_head(const xmlNode *root, struct nwfilter_def *def,
		     struct error *err)
{
	_cleanup_free_ char *priority = xml_attr(root, "priority");
	int r = 0;

	def->name = xml_attr(root, "name");
	if (!def->name || !*def->name)
		return error_virt(err, VIR_ERR_INTERNAL_ERROR,
				  "filter has no name");
	def->chain = xml_attr(root, "chain");
	if (def->chain)
		r = read_chain(def, err);
	if (r == 0 && priority) {
		int given = 0;

		r = read_priority(priority, &given, err);
		if (r == 0 && def->chain)
			def->priority = given;
	}
	if (!def->chain)
		def->chain = xstrdup("root");
	return r;
}

static int read_uuid(const xmlNode *root, struct nwfilter_def *def,
		     struct error *err)
{
	xmlNode *node = xml_child(root, "uuid");
	_cleanup_free_ char *text = node ? xml_text(node) : NULL;

	def->uuid_given = node != NULL;
	if (!node)
		uuid_generate_v4(def->uuid);
	else if (!text || uuid_parse(text, def->uuid) < 0)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "malformed uuid element");
	return 0;
}

static int read_entry(const xmlNode *node, struct nwfilter_def *def,
		      struct error *err)
{
	struct nwfilter_entry e = { 0 };
	int r;

	if (xml_is(node, "rule"))
		r = nwfilter_rule_parse(node, &e.rule, err);
	else if (xml_is(node, "filterref"))
		r = nwfilter_ref_parse(node, &e.ref, err);
	else
		return 0;
	if (r < 0)
		return r;
	def->entries = xrealloc(def->entries, def->n_entries + 1,
				sizeof(*def->entries));
	def->entries[def->n_entries++] = e;
	return 0;
}

static int read_def(const char *xml, bool validate, struct nwfilter_def *def,
		    struct error *err)
{
	_cleanup_xml_ xmlDoc *doc = NULL;
	xmlNode *root;
	int r = xml_parse(xml, "filter", &doc, err);

	if (r == 0 && validate)
		r = schema_validate("nwfilter", doc, err);
	if (r < 0)
		return r;
	root = xmlDocGetRootElement(doc);
	r = read_head(root, def, err);
	if (r == 0)
		r = read_uuid(root, def, err);
	for (xmlNode *c = xml_child(root, NULL); c && r == 0;
	     c = xml_next(c, NULL))
		r = read_entry(c, def, err);
	return r;
}

int nwfilter_def_parse(const char *xml, bool validate,
		       struct nwfilter_def **ret_def, struct error *err)
{
	struct nwfilter_def *def = xcalloc(1, sizeof(*def));
	int r = read_def(xml, validate, def, err);

	if (r < 0)
		nwfilter_def_free(def);
	else
		*ret_def = def;
	return r;
}

char *nwfilter_def_format(const struct nwfilter_def *def)
{
	xmlNode *root = xml_new("filter");
	char uuid[UUID_STR_LEN];

	xml_set(root, "name", "%s", def->name);
	xml_set(root, "chain", "%s", def->chain);
	if (def->priority)
		xml_set(root, "priority", "%d", def->priority);
	uuid_format(def->uuid, uuid);
	xml_add(root, "uuid", uuid);
	for (unsigned int i = 0; i < def->n_entries; i++)
		if (def->entries[i].rule)
			nwfilter_rule_format(def->entries[i].rule, root);
		else
			nwfilter_ref_format(&def->entries[i].ref, root);
	return xml_finish(root);
}

void nwfilter_def_free(struct nwfilter_def *def)
{
	if (!def)
		return;
	for (unsigned int i = 0; i < def->n_entries; i++) {
		nwfilter_rule_free(def->entries[i].rule);
		nwfilter_ref_finish(&def->entries[i].ref);
	}
	free(def->entries);
	free(def->name);
	free(def->chain);
	free(def);
}

/* ---- bindings ---- */

static char *child_attr(const xmlNode *root, const char *child,
			const char *attr)
{
	xmlNode *node = xml_child(root, child);

	return node ? xml_attr(node, attr) : NULL;
}

static int read_owner(const xmlNode *root, struct nwfilter_binding *b,
		      struct error *err)
{
	xmlNode *owner = xml_child(root, "owner");
	xmlNode *name = owner ? xml_child(owner, "name") : NULL;
	xmlNode *uuid = owner ? xml_child(owner, "uuid") : NULL;
	_cleanup_free_ char *text = uuid ? xml_text(uuid) : NULL;

	b->owner_name = name ? xml_text(name) : NULL;
	if (!b->owner_name || !text)
		return error_virt(err, VIR_ERR_INTERNAL_ERROR,
				  "filter binding has no owner %s",
				  b->owner_name ? "UUID" : "name");
	if (uuid_parse(text, b->owner) < 0)
		return error_virt(err, VIR_ERR_INTERNAL_ERROR,
				  "Unable to parse UUID '%s'", text);
	return 0;
}

static int read_port(const xmlNode *root, struct nwfilter_binding *b,
		     struct error *err)
{
	_cleanup_free_ char *mac = child_attr(root, "mac", "address");
	struct nwfilter_attr a;

	b->port = child_attr(root, "portdev", "name");
	b->link = child_attr(root, "linkdev", "name");
	if (!b->port || !*b->port)
		return error_virt(err, VIR_ERR_INTERNAL_ERROR,
				  "filter binding has no port dev name");
	if (!mac)
		return error_virt(err, VIR_ERR_INTERNAL_ERROR,
				  "filter binding has no MAC address");
	if (nwfilter_attr_value(NWA_SRCMAC, false, mac, &a) < 0)
		return error_virt(err, VIR_ERR_INTERNAL_ERROR,
				  "Unable to parse MAC '%s'", mac);
	memcpy(b->mac, a.addr, sizeof(b->mac));
	return 0;
}

static int read_binding(const char *xml, bool validate,
			struct nwfilter_binding *b, struct error *err)
{
	_cleanup_xml_ xmlDoc *doc = NULL;
	xmlNode *root, *ref;
	int r = xml_parse(xml, "filterbinding", &doc, err);

	if (r == 0 && validate)
		r = schema_validate("nwfilterbinding", doc, err);
	if (r < 0)
		return r;
	root = xmlDocGetRootElement(doc);
	r = read_port(root, b, err);
	if (r == 0)
		r = read_owner(root, b, err);
	if (r < 0)
		return r;
	ref = xml_child(root, "filterref");
	if (!ref)
		return error_virt(err, VIR_ERR_INTERNAL_ERROR,
				  "filter binding has no filter reference");
	return nwfilter_ref_parse(ref, &b->ref, err);
}

int nwfilter_binding_parse(const char *xml, bool validate,
			   struct nwfilter_binding **ret_binding,
			   struct error *err)
{
	struct nwfilter_binding *b = xcalloc(1, sizeof(*b));
	int r = read_binding(xml, validate, b, err);

	if (r < 0)
		nwfilter_binding_free(b);
	else
		*ret_binding = b;
	return r;
}

char *nwfilter_binding_format(const struct nwfilter_binding *b)
{
	xmlNode *root = xml_new("filterbinding");
	xmlNode *owner = xml_add(root, "owner", NULL);
	char uuid[UUID_STR_LEN];

	uuid_format(b->owner, uuid);
	xml_add(owner, "name", b->owner_name);
	xml_add(owner, "uuid", uuid);
	xml_set(xml_add(root, "portdev", NULL), "name", "%s", b->port);
	if (b->link)
		xml_set(xml_add(root, "linkdev", NULL), "name", "%s", b->link);
	xml_set(xml_add(root, "mac", NULL), "address",
		"%02x:%02x:%02x:%02x:%02x:%02x", b->mac[0], b->mac[1],
		b->mac[2], b->mac[3], b->mac[4], b->mac[5]);
	nwfilter_ref_format(&b->ref, root);
	return xml_finish(root);
}

void nwfilter_binding_free(struct nwfilter_binding *b)
{
	if (!b)
		return;
	free(b->port);
	free(b->link);
	free(b->owner_name);
	nwfilter_ref_finish(&b->ref);
	free(b);
}
