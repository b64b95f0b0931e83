/*
 * vmm/state.c -- the saved form of device state.
 *
 *	section:  type name, id, u16 version, u32 length, fields
 *	field:    name, u8 kind (bit 7: optional), u32 count, u32 length, data
 *	name, id: u8 length, bytes
 *	data:     integers: count little-endian numbers of one width; bytes: as
 *		  they are; groups: count times u32 length, fields
 */
#include "vmm/state.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"

enum { KIND_MASK = 0x7f, KIND_OPTIONAL = 0x80, DEPTH_MAX = 8 };

/* ---- what there is ---- */

static char *next_id(const struct state_set *set, const struct state_type *type)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < set->n; i++)
		n += str_eq(set->item[i].type->name, type->name);
	return xasprintf("%u", n);
}

void state_add(struct state_set *set, const struct state_type *type,
	       const char *id, void *obj)
{
	char *own = id ? xstrdup(id) : next_id(set, type);

	set->item = xrealloc(set->item, set->n + 1, sizeof(*set->item));
	set->item[set->n++] =
		(struct state_item){ .type = type, .id = own, .obj = obj };
}

void state_lacks(struct state_set *set, const char *name)
{
	if (!set->without)
		set->without = xstrdup(name);
}

void state_finish(struct state_set *set)
{
	free(set->without);
	for (unsigned int i = 0; i < set->n; i++)
		free(set->item[i].id);
	free(set->item);
	*set = (struct state_set){ 0 };
}

static void *elements(const struct state_field *f, void *obj)
{
	uint8_t *member = (uint8_t *)obj + f->offset;

	return f->pointer ? *(void **)member : member;
}

static unsigned int *counter(const struct state_field *f, void *obj)
{
	return f->counter ? (unsigned int *)((uint8_t *)obj + f->counter) :
			    NULL;
}

static size_t element_count(const struct state_field *f, void *obj)
{
	return f->counter ? *counter(f, obj) : f->count;
}

/* ---- writing ---- */

static void put(struct buf *b, uint64_t value, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++, value >>= 8)
		buf_add(b, &(uint8_t){ value }, 1);
}

static void put_name(struct buf *b, const char *name)
{
	size_t len = strlen(name);

	assert(len > 0 && len < 256);
	put(b, len, 1);
	buf_add(b, name, len);
}

/* Room for a length that put_length() fills in when it is known. */
static size_t begin_length(struct buf *b)
{
	put(b, 0, 4);
	return b->len;
}

static void end_length(struct buf *b, size_t start)
{
	uint32_t len = b->len - start;

	assert(b->len - start <= UINT32_MAX);
	memcpy(b->data + start - 4, &len, 4);
}

static void put_fields(struct buf *b, const struct state_field *f, void *obj);

static void put_groups(struct buf *b, const struct state_field *f, void *obj)
{
	uint8_t *at = elements(f, obj);

	for (size_t n = element_count(f, obj); n; n--, at += f->size) {
		size_t start = begin_length(b);

		put_fields(b, f->fields, at);
		end_length(b, start);
	}
}

static void put_field(struct buf *b, const struct state_field *f, void *obj)
{
	size_t n = element_count(f, obj), start;

	put_name(b, f->name);
	put(b, f->kind | (f->optional ? KIND_OPTIONAL : 0), 1);
	put(b, n, 4);
	start = begin_length(b);
	if (f->kind == STATE_GROUP)
		put_groups(b, f, obj);
	else if (n)
		buf_add(b, elements(f, obj), n * f->size);
	end_length(b, start);
}

static void put_fields(struct buf *b, const struct state_field *f, void *obj)
{
	for (; f->name; f++)
		put_field(b, f, obj);
}

void state_write(const struct state_set *set, struct buf *b)
{
	for (unsigned int i = 0; i < set->n; i++) {
		const struct state_item *item = &set->item[i];
		size_t start;

		if (item->type->absent && item->type->absent(item->obj))
			continue;
		if (item->type->saving)
			item->type->saving(item->obj);
		put_name(b, item->type->name);
		put_name(b, item->id);
		put(b, item->type->version, 2);
		start = begin_length(b);
		put_fields(b, item->type->fields, item->obj);
		end_length(b, start);
	}
}

/* ---- reading ---- */

struct reader {
	const uint8_t *at, *end;
};

/* What an error message is about. */
struct place {
	const struct state_item *item;
	unsigned int version;
	struct error *err;
};

static bool take(struct reader *r, void *to, size_t len)
{
	if ((size_t)(r->end - r->at) < len)
		return false;
	if (len)
		memcpy(to, r->at, len);
	r->at += len;
	return true;
}

static bool take_name(struct reader *r, char name[256])
{
	uint8_t len;

	if (!take(r, &len, 1) || !len || !take(r, name, len))
		return false;
	name[len] = 0;
	return true;
}

static bool take_part(struct reader *r, struct reader *ret_part)
{
	uint32_t len;

	if (!take(r, &len, 4) || (size_t)(r->end - r->at) < len)
		return false;
	*ret_part = (struct reader){ r->at, r->at + len };
	r->at += len;
	return true;
}

static int refuse(const struct place *p, const char *field, const char *why)
{
	return error_set(p->err, -EINVAL,
			 "the saved state of device '%s' (%s) is not for this "
			 "machine: '%s' %s",
			 p->item->type->name, p->item->id, field, why);
}

/* The number of elements is the machine's, or goes where it is counted. */
static int take_count(const struct place *p, const struct state_field *f,
		      void *obj, uint32_t n)
{
	if (f->counter && !f->pointer) {
		if (n > f->count)
			return refuse(p, f->name, "has too many elements");
		*counter(f, obj) = n;
	} else if (f->fewer && n && n < element_count(f, obj)) {
		*counter(f, obj) = n;
	} else if (n != element_count(f, obj)) {
		return refuse(p, f->name, "has another number of elements");
	}
	return 0;
}

static int read_int(const struct place *p, const struct state_field *f,
		    struct reader *r, unsigned int width, void *to)
{
	uint64_t limit = f->size < 8 ? BIT64(8 * f->size) - 1 : UINT64_MAX;
	uint64_t value = 0;

	take(r, &value, width);
	if (f->max)
		limit = f->max;
	if (value > limit)
		return refuse(p, f->name, "is out of range");
	memcpy(to, &value, f->size);
	return 0;
}

static int read_ints(const struct place *p, const struct state_field *f,
		     void *obj, struct reader *r, uint32_t n)
{
	size_t len = r->end - r->at;
	uint8_t *at = elements(f, obj);
	unsigned int width = n ? len / n : 0;

	if (len != (size_t)width * n || (n && width != 1 && width != 2 &&
					 width != 4 && width != 8))
		return refuse(p, f->name, "is not a number");
	for (; n; n--, at += f->size) {
		int ret = read_int(p, f, r, width, at);

		if (ret < 0)
			return ret;
	}
	return 0;
}

static int read_fields(const struct place *p, const struct state_field *list,
		       void *obj, struct reader *r, unsigned int depth);

static int read_groups(const struct place *p, const struct state_field *f,
		       void *obj, struct reader *r, uint32_t n,
		       unsigned int depth)
{
	uint8_t *at = elements(f, obj);

	for (; n; n--, at += f->size) {
		struct reader part;
		int ret;

		if (!take_part(r, &part))
			return refuse(p, f->name, "is cut short");
		ret = read_fields(p, f->fields, at, &part, depth + 1);
		if (ret < 0)
			return ret;
	}
	return r->at == r->end ? 0 : refuse(p, f->name, "is too long");
}

static int read_field(const struct place *p, const struct state_field *f,
		      void *obj, struct reader *r, uint32_t n,
		      unsigned int depth)
{
	int ret = take_count(p, f, obj, n);

	if (ret < 0)
		return ret;
	if (f->kind == STATE_INT)
		return read_ints(p, f, obj, r, n);
	if (f->kind == STATE_GROUP)
		return read_groups(p, f, obj, r, n, depth);
	if (r->end - r->at != (ptrdiff_t)(n * f->size))
		return refuse(p, f->name, "has another size");
	take(r, elements(f, obj), n * f->size);
	return 0;
}

static const struct state_field *find_field(const struct state_field *list,
					    const char *name)
{
	while (list->name && !str_eq(list->name, name))
		list++;
	return list->name ? list : NULL;
}

/* Nobody has more fields in one list: they are counted in bits. */
enum { FIELDS_MAX = 64 };

static int all_seen(const struct place *p, const struct state_field *list,
		    uint64_t seen)
{
	for (unsigned int i = 0; list[i].name; i++) {
		assert(i < FIELDS_MAX);
		if (!(seen & BIT64(i)) && list[i].since <= p->version &&
		    !list[i].optional)
			return refuse(p, list[i].name, "is missing");
	}
	return 0;
}

/* One field; *ret_index: which of the list, -1: none. */
static int read_next(const struct place *p, const struct state_field *list,
		     void *obj, struct reader *r, unsigned int depth,
		     int *ret_index)
{
	const struct state_field *f;
	struct reader data;
	char name[256];
	uint8_t kind;
	uint32_t n;

	if (!take_name(r, name) || !take(r, &kind, 1) || !take(r, &n, 4) ||
	    !take_part(r, &data))
		return refuse(p, "", "is cut short");
	f = find_field(list, name);
	*ret_index = f ? f - list : -1;
	if (!f)
		return kind & KIND_OPTIONAL ?
			       0 :
			       refuse(p, name,
				      "is not known to this version of Vireo");
	if (f->kind != (kind & KIND_MASK))
		return refuse(p, name, "is of another kind");
	return read_field(p, f, obj, &data, n, depth);
}

static int read_fields(const struct place *p, const struct state_field *list,
		       void *obj, struct reader *r, unsigned int depth)
{
	uint64_t seen = 0;

	if (depth > DEPTH_MAX)
		return refuse(p, "", "is nested too deeply");
	while (r->at < r->end) {
		int index, ret = read_next(p, list, obj, r, depth, &index);

		if (ret < 0)
			return ret;
		if (index >= 0 && (seen & BIT64(index)))
			return refuse(p, list[index].name, "is there twice");
		if (index >= 0)
			seen |= BIT64(index);
	}
	return all_seen(p, list, seen);
}

static struct state_item *find_item(struct state_set *set, const char *name,
				    const char *id)
{
	for (unsigned int i = 0; i < set->n; i++) {
		if (str_eq(set->item[i].type->name, name) &&
		    str_eq(set->item[i].id, id))
			return &set->item[i];
	}
	return NULL;
}

static int too_new(const struct place *p)
{
	return error_set(p->err, -ENOTSUP,
			 "device '%s' (%s) was saved by a later version of "
			 "Vireo (%u, not up to %u)",
			 p->item->type->name, p->item->id, p->version,
			 p->item->type->version);
}

static int read_section(struct state_set *set, struct reader *r,
			struct error *err)
{
	struct place p = { .err = err };
	char name[256], id[256];
	struct state_item *item;
	struct reader part;
	uint16_t version;
	int ret;

	if (!take_name(r, name) || !take_name(r, id) ||
	    !take(r, &version, 2) || !take_part(r, &part))
		return error_set(err, -EINVAL, "the saved state is cut short");
	item = find_item(set, name, id);
	if (!item || item->seen)
		return error_set(err, -EINVAL,
				 "the saved state has a device '%s' (%s) that "
				 "the machine has not",
				 name, id);
	item->seen = true;
	p.item = item;
	p.version = version;
	if (version > item->type->version)
		return too_new(&p);
	ret = read_fields(&p, item->type->fields, item->obj, &part, 0);
	if (ret == 0 && item->type->loaded)
		ret = item->type->loaded(item->obj, version, err);
	if (ret < 0 && !err->message[0])
		ret = refuse(&p, "", "makes no sense");
	return ret;
}

int state_read(struct state_set *set, const void *data, size_t len,
	       struct error *err)
{
	struct reader r = { data, (const uint8_t *)data + len };

	while (r.at < r.end) {
		int ret = read_section(set, &r, err);

		if (ret < 0)
			return ret;
	}
	for (unsigned int i = 0; i < set->n; i++) {
		if (!set->item[i].seen && !set->item[i].type->may_lack)
			return error_set(err, -EINVAL,
					 "the saved state has no device '%s' "
					 "(%s), which the machine has",
					 set->item[i].type->name,
					 set->item[i].id);
	}
	for (unsigned int i = 0; i < set->n; i++) {
		if (set->item[i].seen && set->item[i].type->restored)
			set->item[i].type->restored(set->item[i].obj);
	}
	return 0;
}
