/*
 * storage/format/qcow2_zero.c -- clusters that read as zeroes without being
 * in the file, and clusters that the guest does not need.
 */
#include <errno.h>

#include "storage/format/endian.h"
#include "storage/format/qcow2.h"

enum { ZEROES = 64 * 1024 };

/* What is not whole clusters is written, if it is not zero already. */
static int write_part(struct qcow2 *q, uint64_t offset, uint64_t len)
{
	_cleanup_free_ uint8_t *zeroes = xcalloc(1, ZEROES);
	struct iovec iov = { .iov_base = zeroes };
	struct block_req req = {
		.op = BLOCK_WRITE,
		.offset = offset,
		.iov = &iov,
		.n_iov = 1,
	};
	int r = 0;

	for (uint64_t end = offset + len; req.offset < end && r >= 0;
	     req.offset += req.length) {
		req.length = iov.iov_len = MIN(ZEROES, end - req.offset);
		r = qcow2_write(q, &req);
	}
	return r;
}

static bool reads_zero(const struct qcow2 *q, const struct qcow2_map *m,
		       uint64_t offset)
{
	const struct block *backing = q->blk->backing;

	return m->where == QCOW2_ZEROES ||
	       (m->where == QCOW2_NOWHERE &&
		(!backing || offset >= backing->size));
}

static int zero_part(struct qcow2 *q, uint64_t offset, uint64_t len)
{
	struct qcow2_map m;
	int r = 0;

	for (uint64_t end = offset + len; offset < end && r >= 0;
	     offset += m.len) {
		pthread_mutex_lock(&q->lock);
		r = qcow2_map(q, offset, end - offset, &m);
		pthread_mutex_unlock(&q->lock);
		if (r >= 0 && !reads_zero(q, &m, offset))
			r = write_part(q, offset, m.len);
	}
	return r;
}

/* What an entry becomes. */
enum fate {
	FATE_ZERO,    /* the zero flag alone */
	FATE_NOWHERE, /* what is behind shows */
};

static enum fate fate_of(const struct qcow2 *q)
{
	return q->h.version >= 3 && q->blk->backing ? FATE_ZERO :
						      FATE_NOWHERE;
}

static void change_entries(struct qcow2 *q, struct qcow2_slice *s,
			   uint8_t *entry, uint64_t n, enum fate fate)
{
	uint64_t value = fate == FATE_ZERO ? QCOW2_ZERO_FLAG : 0;

	for (uint64_t i = 0; i < n; i++, entry += q->entry_size) {
		uint64_t old = get_be64(entry);

		if (old == value)
			continue;
		qcow2_free_entry(q, old);
		put_be64(entry, value);
		qcow2_slice_dirty(q, s);
	}
}

/* Whole clusters of one slice, claimed. */
static int change_slice(struct qcow2 *q, uint64_t offset, uint64_t len,
			enum fate fate)
{
	struct qcow2_slice *s;
	uint8_t *entry;
	int r = qcow2_table_for_write(q, offset);

	if (r >= 0)
		r = qcow2_entry(q, offset, &s, &entry);
	if (r >= 0)
		change_entries(q, s, entry, len >> q->cluster_bits, fate);
	return r;
}

static int change_part(struct qcow2 *q, uint64_t offset, uint64_t *len,
		       enum fate fate)
{
	struct qcow2_claim c = { .first = offset >> q->cluster_bits };
	uint64_t max = *len;
	struct qcow2_map m;
	int r;

	*len = MIN(max, qcow2_slice_span(q, offset));
	c.last = (offset + *len - 1) >> q->cluster_bits;
	qcow2_claim(q, &c);
	r = qcow2_map(q, offset, max, &m);
	if (r >= 0 && fate == fate_of(q) && reads_zero(q, &m, offset) &&
	    m.len >= *len && (!q->blk->backing || m.where == QCOW2_ZEROES))
		*len = ALIGN_DOWN(m.len, q->cluster_size);
	else if (r >= 0)
		r = change_slice(q, offset, *len, fate);
	qcow2_claim_end(q, &c);
	return r;
}

static int change(struct qcow2 *q, uint64_t offset, uint64_t len,
		  enum fate fate)
{
	uint64_t part;
	int r;

	pthread_mutex_lock(&q->lock);
	r = qcow2_mark(q);
	for (; len && r >= 0; offset += part, len -= part) {
		part = len;
		r = change_part(q, offset, &part, fate);
	}
	pthread_mutex_unlock(&q->lock);
	return r;
}

/* The clusters that are inside: first to end, or nothing. */
static bool whole_clusters(const struct qcow2 *q, const struct block_req *req,
			   uint64_t *first, uint64_t *end)
{
	uint64_t last = req->offset + req->length;

	*first = ALIGN_UP(req->offset, q->cluster_size);
	*end = last == q->blk->size ? ALIGN_UP(last, q->cluster_size) :
				      ALIGN_DOWN(last, q->cluster_size);
	return *first < *end;
}

int qcow2_forget(struct qcow2 *q, uint64_t offset, uint64_t len)
{
	return change(q, offset, len, FATE_NOWHERE);
}

int qcow2_zero_range(struct qcow2 *q, uint64_t offset, uint64_t len)
{
	struct block_req req = { .offset = offset, .length = len };

	return qcow2_zero(q, &req);
}

/* Version 2 has no zero flag: over a backing file zeroes are data. */
int qcow2_zero(struct qcow2 *q, const struct block_req *req)
{
	uint64_t first, end, last = req->offset + req->length;
	int r;

	if (!whole_clusters(q, req, &first, &end) ||
	    (q->h.version < 3 && q->blk->backing))
		return zero_part(q, req->offset, req->length);
	r = zero_part(q, req->offset, first - req->offset);
	if (r >= 0)
		r = change(q, first, end - first, fate_of(q));
	if (r >= 0 && end < last)
		r = zero_part(q, end, last - end);
	return r;
}

/*
 * What was discarded reads as zeroes where the format can say so; older data
 * from behind never shows.
 */
int qcow2_discard(struct qcow2 *q, const struct block_req *req)
{
	uint64_t first, end;

	if (!q->blk->options.discard || !whole_clusters(q, req, &first, &end) ||
	    (q->h.version < 3 && q->blk->backing))
		return 0;
	return change(q, first, end - first, fate_of(q));
}
