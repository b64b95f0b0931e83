/*
 * storage/format/qcow2_bitmaps.c -- bitmaps in the image: loaded when it is
 * opened, marked as in use before the first write, stored at its end.
 *
 * What is stored goes to new places, directory included; the header changes
 * over when all of it is there, and only then the old places are free.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "storage/format/bitmaps_format.h"
#include "storage/format/endian.h"
#include "storage/format/qcow2_bitdir.h"

/* Of all bitmaps of an image together, in memory. */
#define TOTAL_MAX (256 * MIB)

/* "Bitmap table": bit 0 where there is no place: all ones. */
#define ALL_ONES 1ull

static uint64_t table_entries(const struct qcow2 *q, uint64_t bytes)
{
	return MAX((bytes + q->cluster_size - 1) >> q->cluster_bits, 1ull);
}

/* ---- loading ---- */

static int load_cluster(struct qcow2 *q, uint64_t entry, uint64_t first,
			uint8_t *data, struct dirty_bitmap *bits)
{
	uint64_t place = entry & QCOW2_OFFSET;
	int r = 0;

	if ((entry & ~(QCOW2_OFFSET | ALL_ONES)) ||
	    (place && ((entry & ALL_ONES) || (place & (q->cluster_size - 1)))))
		return -EINVAL;
	if (place)
		r = qcow2_pread(q, data, q->cluster_size, place);
	else if (entry & ALL_ONES)
		memset(data, 0xff, q->cluster_size);
	else
		return 0;
	if (r >= 0)
		dirty_bitmap_import(bits, first, data, q->cluster_size);
	return r;
}

static int load_bits(struct qcow2 *q, struct block_bitmap *b)
{
	uint64_t n = table_entries(q, dirty_bitmap_bytes(q->blk->size,
							 b->granularity));
	_cleanup_free_ uint64_t *table = xcalloc(n, sizeof(*table));
	_cleanup_free_ uint8_t *data = xmalloc(q->cluster_size);
	int r;

	if (n > b->n_table)
		return -EINVAL;
	r = qcow2_pread(q, table, n * 8, b->table);
	for (uint64_t i = 0; i < n && r >= 0; i++)
		r = load_cluster(q, be64toh(table[i]), i << q->cluster_bits,
				 data, b->bits);
	return r;
}

static struct block_bitmap *make(struct qcow2_bitdir_entry *e)
{
	struct block_bitmap *b = xcalloc(1, sizeof(*b));

	b->name = steal_ptr(&e->name);
	b->granularity = e->granularity;
	b->enabled = e->flags & QCOW2_BITMAP_AUTO;
	b->in_use = e->flags & QCOW2_BITMAP_IN_USE;
	b->persistent = true;
	b->entry = e->place;
	b->table = e->table;
	b->n_table = e->n_table;
	return b;
}

static int load_one(struct qcow2 *q, struct qcow2_bitdir_entry *e,
		    uint64_t *total)
{
	uint64_t size = q->blk->size;
	struct block_bitmap *b = make(e);
	int r = 0;

	if (!b->in_use) {
		*total += dirty_bitmap_bytes(size, b->granularity);
		if (*total <= TOTAL_MAX)
			b->bits = dirty_bitmap_create(size, b->granularity);
		r = b->bits ? load_bits(q, b) : -EFBIG;
	}
	if (r < 0)
		block_bitmap_free(b);
	else
		block_bitmaps_append(q->blk->bitmaps, b);
	return r;
}

static void drop_all(struct block_bitmaps *list)
{
	while (list->list) {
		struct block_bitmap *b = list->list;

		list->list = b->next;
		block_bitmap_free(b);
	}
}

int qcow2_bitmaps_load(struct block *blk, struct error *err)
{
	struct qcow2 *q = blk->priv;
	struct qcow2_bitdir d;
	uint64_t total = 0;
	int r;

	if (!blk->bitmaps || blk->options.snapshot)
		return 0;
	r = qcow2_bitdir_load(q, &d);
	for (uint32_t i = 0; r >= 0 && i < d.n; i++)
		r = load_one(q, &d.entry[i], &total);
	if (r < 0)
		drop_all(blk->bitmaps);
	qcow2_bitdir_free(&d);
	return r < 0 ? error_set(err, r, "cannot load its bitmaps: %s",
				 strerror(-r)) :
		       0;
}

int qcow2_bitmaps_allowed(struct block *blk, struct error *err)
{
	const struct qcow2 *q = blk->priv;
	uint32_t n = 0;

	if (q->h.version < 3)
		return error_set(err, -ENOTSUP,
				 "Cannot store dirty bitmaps in qcow2 v2 files");
	for (const struct block_bitmap *b = blk->bitmaps->list; b; b = b->next)
		n++;
	return n < QCOW2_BITMAPS_MAX ?
		       0 :
		       error_set(err, -E2BIG, "it has too many bitmaps");
}

/* ---- in use ---- */

/* The file's is still what we have, and a write changes that. */
static bool goes_stale(const struct block_bitmap *b, bool all)
{
	return b->entry && !b->in_use && (b->enabled || all);
}

static int mark_one(struct qcow2 *q, struct block_bitmap *b)
{
	uint8_t flags[4];
	int r;

	put_be32(flags, QCOW2_BITMAP_IN_USE |
				(b->enabled ? QCOW2_BITMAP_AUTO : 0));
	r = qcow2_pwrite(q, flags, sizeof(flags),
			 b->entry + QCOW2_BITMAP_FLAGS_AT);
	if (r >= 0)
		b->in_use = true;
	return r;
}

int qcow2_bitmaps_mark(struct qcow2 *q, bool all)
{
	struct block_bitmaps *list = q->blk->bitmaps;
	bool any = false;
	int r = 0;

	if (!list)
		return 0;
	pthread_rwlock_rdlock(&list->lock);
	for (struct block_bitmap *b = list->list; b && r >= 0; b = b->next) {
		if (!goes_stale(b, all))
			continue;
		r = mark_one(q, b);
		any = true;
	}
	pthread_rwlock_unlock(&list->lock);
	return r < 0 || !any ? r : qcow2_sync(q);
}

/* ---- storing ---- */

static bool is_stale(const struct block_bitmap *b)
{
	return b->persistent && b->bits &&
	       (b->in_use || b->changed || !b->entry);
}

static bool any_stale(const struct block_bitmaps *list)
{
	for (const struct block_bitmap *b = list->list; b; b = b->next)
		if (is_stale(b))
			return true;
	return list->changed;
}

static bool all_bytes(const uint8_t *data, size_t len, uint8_t value)
{
	return data[0] == value && !memcmp(data, data + 1, len - 1);
}

static int store_cluster(struct qcow2 *q, const struct dirty_bitmap *bits,
			 uint64_t first, uint8_t *data, uint8_t *entry)
{
	uint64_t place, n;
	bool blank;
	int r;

	dirty_bitmap_export(bits, first, data, q->cluster_size);
	if (all_bytes(data, q->cluster_size, 0))
		return 0;
	if (all_bytes(data, q->cluster_size, 0xff)) {
		put_be64(entry, ALL_ONES);
		return 0;
	}
	r = qcow2_alloc(q, 1, &place, &n, &blank);
	if (r < 0)
		return r;
	put_be64(entry, place);
	return qcow2_pwrite(q, data, q->cluster_size, place);
}

static int store_bits(struct qcow2 *q, const struct block_bitmap *b,
		      struct qcow2_bitdir_entry *e)
{
	uint64_t n = table_entries(q, dirty_bitmap_bytes(q->blk->size,
							 b->granularity));
	size_t len = ALIGN_UP(n * 8, q->cluster_size);
	_cleanup_free_ uint8_t *table = xcalloc(1, len);
	_cleanup_free_ uint8_t *data = xmalloc(q->cluster_size);
	int r = qcow2_alloc_row(q, len >> q->cluster_bits, &e->table);

	e->n_table = n;
	for (uint64_t i = 0; i < n && r >= 0; i++)
		r = store_cluster(q, b->bits, i << q->cluster_bits, data,
				  table + i * 8);
	return r < 0 ? r : qcow2_pwrite(q, table, len, e->table);
}

static int store_one(struct qcow2 *q, const struct block_bitmap *b,
		     struct qcow2_bitdir_entry *e)
{
	*e = (struct qcow2_bitdir_entry){
		.table = b->table,
		.n_table = b->n_table,
		.flags = (b->enabled ? QCOW2_BITMAP_AUTO : 0) |
			 (b->bits ? 0 : QCOW2_BITMAP_IN_USE),
		.granularity = b->granularity,
		.name = xstrdup(b->name),
	};
	return is_stale(b) ? store_bits(q, b, e) : 0;
}

static int store_all(struct qcow2 *q, struct qcow2_bitdir *d)
{
	const struct block_bitmap *b;
	uint32_t n = 0;
	int r = 0;

	for (b = q->blk->bitmaps->list; b; b = b->next)
		n++;
	d->entry = xcalloc(n + 1ull, sizeof(*d->entry));
	for (b = q->blk->bitmaps->list; b && r >= 0; b = b->next)
		if (b->persistent)
			r = store_one(q, b, &d->entry[d->n++]);
	return r;
}

static int store_directory(struct qcow2 *q, struct qcow2_bitdir *d,
			   struct qcow2_header *h)
{
	_cleanup_free_ uint8_t *data = NULL;
	size_t len;
	int r = 0;

	data = qcow2_bitdir_format(d, &len);
	h->n_bitmaps = d->n;
	h->bitmaps_bytes = len;
	h->bitmaps_offset = 0;
	h->autoclear &= ~QCOW2_BITMAPS;
	if (!d->n)
		return 0;
	if (len > QCOW2_BITMAP_BYTES_MAX)
		return -EFBIG;
	h->autoclear |= QCOW2_BITMAPS;
	r = qcow2_alloc_row(q, ALIGN_UP(len, q->cluster_size) >>
				       q->cluster_bits,
			    &h->bitmaps_offset);
	return r < 0 ? r : qcow2_pwrite(q, data, len, h->bitmaps_offset);
}

/* ---- the old ones' places ---- */

static void free_bytes(struct qcow2 *q, uint64_t offset, uint64_t len)
{
	if (len)
		qcow2_free(q, offset, ALIGN_UP(len, q->cluster_size) >>
					      q->cluster_bits);
}

static void free_bits(struct qcow2 *q, const struct qcow2_bitdir_entry *e)
{
	_cleanup_free_ uint64_t *table = xcalloc(e->n_table, sizeof(*table));

	/* What cannot be read is lost, no more. */
	if (qcow2_pread(q, table, e->n_table * 8ull, e->table) < 0)
		return;
	for (uint32_t i = 0; i < e->n_table; i++) {
		uint64_t place = be64toh(table[i]) & QCOW2_OFFSET;

		if (place && !(place & (q->cluster_size - 1)))
			qcow2_free(q, place, 1);
	}
	free_bytes(q, e->table, e->n_table * 8ull);
}

static bool is_kept(const struct qcow2_bitdir *now, uint64_t table)
{
	for (uint32_t i = 0; i < now->n; i++)
		if (now->entry[i].table == table)
			return true;
	return false;
}

static void free_old(struct qcow2 *q, const struct qcow2_bitdir *old,
		     const struct qcow2_bitdir *now)
{
	for (uint32_t i = 0; i < old->n; i++)
		if (!is_kept(now, old->entry[i].table))
			free_bits(q, &old->entry[i]);
}

/* ---- changing over ---- */

static void settled(struct qcow2 *q, const struct qcow2_bitdir *d)
{
	const struct qcow2_bitdir_entry *e = d->entry;

	for (struct block_bitmap *b = q->blk->bitmaps->list; b; b = b->next) {
		if (!b->persistent)
			continue;
		b->entry = q->h.bitmaps_offset + e->place;
		b->table = e->table;
		b->n_table = e->n_table;
		b->in_use = !b->bits;
		b->changed = false;
		e++;
	}
	q->blk->bitmaps->changed = false;
	__atomic_store_n(&q->marked, false, __ATOMIC_RELEASE);
}

static int store(struct qcow2 *q, struct qcow2_bitdir *d,
		 struct qcow2_bitdir *old)
{
	struct qcow2_header h = q->h;
	uint64_t offset = h.bitmaps_offset, len = h.bitmaps_bytes;
	int r = qcow2_bitdir_load(q, old);

	if (r >= 0)
		r = store_all(q, d);
	if (r >= 0)
		r = store_directory(q, d, &h);
	if (r >= 0)
		r = qcow2_commit(q);
	if (r >= 0)
		r = qcow2_sync(q);
	/* Others may have moved tables while this waited. */
	if (r >= 0) {
		q->h.n_bitmaps = h.n_bitmaps;
		q->h.bitmaps_bytes = h.bitmaps_bytes;
		q->h.bitmaps_offset = h.bitmaps_offset;
		q->h.autoclear = h.autoclear;
		r = qcow2_header_write(q);
	}
	if (r < 0)
		return r;
	settled(q, d);
	free_old(q, old, d);
	if (old->n)
		free_bytes(q, offset, len);
	return 0;
}

int qcow2_bitmaps_store(struct qcow2 *q)
{
	struct block_bitmaps *list = q->blk->bitmaps;
	struct qcow2_bitdir d = { 0 }, old = { 0 };
	int r;

	if (!list || !list->loaded || !any_stale(list))
		return 0;
	r = store(q, &d, &old);
	qcow2_bitdir_free(&d);
	qcow2_bitdir_free(&old);
	return r;
}
