/*
 * storage/format/qcow2_resize.c -- a disk of another size, and places for
 * data before there is any.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "storage/format/endian.h"
#include "storage/format/qcow2.h"

/* Bytes 24 to 47 of the header: size, encryption, L1 table. */
int qcow2_write_size(struct qcow2 *q, uint64_t size, uint32_t l1_size,
		     uint64_t l1_offset)
{
	uint8_t data[24];
	int r;

	put_be64(data, size);
	put_be32(data + 8, q->h.crypt_method);
	put_be32(data + 12, l1_size);
	put_be64(data + 16, l1_offset);
	r = qcow2_pwrite(q, data, sizeof(data), 24);
	return r < 0 ? r : qcow2_sync(q);
}

static int write_l1(struct qcow2 *q, const uint64_t *l1, uint32_t n,
		    uint64_t offset)
{
	uint64_t len = ALIGN_UP(n * 8ull, q->cluster_size);
	_cleanup_free_ uint8_t *data = xcalloc(1, len);
	int r;

	for (uint32_t i = 0; i < n; i++)
		put_be64(data + i * 8ull, l1[i]);
	r = qcow2_pwrite(q, data, len, offset);
	return r < 0 ? r : qcow2_sync(q);
}

/* Nobody writes or changes the L1 table meanwhile. */
static void hold_l1(struct qcow2 *q, bool held)
{
	while (held && (q->committing || q->adding_table))
		pthread_cond_wait(&q->changed, &q->lock);
	q->committing = q->adding_table = held;
	pthread_cond_broadcast(&q->changed);
}

/* The new table, with all that the old one says, is there before the header. */
static int move_l1(struct qcow2 *q, uint64_t size, uint32_t n,
		   uint64_t offset)
{
	uint64_t *l1 = xcalloc(n + 1, sizeof(*l1));
	uint64_t old = q->h.l1_offset;
	uint32_t n_old = q->h.l1_size;
	int r;

	memcpy(l1, q->l1, n_old * sizeof(*l1));
	pthread_mutex_unlock(&q->lock);
	r = write_l1(q, l1, n, offset);
	if (r >= 0)
		r = qcow2_write_size(q, size, n, offset);
	pthread_mutex_lock(&q->lock);
	if (r < 0) {
		free(l1);
		return r;
	}
	free(q->l1);
	q->l1 = l1;
	q->h.l1_size = n;
	q->h.l1_offset = offset;
	q->l1_dirty = (struct qcow2_span){ 0 };
	qcow2_free(q, old, MAX((n_old * 8 + q->cluster_size - 1) >>
			       q->cluster_bits, 1u));
	return 0;
}

/*
 * Entries that only memory has go into the new table too: their L2 tables
 * must be in the file by then, so all is committed first.
 */
static int grow_l1(struct qcow2 *q, uint64_t size, uint32_t n)
{
	uint64_t clusters = (n * 8ull + q->cluster_size - 1) >>
			    q->cluster_bits;
	uint64_t offset;
	int r = qcow2_alloc_row(q, clusters, &offset);

	if (r < 0)
		return r;
	do {
		r = qcow2_commit(q);
		hold_l1(q, true);
		if (r < 0 || q->l1_dirty.first == q->l1_dirty.end)
			break;
		hold_l1(q, false);
	} while (true);
	if (r >= 0)
		r = move_l1(q, size, n, offset);
	hold_l1(q, false);
	if (r < 0)
		qcow2_free(q, offset, clusters);
	return r;
}

static int set_size(struct qcow2 *q, uint64_t size)
{
	uint64_t n = qcow2_l1_entries(&q->h, size);
	int r;

	if (n > QCOW2_L1_BYTES_MAX / 8)
		return -EFBIG;
	if (n > q->h.l1_size) {
		r = grow_l1(q, size, n);
	} else {
		pthread_mutex_unlock(&q->lock);
		r = qcow2_write_size(q, size, q->h.l1_size, q->h.l1_offset);
		pthread_mutex_lock(&q->lock);
	}
	if (r >= 0)
		q->h.size = q->blk->size = size;
	return r;
}

/* What comes is zero, whatever is behind it or was there once. */
static int grow(struct qcow2 *q, uint64_t size)
{
	uint64_t old = q->h.size, end = MIN(ALIGN_UP(old, q->cluster_size),
					    size);
	int r;

	pthread_mutex_lock(&q->lock);
	r = set_size(q, size);
	pthread_mutex_unlock(&q->lock);
	if (q->blk->backing && q->blk->backing->size > old)
		end = MIN(size, ALIGN_UP(q->blk->backing->size,
					 q->cluster_size));
	return r < 0 ? r : qcow2_zero_range(q, old, end - old);
}

static int shrink(struct qcow2 *q, uint64_t size)
{
	uint64_t first = ALIGN_UP(size, q->cluster_size);
	uint64_t end = ALIGN_UP(q->h.size, q->cluster_size);
	int r = qcow2_forget(q, first, end - first);

	pthread_mutex_lock(&q->lock);
	if (r >= 0)
		r = qcow2_commit(q);
	if (r >= 0)
		r = set_size(q, size);
	qcow2_drain(q);
	pthread_mutex_unlock(&q->lock);
	return r;
}

int qcow2_resize(struct block *blk, uint64_t size, struct error *err)
{
	struct qcow2 *q = blk->priv;
	int r;

	if (size % BLOCK_SECTOR)
		return error_set(err, -EINVAL,
				 "a size must be a multiple of 512 bytes");
	if (q->h.n_snapshots && q->h.version < 3)
		return error_set(err, -ENOTSUP,
				 "it has internal snapshots, which keep no size in version 2");
	pthread_mutex_lock(&q->lock);
	r = qcow2_mark_all(q);
	pthread_mutex_unlock(&q->lock);
	if (r >= 0)
		r = size < q->h.size ? shrink(q, size) : grow(q, size);
	return r < 0 ? error_set(err, r, "cannot change its size: %m") : 0;
}

/* ---- places in advance ---- */

static int place_part(struct qcow2 *q, uint64_t offset, uint64_t *len)
{
	struct qcow2_claim c = { .first = offset >> q->cluster_bits };
	uint64_t host, n;
	bool blank;
	int r;

	*len = MIN(*len, qcow2_slice_span(q, offset));
	c.last = (offset + *len - 1) >> q->cluster_bits;
	qcow2_claim(q, &c);
	r = qcow2_table_for_write(q, offset);
	if (r >= 0)
		r = qcow2_alloc(q, c.last - c.first + 1, &host, &n, &blank);
	if (r >= 0)
		r = qcow2_link(q, offset, n, host);
	if (r >= 0)
		*len = MIN(*len, n << q->cluster_bits);
	qcow2_claim_end(q, &c);
	return r;
}

/* Of nothing but zeroes that have no place. */
int qcow2_preallocate(struct block *blk, uint64_t offset, uint64_t *ret_end)
{
	struct qcow2 *q = blk->priv;
	uint64_t end = q->h.size, part;
	int r = 0;

	pthread_mutex_lock(&q->lock);
	for (offset = ALIGN_UP(offset, q->cluster_size); offset < end && r >= 0;
	     offset += part) {
		part = end - offset;
		r = place_part(q, offset, &part);
	}
	if (r >= 0)
		r = qcow2_commit(q);
	*ret_end = q->blank << q->cluster_bits;
	pthread_mutex_unlock(&q->lock);
	return r;
}
