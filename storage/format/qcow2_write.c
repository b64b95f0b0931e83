/*
 * storage/format/qcow2_write.c -- writing: in place where the cluster is
 * ours alone, else to new clusters that get the rest of the old contents.
 *
 * Who gives guest clusters a new place claims them first, so that two writes
 * to one cluster do not each make a copy.
 */
#include <errno.h>
#include <string.h>

#include "base/iov.h"
#include "storage/format/endian.h"
#include "storage/format/qcow2.h"

enum { RUN_MAX = 4 * 1024 * 1024 };

/* ---- claims ---- */

static bool is_claimed(const struct qcow2 *q, const struct qcow2_claim *c)
{
	for (const struct qcow2_claim *o = q->claims; o; o = o->next)
		if (c->first <= o->last && o->first <= c->last)
			return true;
	return false;
}

void qcow2_claim(struct qcow2 *q, struct qcow2_claim *c)
{
	while (is_claimed(q, c))
		pthread_cond_wait(&q->changed, &q->lock);
	c->next = q->claims;
	q->claims = c;
}

void qcow2_claim_end(struct qcow2 *q, struct qcow2_claim *c)
{
	struct qcow2_claim **at = &q->claims;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	pthread_cond_broadcast(&q->changed);
}

/* ---- new clusters ---- */

/* What goes around a part of a request, in whole clusters. */
struct fill {
	uint64_t head, tail;
	uint8_t *head_data, *tail_data; /* NULL: what is there is right */
};

/* Nothing but zeroes: without reading. */
static int known_zero(struct qcow2 *q, uint64_t offset, uint64_t len,
		      bool *ret)
{
	struct qcow2_map m;
	uint64_t backing = q->blk->backing ? q->blk->backing->size : 0;
	int r = 0;

	*ret = true;
	for (uint64_t done = 0; done < len && *ret && r >= 0; done += m.len) {
		pthread_mutex_lock(&q->lock);
		r = qcow2_map(q, offset + done, len - done, &m);
		pthread_mutex_unlock(&q->lock);
		*ret = r >= 0 && (m.where == QCOW2_ZEROES ||
				  (m.where == QCOW2_NOWHERE &&
				   offset + done >= backing));
	}
	return r;
}

static int fill_side(struct qcow2 *q, uint64_t offset, uint64_t len,
		     bool blank, uint8_t **ret)
{
	bool zero;
	int r = known_zero(q, offset, len, &zero);

	if (r < 0 || !len || (zero && blank))
		return r;
	*ret = xcalloc(1, len);
	return zero ? 0 : qcow2_read_at(q, *ret, len, offset);
}

static void fill_free(struct fill *f)
{
	free(f->head_data);
	free(f->tail_data);
}

static int fill_read(struct qcow2 *q, uint64_t offset, uint64_t len,
		     bool blank, struct fill *f)
{
	uint64_t mask = q->cluster_size - 1;
	int r;

	f->head = offset & mask;
	f->tail = -(offset + len) & mask;
	r = fill_side(q, offset - f->head, f->head, blank, &f->head_data);
	return r < 0 ? r : fill_side(q, offset + len, f->tail, blank,
				     &f->tail_data);
}

/* One write of it all; host is where the data goes, between the fill. */
static int write_filled(struct qcow2 *q, const struct block_req *req,
			uint64_t skip, uint64_t len, uint64_t host,
			const struct fill *f)
{
	_cleanup_free_ struct iovec *iov =
		xcalloc(req->n_iov + 2, sizeof(*iov));
	struct block_req all = {
		.op = BLOCK_WRITE,
		.offset = host,
		.length = len,
		.iov = iov,
	};

	if (f->head_data) {
		iov[all.n_iov++] = (struct iovec){ f->head_data, f->head };
		all.offset -= f->head;
		all.length += f->head;
	}
	all.n_iov += iov_slice(req->iov, req->n_iov, skip, len,
			       iov + all.n_iov);
	if (f->tail_data) {
		iov[all.n_iov++] = (struct iovec){ f->tail_data, f->tail };
		all.length += f->tail;
	}
	if (q->h.crypt_method)
		return qcow2_crypt_write(q, &all, 0, all.length, all.offset);
	return q->file.format->run(&q->file, &all);
}

static int write_data(struct qcow2 *q, const struct block_req *req,
		      uint64_t skip, uint64_t len, uint64_t host, bool blank)
{
	struct fill f = { 0 };
	int r = fill_read(q, req->offset + skip, len, blank, &f);

	if (r >= 0)
		r = write_filled(q, req, skip, len, host, &f);
	fill_free(&f);
	return r;
}

int qcow2_link(struct qcow2 *q, uint64_t offset, uint64_t n, uint64_t host)
{
	struct qcow2_slice *s;
	uint8_t *entry;
	int r = qcow2_entry(q, offset, &s, &entry);

	if (r < 0)
		return r;
	for (uint64_t i = 0; i < n; i++, entry += q->entry_size) {
		qcow2_free_entry(q, get_be64(entry));
		put_be64(entry, (host + (i << q->cluster_bits)) |
					QCOW2_COPIED);
	}
	qcow2_slice_dirty(q, s);
	return 0;
}

/* How much from offset on has no place of ours; claimed. */
static int need(struct qcow2 *q, uint64_t offset, uint64_t len,
		uint64_t *ret)
{
	struct qcow2_map m;
	int r = 0;

	for (*ret = 0; *ret < len; *ret += m.len) {
		r = qcow2_map(q, offset + *ret, len - *ret, &m);
		if (r < 0 || m.ours)
			break;
	}
	return r;
}

static uint64_t clusters(const struct qcow2 *q, uint64_t offset, uint64_t len)
{
	uint64_t first = offset >> q->cluster_bits;

	return ((offset + len - 1) >> q->cluster_bits) - first + 1;
}

static int write_clusters(struct qcow2 *q, const struct block_req *req,
			  uint64_t skip, uint64_t *len)
{
	uint64_t offset = req->offset + skip, host, n;
	uint64_t inside = offset & (q->cluster_size - 1);
	bool blank;
	int r = qcow2_table_for_write(q, offset);

	if (r >= 0)
		r = qcow2_alloc(q, clusters(q, offset, *len), &host, &n,
				&blank);
	if (r < 0)
		return r;
	*len = MIN(*len, (n << q->cluster_bits) - inside);
	/* Zeroes of the file's would be noise. */
	blank = blank && !q->h.crypt_method;
	pthread_mutex_unlock(&q->lock);
	r = write_data(q, req, skip, *len, host + inside, blank);
	pthread_mutex_lock(&q->lock);
	if (r >= 0)
		r = qcow2_link(q, offset, n, host);
	if (r < 0)
		qcow2_free(q, host, n);
	return r;
}

/* 0 bytes: somebody else has found a place meanwhile. */
static int write_new(struct qcow2 *q, const struct block_req *req,
		     uint64_t skip, uint64_t *len)
{
	uint64_t offset = req->offset + skip, max = *len;
	struct qcow2_claim c = { .first = offset >> q->cluster_bits };
	int r;

	max = MIN(MIN(max, (uint64_t)RUN_MAX), qcow2_slice_span(q, offset));
	c.last = (offset + max - 1) >> q->cluster_bits;
	qcow2_claim(q, &c);
	r = need(q, offset, max, len);
	if (r >= 0 && *len)
		r = write_clusters(q, req, skip, len);
	qcow2_claim_end(q, &c);
	return r;
}

static int write_in_place(struct qcow2 *q, const struct block_req *req,
			  uint64_t skip, const struct qcow2_map *m)
{
	unsigned int use = qcow2_enter(q);
	int r;

	pthread_mutex_unlock(&q->lock);
	r = q->h.crypt_method ?
		    qcow2_crypt_write(q, req, skip, m->len, m->host) :
		    qcow2_transfer(&q->file, req, skip, m->len, m->host);
	pthread_mutex_lock(&q->lock);
	qcow2_leave(q, use);
	return r;
}

int qcow2_write(struct qcow2 *q, const struct block_req *req)
{
	uint64_t done = 0, len;
	struct qcow2_map m;
	int r;

	pthread_mutex_lock(&q->lock);
	r = qcow2_mark(q);
	for (; done < req->length && r >= 0; done += len) {
		len = req->length - done;
		r = qcow2_map(q, req->offset + done, len, &m);
		if (r < 0)
			break;
		if (m.ours) {
			r = write_in_place(q, req, done, &m);
			len = m.len;
		} else {
			r = write_new(q, req, done, &len);
		}
	}
	pthread_mutex_unlock(&q->lock);
	return r;
}
