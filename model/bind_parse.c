/*
 * model/bind_parse.c -- fills a struct from an element, by its table.
 *
 * Every node that the table names is marked on the way; what stays unmarked
 * becomes the remainder.
 */
#include <errno.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "model/bind.h"
#include "model/units.h"
#include "model/xml.h"

struct ctx {
	const struct xml_type *type;
	xmlNode *node;
	void *obj;
	bool live;
};

/* Walks the path from node; marks what it passes; NULL when absent. */
static xmlNode *find(xmlNode *node, const char *path)
{
	while (node && *path) {
		struct bind_step step = bind_step(path);

		if (step.attr)
			node = (xmlNode *)xmlHasProp(node,
						     BAD_CAST step.name);
		else
			node = xml_child(node, step.name);
		if (node)
			bind_mark(node);
		path = step.rest;
	}
	return node;
}

static void mark_text(xmlNode *node)
{
	for (xmlNode *c = node->children; c; c = c->next)
		if (c->type != XML_ELEMENT_NODE)
			bind_mark(c);
}

static xmlNode *element_of(xmlNode *node)
{
	return node->type == XML_ATTRIBUTE_NODE ? node->parent : node;
}

static int missing(const struct ctx *ctx, const struct field *f,
		   struct error *err)
{
	if (f->missing)
		return xml_error(err, VIR_ERR_XML_ERROR, ctx->node, "%s",
				 f->missing);
	return xml_error(err, VIR_ERR_XML_ERROR, ctx->node,
			 "missing %s of element '%s'", f->path,
			 xml_name(ctx->node));
}

static int bad_value(xmlNode *node, const char *text, int r,
		     struct error *err)
{
	const xmlNode *element = element_of(node);
	const char *what = r == -ERANGE ? "is too large" : "is not valid";

	if (node != element)
		return xml_error(err, VIR_ERR_XML_ERROR, element,
				 "Invalid value for attribute '%s' in element "
				 "'%s': '%.80s' %s", xml_name(node),
				 xml_name(element), text, what);
	return xml_error(err, VIR_ERR_XML_ERROR, element,
			 "Invalid value for element '%s': '%.80s' %s",
			 xml_name(element), text, what);
}

static char *own_text(xmlNode *node)
{
	xmlChar *content = xmlNodeGetContent(node);
	char *text = xstrdup((const char *)content);

	xmlFree(content);
	return text;
}

static bool is_empty(const struct field *f, xmlNode *node, const char *text)
{
	return element_of(node) == node && !*text &&
	       !(f->flags & FIELD_EMPTY);
}

/* Absent is a missing node or an element without text. */
static int read_scalar(const struct ctx *ctx, const struct field *f,
		       struct error *err)
{
	xmlNode *node = find(ctx->node, f->path);
	_cleanup_free_ char *text = node ? own_text(node) : NULL;
	int r;

	if (node && element_of(node) == node)
		mark_text(node);
	if (!text || is_empty(f, node, text))
		return f->flags & FIELD_REQUIRED ? missing(ctx, f, err) : 0;
	if (bind_only_live(f, text) && !ctx->live)
		return 0;
	r = bind_scalar(f->kind)->get(f, text, bind_at(ctx->obj, f->off));
	if (r < 0)
		return bad_value(node, text, r, err);
	if (f->n_off)
		*(bool *)bind_at(ctx->obj, f->n_off) = true;
	return 0;
}

static int read_flag(const struct ctx *ctx, const struct field *f,
		     struct error *err)
{
	*(bool *)bind_at(ctx->obj, f->off) = find(ctx->node, f->path);
	return 0;
}

static int read_size(const struct ctx *ctx, const struct field *f,
		     struct error *err)
{
	xmlNode *node = find(ctx->node, f->path);
	_cleanup_free_ char *text = node ? xml_text(node) : NULL;
	_cleanup_free_ char *unit = node ? xml_attr(node, "unit") : NULL;
	char *start = text;
	int r;

	if (!text)
		return f->flags & FIELD_REQUIRED ? missing(ctx, f, err) : 0;
	if (!unit && f->kind == FIELD_BYTES)
		unit = xstrdup("bytes");
	find(node, "@unit");
	mark_text(node);
	start += strspn(start, " \t\r\n");
	start[strcspn(start, " \t\r\n")] = '\0';
	if (!ctx->live && f->flags & FIELD_LIVE)
		return 0;
	if (!unit_bytes(unit))
		return xml_error(err, VIR_ERR_INVALID_ARG, node,
				 "unknown suffix '%.40s'", unit);
	r = size_parse(start, unit, bind_at(ctx->obj, f->off));
	return r < 0 ? bad_value(node, text, r, err) : 0;
}

static int read_strs(const struct ctx *ctx, const struct field *f,
		     struct error *err)
{
	struct bind_step step = bind_step(f->path);
	char **strs = bind_at(ctx->obj, f->off);
	unsigned int *n = bind_at(ctx->obj, f->n_off);
	xmlNode *node = xml_child(ctx->node, step.name);

	for (; node; node = xml_next(node, step.name)) {
		xmlNode *attr = find(node, step.rest);
		_cleanup_free_ char *text = attr ? own_text(attr) : NULL;

		bind_mark(node);
		if (!text || words_value(f->words, text) < 0)
			return xml_error(err, VIR_ERR_XML_ERROR, node,
					 "unknown %s '%.40s'", f->path,
					 text ? text : "");
		if (*n == f->max)
			return xml_error(err, VIR_ERR_XML_ERROR, node,
					 "more than %u <%s> elements", f->max,
					 step.name);
		strs[(*n)++] = steal_ptr(&text);
	}
	return 0;
}

static void dump_child(struct buf *out, xmlNode *child)
{
	xmlNode *copy = xmlDocCopyNode(child, child->doc, 1);
	xmlBuffer *text = xmlBufferCreate();

	if (!copy || !text)
		abort();
	xmlNodeDump(text, child->doc, copy, 0, 0);
	buf_add(out, xmlBufferContent(text), xmlBufferLength(text));
	xmlBufferFree(text);
	xmlFreeNode(copy);
}

/* Children as they are; copied apart so that each declares its namespaces. */
static int read_inner(const struct ctx *ctx, const struct field *f,
		      struct error *err)
{
	xmlNode *node = find(ctx->node, f->path);
	struct buf text = { 0 };
	xmlNode *c;

	if (!node || !xml_child(node, NULL))
		return 0;
	for (c = node->children; c; c = c->next) {
		if (c->type != XML_ELEMENT_NODE && c->type != XML_COMMENT_NODE)
			continue;
		buf_puts(&text, text.len ? "\n    " : "");
		dump_child(&text, c);
	}
	*(char **)bind_at(ctx->obj, f->off) = buf_steal(&text);
	bind_take(node);
	return 0;
}

static int read_struct(const struct ctx *ctx, const struct field *f,
		       struct error *err)
{
	xmlNode *node = find(ctx->node, f->path);

	if (!node)
		return f->flags & FIELD_REQUIRED ? missing(ctx, f, err) : 0;
	if (f->n_off)
		*(bool *)bind_at(ctx->obj, f->n_off) = true;
	return bind_parse(f->type, node, ctx->live,
			  bind_at(ctx->obj, f->off), err);
}

static void *grow(void *obj, const struct field *f)
{
	void **items = bind_at(obj, f->off);
	unsigned int *n = bind_at(obj, f->n_off);
	void *item;

	*items = xrealloc(*items, *n + 1, f->type->size);
	item = bind_at(*items, *n * f->type->size);
	if (f->type->defaults)
		memcpy(item, f->type->defaults, f->type->size);
	else
		memset(item, 0, f->type->size);
	(*n)++;
	return item;
}

/* Whether a list holds this element; which of its names goes to the item. */
static bool list_takes(const struct field *f, const char *name,
		       const xmlNode *node, int *ret_word)
{
	*ret_word = -1;
	if (!xml_is(node, NULL) || node->ns)
		return false;
	if (!f->words)
		return xml_is(node, name);
	*ret_word = words_value(f->words, xml_name(node));
	return *ret_word >= 0;
}

static int read_item(const struct ctx *ctx, const struct field *f,
		     xmlNode *node, int word, struct error *err)
{
	void *item = grow(ctx->obj, f);

	bind_mark(node);
	if (word >= 0)
		*(int *)bind_at(item, f->name_off) = word;
	return bind_parse(f->type, node, ctx->live, item, err);
}

static int read_list(const struct ctx *ctx, const struct field *f,
		     struct error *err)
{
	struct bind_step step = bind_step(f->path);
	int word, r;

	for (xmlNode *c = ctx->node->children; c; c = c->next) {
		if (!list_takes(f, step.name, c, &word))
			continue;
		r = read_item(ctx, f, c, word, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_part(const struct ctx *ctx, const struct field *f,
		     struct error *err)
{
	void *part = bind_at(ctx->obj, f->off);
	const struct xml_type *type = f->part(part);
	xmlNode *node = find(ctx->node, f->path);

	return type && node ?
		bind_parse(type, node, ctx->live, part, err) : 0;
}

static int read_field(const struct ctx *ctx, const struct field *f,
		      struct error *err)
{
	typedef int reader(const struct ctx *ctx, const struct field *f,
			   struct error *err);
	static reader *const readers[] = {
		[FIELD_FLAG] = read_flag,     [FIELD_SIZE] = read_size,
		[FIELD_BYTES] = read_size,
		[FIELD_STRS] = read_strs,     [FIELD_INNER] = read_inner,
		[FIELD_STRUCT] = read_struct, [FIELD_LIST] = read_list,
		[FIELD_PART] = read_part,
	};

	if (bind_scalar(f->kind))
		return read_scalar(ctx, f, err);
	return readers[f->kind](ctx, f, err);
}

static void keep_remainder(const struct ctx *ctx)
{
	xmlDoc *doc = xmlNewDoc(BAD_CAST "1.0");
	xmlNode *rest = bind_remainder(ctx->node, doc);
	struct buf text = { 0 };

	if (rest) {
		xml_write(&text, rest, 0);
		*(char **)bind_at(ctx->obj, ctx->type->extra_off) =
			buf_steal(&text);
	}
	bind_take(ctx->node);
	xmlFreeNode(rest);
	xmlFreeDoc(doc);
}

int bind_parse(const struct xml_type *type, xmlNode *node, bool live,
	       void *obj, struct error *err)
{
	struct ctx ctx = { type, node, obj, live };

	for (const struct field *f = type->fields; f->path; f++) {
		int r = bind_applies(type, f, obj) ?
			read_field(&ctx, f, err) : 0;

		if (r < 0)
			return r;
	}
	if (type->extra_off)
		keep_remainder(&ctx);
	return 0;
}
