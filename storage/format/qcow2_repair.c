/*
 * storage/format/qcow2_repair.c -- all reference counts anew, behind all
 * that is used; the header changes over when they are there.
 */
#include <errno.h>
#include <string.h>

#include "storage/format/endian.h"
#include "storage/format/qcow2.h"

/* Places in clusters. */
struct counts {
	const uint32_t *old; /* of what is used */
	uint64_t n;	     /* of those */
	uint64_t blocks, n_blocks, table, n_table, end;
};

static uint64_t ceil_shift(uint64_t n, unsigned int bits)
{
	return (n + BIT64(bits) - 1) >> bits;
}

static void plan(const struct qcow2 *q, struct counts *c)
{
	uint64_t before;

	c->n_blocks = c->n_table = 1;
	do {
		before = c->n_blocks + c->n_table;
		c->n_blocks = ceil_shift(c->n + before, q->block_bits);
		c->n_table = ceil_shift(c->n_blocks * 8, q->cluster_bits);
	} while (before != c->n_blocks + c->n_table);
	c->blocks = c->n;
	c->table = c->n + c->n_blocks;
	c->end = c->table + c->n_table;
}

/* The old table's and blocks' clusters are counted still: leaks. */
static int write_blocks(struct qcow2 *q, const struct counts *c)
{
	_cleanup_free_ uint8_t *data = xmalloc(q->cluster_size);
	uint64_t per_block = BIT64(q->block_bits);
	int r = 0;

	for (uint64_t b = 0; b < c->n_blocks && r >= 0; b++) {
		memset(data, 0, q->cluster_size);
		for (uint64_t i = 0; i < per_block; i++) {
			uint64_t k = b * per_block + i;
			uint64_t n = k < c->n ? c->old[k] : k < c->end;

			qcow2_count_set(data, q->h.refcount_order, i, n);
		}
		r = qcow2_pwrite(q, data, q->cluster_size,
				 (c->blocks + b) << q->cluster_bits);
	}
	return r;
}

static uint64_t *make_table(const struct qcow2 *q, const struct counts *c)
{
	uint64_t *t = xcalloc(c->n_table, q->cluster_size);

	for (uint64_t b = 0; b < c->n_blocks; b++)
		t[b] = (c->blocks + b) << q->cluster_bits;
	return t;
}

static int write_table(struct qcow2 *q, const struct counts *c,
		       const uint64_t *table)
{
	size_t len = c->n_table << q->cluster_bits;
	_cleanup_free_ uint8_t *data = xcalloc(1, len);
	int r;

	for (uint64_t b = 0; b < c->n_blocks; b++)
		put_be64(data + b * 8, table[b]);
	r = qcow2_pwrite(q, data, len, c->table << q->cluster_bits);
	return r < 0 ? r : qcow2_sync(q);
}

static int write_header(struct qcow2 *q, const struct counts *c)
{
	uint8_t data[12];
	int r;

	put_be64(data, c->table << q->cluster_bits);
	put_be32(data + 8, c->n_table);
	r = qcow2_pwrite(q, data, sizeof(data), 48);
	return r < 0 ? r : qcow2_sync(q);
}

static void switch_over(struct qcow2 *q, const struct counts *c,
			uint64_t *table)
{
	for (uint64_t i = 0; i < q->n_reftable; i++)
		if (q->reftable[i] & QCOW2_REF_OFFSET)
			qcow2_cache_forget(q, q->reftable[i] &
						      QCOW2_REF_OFFSET);
	free(q->reftable);
	q->reftable = table;
	q->n_reftable = c->n_table * (q->cluster_size / 8);
	q->h.reftable_offset = c->table << q->cluster_bits;
	q->h.reftable_clusters = c->n_table;
	q->reftable_dirty = (struct qcow2_span){ 0 };
	q->hint = 0;
}

int qcow2_rebuild(struct qcow2 *q, const uint32_t *counts, uint64_t n)
{
	struct counts c = { .old = counts, .n = n };
	uint64_t *table;
	int r;

	plan(q, &c);
	if (c.n_table << q->cluster_bits > QCOW2_REFTABLE_BYTES_MAX)
		return -EFBIG;
	table = make_table(q, &c);
	r = write_blocks(q, &c);
	if (r >= 0)
		r = write_table(q, &c, table);
	if (r >= 0)
		r = write_header(q, &c);
	if (r < 0)
		free(table);
	else
		switch_over(q, &c, table);
	return r;
}
