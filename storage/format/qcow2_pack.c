/*
 * storage/format/qcow2_pack.c -- writing compressed clusters, one after the
 * other, from byte to byte.
 */
#include <errno.h>

#include "storage/format/endian.h"
#include "storage/format/qcow2.h"

/*
 * Behind the last one, if its cluster has room or the next one is free; a
 * cluster is counted once for each piece of data that touches it.
 */
static int place(struct qcow2 *q, size_t len, uint64_t *ret)
{
	uint64_t left = q->partial ? -q->partial & (q->cluster_size - 1) : 0;
	uint64_t fresh, n;
	bool blank;
	int r;

	if (left >= len) {
		r = qcow2_refcount_add(q, q->partial >> q->cluster_bits, 1);
		if (r < 0)
			q->partial = 0;
	}
	if (left >= len && q->partial) {
		*ret = q->partial;
	} else {
		r = qcow2_alloc(q, 1, &fresh, &n, &blank);
		if (r < 0)
			return r;
		*ret = fresh;
	}
	q->partial = *ret + len;
	if (!(q->partial & (q->cluster_size - 1)))
		q->partial = 0;
	return 0;
}

static uint64_t descriptor(const struct qcow2 *q, uint64_t offset, size_t len)
{
	unsigned int x = 62 - (q->cluster_bits - 8);
	uint64_t sectors = (offset + len - 1) / BLOCK_SECTOR -
			   offset / BLOCK_SECTOR;

	return QCOW2_COMPRESSED | sectors << x | offset;
}

static int link_packed(struct qcow2 *q, uint64_t offset, uint64_t entry)
{
	struct qcow2_slice *s;
	uint8_t *at;
	int r = qcow2_entry(q, offset, &s, &at);

	if (r < 0)
		return r;
	qcow2_free_entry(q, get_be64(at));
	put_be64(at, entry);
	qcow2_slice_dirty(q, s);
	return 0;
}

/* Claimed. */
static int write_packed(struct qcow2 *q, const void *data, size_t len,
			uint64_t offset)
{
	uint64_t host;
	int r = qcow2_table_for_write(q, offset);

	if (r >= 0)
		r = place(q, len, &host);
	if (r < 0)
		return r;
	pthread_mutex_unlock(&q->lock);
	r = qcow2_pwrite(q, data, len, host);
	pthread_mutex_lock(&q->lock);
	if (r >= 0)
		r = link_packed(q, offset, descriptor(q, host, len));
	if (r < 0)
		qcow2_free(q, ALIGN_DOWN(host, q->cluster_size), 1);
	return r;
}

static int write_plain(struct qcow2 *q, const void *cluster, uint64_t offset)
{
	struct iovec iov = { (void *)cluster, q->cluster_size };
	struct block_req req = {
		.op = BLOCK_WRITE,
		.offset = offset,
		.iov = &iov,
		.n_iov = 1,
	};

	req.length = iov.iov_len = MIN(q->cluster_size,
				       q->blk->size - offset);
	return qcow2_write(q, &req);
}

int qcow2_write_packed(struct qcow2 *q, const void *cluster, uint64_t offset)
{
	_cleanup_free_ void *packed = xmalloc(q->cluster_size);
	struct qcow2_claim c = { .first = offset >> q->cluster_bits };
	size_t len;
	int r;

	if (offset & (q->cluster_size - 1))
		return -EINVAL;
	if (q->h.crypt_method)
		return -ENOTSUP;
	r = qcow2_pack(q, cluster, packed, &len);
	if (r == -E2BIG)
		return write_plain(q, cluster, offset);
	if (r < 0)
		return r;
	c.last = c.first;
	pthread_mutex_lock(&q->lock);
	qcow2_claim(q, &c);
	r = qcow2_mark(q);
	if (r >= 0)
		r = write_packed(q, packed, len, offset);
	qcow2_claim_end(q, &c);
	pthread_mutex_unlock(&q->lock);
	return r;
}
