/*
 * model/bind.c -- what reading and writing by tables share.
 */
#include "model/bind.h"

#include <string.h>

#include "model/xml.h"

struct bind_step bind_step(const char *path)
{
	struct bind_step step = { .attr = *path == '@' };
	size_t len;

	path += step.attr;
	len = strcspn(path, "/@");
	assert(len && len < sizeof(step.name));
	memcpy(step.name, path, len);
	step.rest = path[len] == '/' ? path + len + 1 : path + len;
	return step;
}

bool bind_applies(const struct xml_type *type, const struct field *f,
		  const void *obj)
{
	if (!f->only)
		return true;
	return f->only & BIT(*(int *)bind_at(obj, type->tag_off));
}

bool bind_only_live(const struct field *f, const char *text)
{
	if (f->flags & FIELD_ALIAS)
		return !str_startswith(text, "ua-");
	return f->flags & FIELD_LIVE;
}

/*
 * libxml2 leaves _private to us.  It is the first member of every kind of
 * node (tree.h), attributes included.
 */
static const char mark, taken;

void bind_mark(void *node)
{
	((xmlNode *)node)->_private = (void *)&mark;
}

bool bind_marked(const void *node)
{
	return ((const xmlNode *)node)->_private == &mark;
}

void bind_take(void *node)
{
	((xmlNode *)node)->_private = (void *)&taken;
}

bool bind_taken(const void *node)
{
	return ((const xmlNode *)node)->_private == &taken;
}
