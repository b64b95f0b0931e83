/*
 * model/bind_mem.c -- frees, copies and walks structs by their tables.
 */
#include <string.h>

#include "model/bind.h"

static bool is_string(const struct field *f)
{
	return f->kind == FIELD_STR || f->kind == FIELD_INNER;
}

static unsigned int count_of(const struct field *f, const void *obj)
{
	return *(const unsigned int *)bind_at(obj, f->n_off);
}

static void *item_of(const struct field *f, const void *obj, unsigned int i)
{
	void *items = *(void **)bind_at(obj, f->off);

	return bind_at(items, i * f->type->size);
}

static void free_string(void *member)
{
	free(*(char **)member);
	*(char **)member = NULL;
}

static void finish_list(const struct field *f, void *obj)
{
	for (unsigned int i = 0; i < count_of(f, obj); i++)
		bind_finish(f->type, item_of(f, obj, i));
	free_string(bind_at(obj, f->off));
	*(unsigned int *)bind_at(obj, f->n_off) = 0;
}

static void finish_field(const struct field *f, void *obj)
{
	char **strs = bind_at(obj, f->off);

	if (is_string(f))
		free_string(strs);
	else if (f->kind == FIELD_STRS)
		for (unsigned int i = 0; i < count_of(f, obj); i++)
			free_string(&strs[i]);
	else if (f->kind == FIELD_STRUCT)
		bind_finish(f->type, strs);
	else if (f->kind == FIELD_LIST)
		finish_list(f, obj);
}

/* While what tells a part's type is still there. */
static void finish_parts(const struct xml_type *type, void *obj)
{
	for (const struct field *f = type->fields; f->path; f++) {
		void *part = bind_at(obj, f->off);

		if (f->kind == FIELD_PART && f->part(part))
			bind_finish(f->part(part), part);
	}
}

void bind_finish(const struct xml_type *type, void *obj)
{
	finish_parts(type, obj);
	for (const struct field *f = type->fields; f->path; f++)
		finish_field(f, obj);
	if (type->extra_off)
		free_string(bind_at(obj, type->extra_off));
}

/* Two fields may share a member; the second must not copy the copy. */
static void copy_string(const struct field *f, const void *from, void *to)
{
	char *const *old = bind_at(from, f->off);
	char **member = bind_at(to, f->off);

	if (*member == *old)
		*member = xstrdup(*old);
}

static void copy_list(const struct field *f, const void *from, void *to)
{
	unsigned int n = count_of(f, from);
	void *items = n ? xcalloc(n, f->type->size) : NULL;

	*(void **)bind_at(to, f->off) = items;
	for (unsigned int i = 0; i < n; i++)
		bind_copy(f->type, item_of(f, from, i), item_of(f, to, i));
}

static void copy_strs(const struct field *f, const void *from, void *to)
{
	char **strs = bind_at(to, f->off);

	for (unsigned int i = 0; i < count_of(f, from); i++)
		strs[i] = xstrdup(strs[i]);
}

/* to holds the bytes of from; gives it its own strings and lists. */
static void unshare(const struct xml_type *type, const void *from, void *to)
{
	for (const struct field *f = type->fields; f->path; f++) {
		const void *old = bind_at(from, f->off);

		if (is_string(f))
			copy_string(f, from, to);
		else if (f->kind == FIELD_STRS)
			copy_strs(f, from, to);
		else if (f->kind == FIELD_LIST)
			copy_list(f, from, to);
		else if (f->kind == FIELD_STRUCT)
			unshare(f->type, old, bind_at(to, f->off));
		else if (f->kind == FIELD_PART && f->part(old))
			unshare(f->part(old), old, bind_at(to, f->off));
	}
	if (type->extra_off) {
		char **extra = bind_at(to, type->extra_off);

		*extra = xstrdup(*extra);
	}
}

void bind_copy(const struct xml_type *type, const void *from, void *to)
{
	memcpy(to, from, type->size);
	unshare(type, from, to);
}

static void each_field(const struct field *f, const void *obj,
		       bind_extra_fn *fn, void *arg)
{
	if (f->kind == FIELD_STRUCT)
		bind_each_extra(f->type, bind_at(obj, f->off), fn, arg);
	if (f->kind != FIELD_LIST)
		return;
	for (unsigned int i = 0; i < count_of(f, obj); i++)
		bind_each_extra(f->type, item_of(f, obj, i), fn, arg);
}

void bind_each_extra(const struct xml_type *type, const void *obj,
		     bind_extra_fn *fn, void *arg)
{
	const char *extra = NULL;

	for (const struct field *f = type->fields; f->path; f++)
		each_field(f, obj, fn, arg);
	if (type->extra_off)
		extra = *(char *const *)bind_at(obj, type->extra_off);
	if (extra)
		fn(arg, type, extra);
}
