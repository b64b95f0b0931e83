/*
 * storage/format/qcow2_refcount.c -- how often each cluster of the file is
 * used, and finding one that is not (section "Host cluster management").
 */
#include <errno.h>
#include <string.h>

#include "storage/format/endian.h"
#include "storage/format/qcow2.h"

/* Below 8 bits bit 0 is the least significant one. */
uint64_t qcow2_count_get(const void *counts, unsigned int order, uint64_t i)
{
	const uint8_t *p = counts;
	unsigned int width = 1u << order;

	switch (order) {
	case 3:
		return p[i];
	case 4:
		return get_be16(p + 2 * i);
	case 5:
		return get_be32(p + 4 * i);
	case 6:
		return get_be64(p + 8 * i);
	}
	return p[i * width / 8] >> (i * width % 8) & ((1u << width) - 1);
}

void qcow2_count_set(void *counts, unsigned int order, uint64_t i, uint64_t n)
{
	uint8_t *p = counts;
	unsigned int width = 1u << order, shift = i * width % 8;

	switch (order) {
	case 3:
		p[i] = n;
		return;
	case 4:
		put_be16(p + 2 * i, n);
		return;
	case 5:
		put_be32(p + 4 * i, n);
		return;
	case 6:
		put_be64(p + 8 * i, n);
		return;
	}
	p += i * width / 8;
	*p = (*p & ~(((1u << width) - 1) << shift)) | n << shift;
}

static uint64_t count_max(const struct qcow2 *q)
{
	return UINT64_MAX >> (64 - (1u << q->h.refcount_order));
}

/* ---- refcount blocks ---- */

static uint64_t block_place(const struct qcow2 *q, uint64_t cluster)
{
	uint64_t i = cluster >> q->block_bits;

	return i < q->n_reftable ? q->reftable[i] & QCOW2_REF_OFFSET : 0;
}

/* Counts per slice are a power of two. */
static uint64_t slice_counts(const struct qcow2 *q)
{
	return (uint64_t)q->cache.slice_size * 8 >> q->h.refcount_order;
}

/* The piece of a block with a cluster's count; -ENOENT: there is no block. */
static int counts_of(struct qcow2 *q, uint64_t cluster,
		     struct qcow2_slice **ret, uint64_t *ret_index)
{
	uint64_t place = block_place(q, cluster), n = slice_counts(q);
	uint64_t i = cluster & (BIT64(q->block_bits) - 1);

	if (!place)
		return -ENOENT;
	if (place & (q->cluster_size - 1))
		return -EIO;
	*ret_index = i % n;
	return qcow2_slice(q, QCOW2_REFCOUNTS,
			   place + i / n * q->cache.slice_size, ret);
}

int qcow2_refcount(struct qcow2 *q, uint64_t cluster, uint64_t *ret)
{
	struct qcow2_slice *s;
	uint64_t i;
	int r = counts_of(q, cluster, &s, &i);

	*ret = 0;
	if (r >= 0)
		*ret = qcow2_count_get(s->data, q->h.refcount_order, i);
	return r == -ENOENT ? 0 : r;
}

int qcow2_refcount_add(struct qcow2 *q, uint64_t cluster, int by)
{
	struct qcow2_slice *s;
	uint64_t i, n;
	int r = counts_of(q, cluster, &s, &i);

	if (r < 0)
		return r == -ENOENT ? -EIO : r;
	n = qcow2_count_get(s->data, q->h.refcount_order, i);
	if (by < 0 ? n < (uint64_t)-by : n > count_max(q) - by)
		return -EIO;
	qcow2_count_set(s->data, q->h.refcount_order, i, n + by);
	qcow2_slice_dirty(q, s);
	if (n + by == 0)
		q->hint = MIN(q->hint, cluster);
	return 0;
}

/* ---- more of them ---- */

static bool in_range(uint64_t cluster, uint64_t offset, uint64_t bytes,
		     unsigned int bits)
{
	uint64_t first = offset >> bits;

	return cluster >= first && cluster < first +
	       ((bytes + BIT64(bits) - 1) >> bits);
}

/* An image whose counts are wrong must not lose its tables to data. */
static bool is_metadata(struct qcow2 *q, uint64_t cluster)
{
	uint64_t offset = cluster << q->cluster_bits;
	struct qcow2_slice *s = qcow2_slice_cached(q, offset);

	return !cluster || s ||
	       in_range(cluster, q->h.l1_offset, q->h.l1_size * 8ull,
			q->cluster_bits) ||
	       in_range(cluster, q->h.reftable_offset, q->n_reftable * 8,
			q->cluster_bits) ||
	       (q->h.n_snapshots &&
		in_range(cluster, q->h.snapshots_offset, 1, q->cluster_bits));
}

/*
 * A block that does not exist says that none of its clusters is used, so the
 * first of them becomes the block.
 */
static int add_block(struct qcow2 *q, uint64_t i)
{
	_cleanup_free_ uint8_t *counts = xcalloc(1, q->cluster_size);
	uint64_t place = i << q->block_bits << q->cluster_bits;
	int r;

	/* The header's, or another table's: then it should not be missing. */
	if (is_metadata(q, i << q->block_bits))
		return -EIO;
	qcow2_count_set(counts, q->h.refcount_order, 0, 1);
	pthread_mutex_unlock(&q->lock);
	r = qcow2_pwrite(q, counts, q->cluster_size, place);
	pthread_mutex_lock(&q->lock);
	if (r < 0)
		return r;
	qcow2_cache_forget(q, place);
	q->reftable[i] = place;
	qcow2_span_add(&q->reftable_dirty, i);
	q->blank = MAX(q->blank, (place >> q->cluster_bits) + 1);
	return 0;
}

/*
 * A larger table goes behind what the old one describes: first the blocks
 * that count them all, then itself.
 */
struct growth {
	uint64_t first;		/* cluster */
	uint64_t n_blocks, n_clusters; /* of the table */
	uint64_t n_entries;
};

static int plan(const struct qcow2 *q, struct growth *g)
{
	uint64_t per_block = BIT64(q->block_bits);
	uint64_t bytes = q->n_reftable * 8 * 3 / 2 + q->cluster_size;

	g->n_clusters = (bytes + q->cluster_size - 1) >> q->cluster_bits;
	g->n_blocks = g->n_clusters / (per_block - 1) + 1;
	g->n_entries = g->n_clusters * (q->cluster_size / 8);
	g->first = q->n_reftable << q->block_bits;
	if (g->n_clusters * q->cluster_size > QCOW2_REFTABLE_BYTES_MAX)
		return -EFBIG;
	return 0;
}

static void *blocks_for(const struct qcow2 *q, const struct growth *g)
{
	uint8_t *data = xcalloc(g->n_blocks, q->cluster_size);

	for (uint64_t i = 0; i < g->n_blocks + g->n_clusters; i++)
		qcow2_count_set(data, q->h.refcount_order, i, 1);
	return data;
}

static uint64_t *table_for(const struct qcow2 *q, const struct growth *g)
{
	uint64_t *table = xcalloc(g->n_entries, sizeof(*table));

	memcpy(table, q->reftable, q->n_reftable * sizeof(*table));
	for (uint64_t i = 0; i < g->n_blocks; i++)
		table[q->n_reftable + i] = (g->first + i) << q->cluster_bits;
	return table;
}

/* Offset and size, which are in one sector of the header. */
static int write_place(struct qcow2 *q, uint64_t offset, uint32_t clusters)
{
	uint8_t data[12];

	put_be64(data, offset);
	put_be32(data + 8, clusters);
	return qcow2_pwrite(q, data, sizeof(data), 48);
}

static int write_table(struct qcow2 *q, const uint64_t *table, uint64_t n,
		       uint64_t offset)
{
	_cleanup_free_ uint64_t *data = xcalloc(n, sizeof(*data));

	for (uint64_t i = 0; i < n; i++)
		data[i] = htobe64(table[i]);
	return qcow2_pwrite(q, data, n * sizeof(*data), offset);
}

static int write_growth(struct qcow2 *q, const struct growth *g,
			const uint64_t *table)
{
	_cleanup_free_ void *blocks = blocks_for(q, g);
	uint64_t place = (g->first + g->n_blocks) << q->cluster_bits;
	int r = qcow2_pwrite(q, blocks, g->n_blocks * q->cluster_size,
			     g->first << q->cluster_bits);

	if (r >= 0)
		r = write_table(q, table, g->n_entries, place);
	if (r >= 0)
		r = qcow2_sync(q);
	if (r >= 0)
		r = write_place(q, place, g->n_clusters);
	return r < 0 ? r : qcow2_sync(q);
}

static int grow_table(struct qcow2 *q)
{
	_cleanup_free_ uint64_t *table = NULL;
	struct growth g;
	uint64_t end, old = q->h.reftable_offset;
	uint32_t n_old = q->h.reftable_clusters;
	int r = plan(q, &g);

	if (r < 0)
		return r;
	table = table_for(q, &g);
	end = g.first + g.n_blocks + g.n_clusters;
	pthread_mutex_unlock(&q->lock);
	r = write_growth(q, &g, table);
	pthread_mutex_lock(&q->lock);
	if (r < 0)
		return r;
	free(q->reftable);
	q->reftable = steal_ptr(&table);
	q->n_reftable = g.n_entries;
	q->h.reftable_offset = (g.first + g.n_blocks) << q->cluster_bits;
	q->h.reftable_clusters = g.n_clusters;
	q->reftable_dirty = (struct qcow2_span){ 0 };
	q->blank = MAX(q->blank, end);
	qcow2_free(q, old, n_old);
	return 0;
}

/* One at a time; the caller looks again. */
static int need_block(struct qcow2 *q, uint64_t cluster)
{
	uint64_t i = cluster >> q->block_bits;
	int r = 0;

	while (q->adding_block)
		pthread_cond_wait(&q->changed, &q->lock);
	if (block_place(q, cluster))
		return 0;
	q->adding_block = true;
	r = i < q->n_reftable ? add_block(q, i) : grow_table(q);
	q->adding_block = false;
	pthread_cond_broadcast(&q->changed);
	return r;
}

/* ---- allocation ---- */

static bool past_device(const struct qcow2 *q, uint64_t cluster)
{
	return q->file.is_device &&
	       cluster >= q->file.size >> q->cluster_bits;
}

/* 1: taken, 0: in use. */
static int take(struct qcow2 *q, uint64_t cluster)
{
	struct qcow2_slice *s;
	uint64_t i;
	int r;

	if (past_device(q, cluster))
		return -ENOSPC;
	if (cluster >= BIT64(56) >> q->cluster_bits)
		return -EFBIG;
	while ((r = counts_of(q, cluster, &s, &i)) == -ENOENT) {
		r = need_block(q, cluster);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	if (qcow2_count_get(s->data, q->h.refcount_order, i))
		return 0;
	if (is_metadata(q, cluster))
		return -EIO;
	qcow2_count_set(s->data, q->h.refcount_order, i, 1);
	qcow2_slice_dirty(q, s);
	return 1;
}

static int take_first(struct qcow2 *q, uint64_t *ret)
{
	uint64_t start = q->hint, c = start;
	int r;

	while ((r = take(q, c)) == 0)
		c++;
	if (r > 0 && q->hint == start)
		q->hint = c + 1;
	*ret = c;
	return r;
}

int qcow2_alloc(struct qcow2 *q, uint64_t max, uint64_t *ret_offset,
		uint64_t *ret_n, bool *ret_blank)
{
	uint64_t c, n = 1;
	int r = take_first(q, &c);

	if (r < 0)
		return r;
	while (n < max && take(q, c + n) > 0)
		n++;
	if (q->hint == c + 1)
		q->hint = c + n;
	*ret_blank = c >= q->blank;
	q->blank = MAX(q->blank, c + n);
	*ret_offset = c << q->cluster_bits;
	*ret_n = n;
	return 0;
}

static void give_back(struct qcow2 *q, uint64_t first, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		qcow2_refcount_add(q, first + i, -1);
}

static int find_row(struct qcow2 *q, uint64_t n, uint64_t *ret)
{
	uint64_t c, have = 1;
	int r = take_first(q, &c);

	while (r >= 0 && have < n) {
		r = take(q, c + have);
		if (r > 0) {
			have++;
			continue;
		}
		give_back(q, c, have);
		c += have + 1;
		have = 0;
	}
	*ret = c;
	return r;
}

/* ---- long rows ---- */

/* Behind all that any block counts: first the blocks for it, then the row. */
static int add_row(struct qcow2 *q, uint64_t n, uint64_t *ret)
{
	uint64_t per_block = BIT64(q->block_bits), i = q->n_reftable;
	uint64_t n_blocks = (n + per_block - 2) / (per_block - 1);
	uint64_t first;
	_cleanup_free_ uint8_t *data = xcalloc(n_blocks, q->cluster_size);
	int r;

	while (i && !(q->reftable[i - 1] & QCOW2_REF_OFFSET))
		i--;
	if (i + n_blocks > q->n_reftable)
		return -EAGAIN;
	first = i << q->block_bits;
	if (past_device(q, first + n_blocks + n))
		return -ENOSPC;
	for (uint64_t k = 0; k < n_blocks + n; k++)
		qcow2_count_set(data, q->h.refcount_order, k, 1);
	pthread_mutex_unlock(&q->lock);
	r = qcow2_pwrite(q, data, n_blocks * q->cluster_size,
			 first << q->cluster_bits);
	pthread_mutex_lock(&q->lock);
	for (uint64_t k = 0; k < n_blocks && r >= 0; k++) {
		qcow2_cache_forget(q, (first + k) << q->cluster_bits);
		q->reftable[i + k] = (first + k) << q->cluster_bits;
		qcow2_span_add(&q->reftable_dirty, i + k);
	}
	*ret = first + n_blocks;
	return r;
}

/*
 * One that is longer than what a block counts meets the next block, which is
 * where it begins to count, again and again.
 */
static int long_row(struct qcow2 *q, uint64_t n, uint64_t *ret)
{
	int r;

	while (q->adding_block)
		pthread_cond_wait(&q->changed, &q->lock);
	q->adding_block = true;
	while ((r = add_row(q, n, ret)) == -EAGAIN) {
		r = grow_table(q);
		if (r < 0)
			break;
	}
	q->adding_block = false;
	pthread_cond_broadcast(&q->changed);
	return r;
}

int qcow2_alloc_row(struct qcow2 *q, uint64_t n, uint64_t *ret_offset)
{
	uint64_t c = 0;
	int r = n > BIT64(q->block_bits) / 2 ? long_row(q, n, &c) :
					       find_row(q, n, &c);

	if (r < 0)
		return r;
	q->blank = MAX(q->blank, c + n);
	*ret_offset = c << q->cluster_bits;
	return 0;
}
