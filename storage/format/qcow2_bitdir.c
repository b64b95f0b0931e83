/*
 * storage/format/qcow2_bitdir.c -- the directory of bitmaps, read and
 * written (section "Bitmap directory").
 */
#include "storage/format/qcow2_bitdir.h"

#include <errno.h>
#include <string.h>

#include "storage/format/dirty_bitmap.h"
#include "storage/format/endian.h"

enum { FIXED = 24, DIRTY_TRACKING = 1, NAME_MAX_BYTES = 1023,
       EXTRA_DATA_COMPATIBLE = 4 };

void qcow2_bitdir_free(struct qcow2_bitdir *d)
{
	for (uint32_t i = 0; i < d->n; i++)
		free(d->entry[i].name);
	free(d->entry);
	*d = (struct qcow2_bitdir){ 0 };
}

size_t qcow2_bitdir_entry_size(size_t name_len)
{
	return ALIGN_UP(FIXED + name_len, (size_t)8);
}

/* ---- reading ---- */

static int check(const struct qcow2 *q, const struct qcow2_bitdir_entry *e)
{
	uint32_t known = QCOW2_BITMAP_IN_USE | QCOW2_BITMAP_AUTO |
			 EXTRA_DATA_COMPATIBLE;

	if (e->flags & ~known)
		return -ENOTSUP;
	if (e->granularity < DIRTY_GRANULARITY_MIN ||
	    e->granularity > DIRTY_GRANULARITY_MAX || !e->n_table ||
	    e->n_table > QCOW2_BITMAP_BYTES_MAX / 8 || !e->table ||
	    (e->table & (q->cluster_size - 1)) || e->table >= BIT64(56))
		return -EINVAL;
	return 0;
}

static int read_entry(struct qcow2 *q, const uint8_t *d, size_t left,
		      struct qcow2_bitdir_entry *e, size_t *ret_len)
{
	uint64_t name_len, extra;

	if (left < FIXED)
		return -EINVAL;
	e->table = get_be64(d);
	e->n_table = get_be32(d + 8);
	e->flags = get_be32(d + QCOW2_BITMAP_FLAGS_AT);
	e->granularity = d[17];
	name_len = get_be16(d + 18);
	extra = get_be32(d + 20);
	if (d[16] != DIRTY_TRACKING || extra)
		return -ENOTSUP;
	if (!name_len || name_len > NAME_MAX_BYTES || name_len > left - FIXED ||
	    memchr(d + FIXED, 0, name_len))
		return -EINVAL;
	*ret_len = MIN(qcow2_bitdir_entry_size(name_len), left);
	e->name = xstrndup((const char *)d + FIXED, name_len);
	return check(q, e);
}

static bool has_twins(const struct qcow2_bitdir *d, const char *name)
{
	for (uint32_t i = 0; i + 1 < d->n; i++)
		if (str_eq(d->entry[i].name, name))
			return true;
	return false;
}

static int read_all(struct qcow2 *q, const uint8_t *data, size_t len,
		    struct qcow2_bitdir *d)
{
	size_t at = 0, size = 0;
	int r = 0;

	while (d->n < q->h.n_bitmaps && r >= 0) {
		struct qcow2_bitdir_entry *e = &d->entry[d->n];

		r = read_entry(q, data + at, len - at, e, &size);
		e->place = q->h.bitmaps_offset + at;
		d->n++;
		if (r >= 0 && has_twins(d, e->name))
			r = -EINVAL;
		at += size;
	}
	return r;
}

int qcow2_bitdir_load(struct qcow2 *q, struct qcow2_bitdir *ret)
{
	const struct qcow2_header *h = &q->h;
	_cleanup_free_ uint8_t *data = NULL;
	int r;

	*ret = (struct qcow2_bitdir){ 0 };
	if (!h->n_bitmaps || !(h->autoclear & QCOW2_BITMAPS))
		return 0;
	/* More than its bytes can hold: not worth the memory. */
	if (h->n_bitmaps > h->bitmaps_bytes / FIXED)
		return -EINVAL;
	data = xcalloc(1, h->bitmaps_bytes + 1);
	ret->entry = xcalloc(h->n_bitmaps + 1ull, sizeof(*ret->entry));
	r = qcow2_pread(q, data, h->bitmaps_bytes, h->bitmaps_offset);
	if (r >= 0)
		r = read_all(q, data, h->bitmaps_bytes, ret);
	if (r < 0)
		qcow2_bitdir_free(ret);
	return r;
}

/* ---- writing ---- */

uint8_t *qcow2_bitdir_format(struct qcow2_bitdir *d, size_t *ret_len)
{
	uint8_t *data, *p;

	*ret_len = 0;
	for (uint32_t i = 0; i < d->n; i++)
		*ret_len += qcow2_bitdir_entry_size(strlen(d->entry[i].name));
	p = data = xcalloc(1, *ret_len + 1);
	for (uint32_t i = 0; i < d->n; i++) {
		struct qcow2_bitdir_entry *e = &d->entry[i];
		size_t len = strlen(e->name);

		e->place = p - data;
		put_be64(p, e->table);
		put_be32(p + 8, e->n_table);
		put_be32(p + QCOW2_BITMAP_FLAGS_AT, e->flags);
		p[16] = DIRTY_TRACKING;
		p[17] = e->granularity;
		put_be16(p + 18, len);
		memcpy(p + FIXED, e->name, len);
		p += qcow2_bitdir_entry_size(len);
	}
	return data;
}
