/*
 * model/bind_format.c -- an element from a struct, by its table.
 */
#include <libxml/parserInternals.h>
#include <string.h>

#include "model/bind.h"
#include "model/xml.h"

struct ctx {
	const struct xml_type *type;
	const void *obj;
	bool live;
	xmlNode *node;
};

static xmlNode *add_child(xmlNode *node, const char *name)
{
	xmlNode *child = xmlNewChild(node, NULL, BAD_CAST name, NULL);

	if (!child)
		abort();
	bind_mark(child);
	return child;
}

static xmlNode *child_or_new(xmlNode *node, const char *name)
{
	xmlNode *child = xml_child(node, name);

	return child ? child : add_child(node, name);
}

static void put(xmlNode *node, const char *path, const char *text)
{
	while (*path) {
		struct bind_step step = bind_step(path);

		if (step.attr) {
			xmlNewProp(node, BAD_CAST step.name, BAD_CAST text);
			return;
		}
		node = child_or_new(node, step.name);
		path = step.rest;
	}
	xmlAddChild(node, xmlNewDocText(node->doc, BAD_CAST text));
}

static void put_scalar(const struct ctx *ctx, const struct field *f)
{
	const void *member = bind_at(ctx->obj, f->off);
	_cleanup_free_ char *text = NULL;

	if (f->n_off && !*(const bool *)bind_at(ctx->obj, f->n_off))
		return;
	text = bind_scalar(f->kind)->put(f, member);
	if (text && (ctx->live || !bind_only_live(f, text)))
		put(ctx->node, f->path, text);
}

static void put_flag(const struct ctx *ctx, const struct field *f)
{
	xmlNode *node = ctx->node;

	if (!*(const bool *)bind_at(ctx->obj, f->off))
		return;
	for (const char *path = f->path; *path;) {
		struct bind_step step = bind_step(path);

		node = child_or_new(node, step.name);
		path = step.rest;
	}
}

static void put_size(const struct ctx *ctx, const struct field *f)
{
	uint64_t bytes = *(const uint64_t *)bind_at(ctx->obj, f->off);
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char *unit = xasprintf("%s@unit", f->path);
	bool whole = f->kind == FIELD_BYTES;

	if ((!bytes && !(f->flags & FIELD_EMPTY)) ||
	    (!ctx->live && f->flags & FIELD_LIVE))
		return;
	text = xasprintf("%llu", (unsigned long long)(whole ? bytes : bytes / KIB));
	put(ctx->node, f->path, text);
	put(ctx->node, unit, whole ? "bytes" : "KiB");
}

static void put_strs(const struct ctx *ctx, const struct field *f)
{
	struct bind_step step = bind_step(f->path);
	char *const *strs = bind_at(ctx->obj, f->off);
	unsigned int n = *(const unsigned int *)bind_at(ctx->obj, f->n_off);

	for (unsigned int i = 0; i < n; i++)
		put(add_child(ctx->node, step.name), step.rest, strs[i]);
}

/* A text node of this name is written as it is (libxml2's convention). */
static void put_inner(const struct ctx *ctx, const struct field *f)
{
	const char *text = *(char *const *)bind_at(ctx->obj, f->off);
	_cleanup_free_ char *lines = NULL;
	xmlNode *raw;

	if (!text)
		return;
	lines = xasprintf("\n    %s\n  ", text);
	raw = xmlNewDocText(ctx->node->doc, BAD_CAST lines);
	raw->name = xmlStringTextNoenc;
	xmlAddChild(add_child(ctx->node, f->path), raw);
}

static void put_struct(const struct ctx *ctx, const struct field *f)
{
	xmlNode *node;

	if (f->n_off && !*(const bool *)bind_at(ctx->obj, f->n_off))
		return;
	node = add_child(ctx->node, f->path);
	bind_format(f->type, bind_at(ctx->obj, f->off), ctx->live, node);
	if (!f->n_off && !node->children && !node->properties) {
		xmlUnlinkNode(node);
		xmlFreeNode(node);
	}
}

static void put_list(const struct ctx *ctx, const struct field *f)
{
	const void *items = *(void *const *)bind_at(ctx->obj, f->off);
	unsigned int n = *(const unsigned int *)bind_at(ctx->obj, f->n_off);

	for (unsigned int i = 0; i < n; i++) {
		const void *item = bind_at(items, i * f->type->size);
		const char *name = f->path;

		if (f->words)
			name = words_name(f->words,
					  *(int *)bind_at(item, f->name_off));
		bind_format(f->type, item, ctx->live,
			    add_child(ctx->node, name));
	}
}

static void put_part(const struct ctx *ctx, const struct field *f)
{
	const void *part = bind_at(ctx->obj, f->off);
	const struct xml_type *type = f->part(part);

	if (type)
		bind_format(type, part, ctx->live,
			    child_or_new(ctx->node, f->path));
}

static void put_field(const struct ctx *ctx, const struct field *f)
{
	typedef void writer(const struct ctx *ctx, const struct field *f);
	static writer *const writers[] = {
		[FIELD_FLAG] = put_flag,     [FIELD_SIZE] = put_size,
		[FIELD_BYTES] = put_size,
		[FIELD_STRS] = put_strs,     [FIELD_INNER] = put_inner,
		[FIELD_STRUCT] = put_struct, [FIELD_LIST] = put_list,
		[FIELD_PART] = put_part,
	};

	if (bind_scalar(f->kind))
		put_scalar(ctx, f);
	else
		writers[f->kind](ctx, f);
}

void bind_format(const struct xml_type *type, const void *obj, bool live,
		 xmlNode *node)
{
	struct ctx ctx = { type, obj, live, node };
	const char *extra = NULL;

	for (const struct field *f = type->fields; f->path; f++)
		if (bind_applies(type, f, obj))
			put_field(&ctx, f);
	if (type->extra_off)
		extra = *(char *const *)bind_at(obj, type->extra_off);
	if (extra)
		bind_merge(node, extra);
	if (type->order)
		bind_sort(node, type->order);
}
