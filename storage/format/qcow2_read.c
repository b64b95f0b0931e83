/*
 * storage/format/qcow2_read.c -- reading from the file, from what is behind
 * it, and out of compressed clusters.
 */
#include <errno.h>

#include "base/iov.h"
#include "storage/format/qcow2.h"

static int read_backing(struct qcow2 *q, const struct block_req *req,
			uint64_t skip, uint64_t len)
{
	uint64_t offset = req->offset + skip, have = 0;
	int r = 0;

	if (q->blk->backing && offset < q->blk->backing->size)
		have = MIN(len, q->blk->backing->size - offset);
	if (have)
		r = qcow2_transfer(q->blk->backing, req, skip, have, offset);
	if (r >= 0 && have < len)
		iov_zero(req->iov, req->n_iov, skip + have, len - have);
	return r;
}

static int read_packed(struct qcow2 *q, const struct block_req *req,
		       uint64_t skip, uint64_t len, uint64_t entry)
{
	_cleanup_free_ uint8_t *cluster = xmalloc(q->cluster_size);
	_cleanup_free_ uint8_t *packed = NULL;
	uint64_t place, n;
	int r;

	qcow2_packed_place(q, entry, &place, &n);
	packed = xmalloc(n);
	r = qcow2_pread(q, packed, n, place);
	if (r >= 0)
		r = qcow2_unpack(q, packed, n, cluster);
	if (r >= 0)
		iov_write(req->iov, req->n_iov, skip,
			  cluster + ((req->offset + skip) &
				     (q->cluster_size - 1)), len);
	return r;
}

static int read_from(struct qcow2 *q, const struct block_req *req,
		     uint64_t skip, const struct qcow2_map *m)
{
	switch (m->where) {
	case QCOW2_NOWHERE:
		return read_backing(q, req, skip, m->len);
	case QCOW2_ZEROES:
		iov_zero(req->iov, req->n_iov, skip, m->len);
		return 0;
	case QCOW2_DATA:
		if (q->h.crypt_method)
			return qcow2_crypt_read(q, req, skip, m->len, m->host);
		return qcow2_transfer(&q->file, req, skip, m->len, m->host);
	case QCOW2_PACKED:
		return read_packed(q, req, skip, m->len, m->host);
	}
	return -EIO;
}

int qcow2_read(struct qcow2 *q, const struct block_req *req)
{
	uint64_t done = 0;
	struct qcow2_map m = { 0 };
	unsigned int use;
	int r = 0;

	while (done < req->length && r >= 0) {
		pthread_mutex_lock(&q->lock);
		r = qcow2_map(q, req->offset + done, req->length - done, &m);
		use = qcow2_enter(q);
		pthread_mutex_unlock(&q->lock);
		if (r >= 0)
			r = read_from(q, req, done, &m);
		pthread_mutex_lock(&q->lock);
		qcow2_leave(q, use);
		pthread_mutex_unlock(&q->lock);
		done += m.len;
	}
	return r;
}

int qcow2_read_at(struct qcow2 *q, void *buf, uint64_t len, uint64_t offset)
{
	struct iovec iov = { buf, len };
	struct block_req req = {
		.op = BLOCK_READ,
		.offset = offset,
		.length = len,
		.iov = &iov,
		.n_iov = 1,
	};

	return qcow2_read(q, &req);
}
