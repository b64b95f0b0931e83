/*
 * storage/format/qcow2.c -- qcow2 images, versions 2 and 3: opening them, and
 * their requests.
 *
 * Not here: data files; images with subclusters are only read.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/iov.h"
#include "storage/format/bitmaps.h"
#include "storage/format/endian.h"
#include "storage/format/qcow2.h"

/* ---- the file ---- */

static int file_run(struct qcow2 *q, enum block_op op, void *buf, size_t len,
		    uint64_t offset)
{
	struct iovec iov = { buf, len };
	struct block_req req = {
		.op = op,
		.offset = offset,
		.length = len,
		.iov = &iov,
		.n_iov = 1,
	};

	return q->file.format->run(&q->file, &req);
}

int qcow2_pread(struct qcow2 *q, void *buf, size_t len, uint64_t offset)
{
	return file_run(q, BLOCK_READ, buf, len, offset);
}

int qcow2_pwrite(struct qcow2 *q, const void *buf, size_t len,
		 uint64_t offset)
{
	return file_run(q, BLOCK_WRITE, (void *)buf, len, offset);
}

int qcow2_sync(struct qcow2 *q)
{
	return q->blk->options.no_flush ? 0 :
					  file_run(q, BLOCK_FLUSH, NULL, 0, 0);
}

int qcow2_punch(struct qcow2 *q, uint64_t offset, uint64_t len)
{
	return file_run(q, BLOCK_DISCARD, NULL, len, offset);
}

int qcow2_transfer(struct block *to, const struct block_req *req,
		   uint64_t skip, uint64_t len, uint64_t offset)
{
	_cleanup_free_ struct iovec *iov = xcalloc(req->n_iov, sizeof(*iov));
	struct block_req part = {
		.op = req->op,
		.offset = offset,
		.length = len,
		.iov = iov,
	};

	part.n_iov = iov_slice(req->iov, req->n_iov, skip, len, iov);
	return to->format->run(to, &part);
}

/* ---- opening ---- */

static int open_file(struct qcow2 *q, struct error *err)
{
	struct stat st;
	int r = block_open_file(q->blk, &q->file, err);

	if (r < 0)
		return r;
	q->file.options.sync_writes = false; /* qcow2_run() sees to it */
	q->blank = q->file.is_device || fstat(q->file.fd, &st) < 0 ?
			   UINT64_MAX :
			   (uint64_t)st.st_size;
	return 0;
}

static int load_header(struct qcow2 *q, struct error *err)
{
	_cleanup_free_ uint8_t *data = xcalloc(1, QCOW2_HEADER_MIN);
	int r = qcow2_pread(q, data, QCOW2_HEADER_MIN, 0);
	size_t size = qcow2_header_cluster(data, QCOW2_HEADER_MIN);

	if (r >= 0 && size) {
		data = xrealloc(data, 1, size);
		r = qcow2_pread(q, data, size, 0);
	}
	if (r < 0)
		return error_set(err, r, "cannot read its header: %m");
	return qcow2_header_parse(data, MAX(size, (size_t)QCOW2_HEADER_MIN),
				  &q->h, err);
}

static int check_supported(const struct qcow2 *q, struct error *err)
{
	const struct qcow2_header *h = &q->h;
	const struct block_options *o = &q->blk->options;

	if (h->incompatible & QCOW2_DATA_FILE)
		return error_set(err, -ENOTSUP,
				 "its data is in another file, which is not supported");
	if (o->readonly || o->inactive || o->repair)
		return 0;
	if (h->incompatible & QCOW2_EXTENDED_L2)
		return error_set(err, -ENOTSUP,
				 "it has subclusters: it can only be read");
	if (h->incompatible & QCOW2_CORRUPT)
		return error_set(err, -EIO,
				 "it is marked corrupt: repair it or open it read-only");
	return 0;
}

/* Nothing is opened by name. */
static int check_backing(const struct qcow2 *q, struct error *err)
{
	if (q->h.backing && !q->blk->backing && !q->blk->options.alone)
		return error_set(err, -EINVAL,
				 "it is based on '%s', which was not handed over",
				 q->h.backing);
	if (!q->h.backing && q->blk->backing)
		return error_set(err, -EINVAL, "it is based on no other image");
	return 0;
}

static int load_table(struct qcow2 *q, uint64_t offset, uint64_t n,
		      uint64_t **ret)
{
	uint64_t *table = xcalloc(n + 1, sizeof(*table));
	int r = qcow2_pread(q, table, n * sizeof(*table), offset);

	for (uint64_t i = 0; i < n; i++)
		table[i] = be64toh(table[i]);
	*ret = table;
	return r;
}

static int load_tables(struct qcow2 *q, struct error *err)
{
	int r = load_table(q, q->h.l1_offset, q->h.l1_size, &q->l1);

	q->n_reftable = (uint64_t)q->h.reftable_clusters *
			(q->cluster_size / 8);
	if (r >= 0)
		r = load_table(q, q->h.reftable_offset, q->n_reftable,
			       &q->reftable);
	return r < 0 ? error_set(err, r, "cannot read its tables: %m") : 0;
}

static void set_geometry(struct qcow2 *q)
{
	q->cluster_bits = q->h.cluster_bits;
	q->cluster_size = BIT64(q->cluster_bits);
	q->entry_size = q->h.incompatible & QCOW2_EXTENDED_L2 ? 16 : 8;
	q->l2_bits = q->cluster_bits - (q->entry_size == 16 ? 4 : 3);
	q->block_bits = q->cluster_bits + 3 - q->h.refcount_order;
	if (q->blank != UINT64_MAX)
		q->blank = ALIGN_UP(q->blank, q->cluster_size) >>
			   q->cluster_bits;
	q->last_free = &q->frees;
	q->blk->size = ALIGN_UP(q->h.size, (uint64_t)BLOCK_SECTOR);
	q->blk->best_align = q->file.best_align;
	q->blk->is_device = q->file.is_device;
}

static void qcow2_destroy(struct qcow2 *q)
{
	if (q->file.priv)
		block_raw.close(&q->file);
	if (q->cache.slices)
		qcow2_cache_finish(q);
	qcow2_header_free(&q->h);
	pthread_mutex_destroy(&q->lock);
	pthread_cond_destroy(&q->changed);
	while (q->frees) {
		struct qcow2_free *f = q->frees;

		q->frees = f->next;
		free(f);
	}
	sector_cipher_destroy(q->cipher);
	free(q->l1);
	free(q->reftable);
	free(q);
}

static bool writes(const struct block_options *o)
{
	return !o->readonly && !o->inactive && !o->repair;
}

/*
 * Bit 0 of "incompatible_features": somebody left the reference counts for
 * later, and had no later.
 */
static int make_counts_right(struct block *blk, struct error *err)
{
	const struct block_options *o = &blk->options;
	const struct qcow2 *q = blk->priv;
	struct block_verdict v = { 0 };
	int r;

	if (!writes(o) ||
	    !(q->h.incompatible & QCOW2_DIRTY))
		return 0;
	r = qcow2_verify(blk, BLOCK_FIX_ALL, &v, err);
	if (r >= 0 && (v.errors || v.corruptions))
		return error_set(err, -EIO,
				 "its reference counts cannot be made right");
	return r;
}

static int open_snapshot(struct qcow2 *q, struct error *err)
{
	const struct block_options *o = &q->blk->options;

	if (!o->readonly)
		return error_set(err, -EROFS, "a snapshot is read-only");
	return qcow2_snapshot_open(q, o->snapshot, err);
}

static int qcow2_open(struct block *blk, struct error *err)
{
	struct qcow2 *q = xcalloc(1, sizeof(*q));
	int r;

	q->blk = blk;
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->changed, NULL);
	r = open_file(q, err);
	if (r >= 0)
		r = load_header(q, err);
	if (r >= 0)
		r = check_supported(q, err);
	if (r >= 0)
		r = check_backing(q, err);
	if (r >= 0)
		r = qcow2_crypt_open(q, err);
	if (r >= 0) {
		set_geometry(q);
		qcow2_cache_init(q);
		r = load_tables(q, err);
	}
	if (r >= 0 && blk->options.snapshot)
		r = open_snapshot(q, err);
	if (r < 0) {
		qcow2_destroy(q);
		return r;
	}
	blk->priv = q;
	r = make_counts_right(blk, err);
	if (r >= 0 && writes(&blk->options))
		r = block_bitmaps_load(blk, err);
	if (r < 0)
		qcow2_destroy(q);
	return r;
}

/* What was given back is counted down before the last commit. */
static int settle(struct qcow2 *q)
{
	int r = qcow2_bitmaps_store(q);

	for (unsigned int i = 0; i < 2 && r >= 0 && !qcow2_is_clean(q); i++) {
		r = qcow2_commit(q);
		qcow2_drain(q);
	}
	return r;
}

static int qcow2_settle(struct block *blk)
{
	struct qcow2 *q = blk->priv;
	int r;

	pthread_mutex_lock(&q->lock);
	r = settle(q);
	pthread_mutex_unlock(&q->lock);
	return r;
}

static void qcow2_close(struct block *blk)
{
	if (!blk->options.readonly && !blk->options.inactive)
		qcow2_settle(blk);
	qcow2_destroy(blk->priv);
}

/* ---- requests ---- */

static int flush(struct qcow2 *q)
{
	int r;

	pthread_mutex_lock(&q->lock);
	if (qcow2_is_clean(q)) {
		pthread_mutex_unlock(&q->lock);
		return qcow2_sync(q);
	}
	r = qcow2_commit(q);
	qcow2_drain(q);
	pthread_mutex_unlock(&q->lock);
	return r;
}

static int run(struct qcow2 *q, const struct block_req *req)
{
	switch (req->op) {
	case BLOCK_READ:
		return qcow2_read(q, req);
	case BLOCK_WRITE:
		return qcow2_write(q, req);
	case BLOCK_DISCARD:
		return qcow2_discard(q, req);
	case BLOCK_WRITE_ZEROES:
		return qcow2_zero(q, req);
	case BLOCK_FLUSH:
		return flush(q);
	case BLOCK_CALL: /* block_run()'s */
		break;
	}
	return -EINVAL;
}

static int qcow2_run(struct block *blk, const struct block_req *req)
{
	struct qcow2 *q = blk->priv;
	int r = run(q, req);

	if (r >= 0 && blk->options.sync_writes && req->op != BLOCK_READ &&
	    req->op != BLOCK_FLUSH)
		r = flush(q);
	return r;
}

/* Locked. */
static enum block_direct place(struct qcow2 *q, struct block_req *req)
{
	struct block_req file = *req;
	struct qcow2_map m;

	if (qcow2_map_cached(q, req->offset, req->length, &m) < 0 ||
	    m.len < req->length)
		return DIRECT_NO;
	if (req->op == BLOCK_READ &&
	    (m.where == QCOW2_ZEROES ||
	     (m.where == QCOW2_NOWHERE && !q->blk->backing))) {
		iov_zero(req->iov, req->n_iov, 0, req->length);
		return DIRECT_DONE;
	}
	if (m.where != QCOW2_DATA || q->h.crypt_method || (req->op == BLOCK_WRITE && !m.ours))
		return DIRECT_NO;
	file.offset = req->host = m.host;
	if (block_raw.direct(&q->file, &file) != DIRECT_YES)
		return DIRECT_NO;
	req->use = qcow2_enter(q);
	return DIRECT_YES;
}

static enum block_direct qcow2_direct(struct block *blk,
				      struct block_req *req)
{
	bool changes = req->op == BLOCK_WRITE || req->op == BLOCK_FLUSH;
	struct qcow2 *q = blk->priv;
	enum block_direct d = DIRECT_NO;

	if ((changes && blk->options.sync_writes) ||
	    (!changes && req->op != BLOCK_READ))
		return DIRECT_NO;
	pthread_mutex_lock(&q->lock);
	if (req->op == BLOCK_FLUSH) {
		d = qcow2_is_clean(q) ? DIRECT_YES : DIRECT_NO;
		if (d == DIRECT_YES)
			req->use = qcow2_enter(q);
	} else if (req->op == BLOCK_READ || qcow2_is_marked(q)) {
		d = place(q, req);
	}
	pthread_mutex_unlock(&q->lock);
	return d;
}

static void qcow2_direct_done(struct block *blk, struct block_req *req)
{
	struct qcow2 *q = blk->priv;

	pthread_mutex_lock(&q->lock);
	qcow2_leave(q, req->use);
	pthread_mutex_unlock(&q->lock);
}

static int qcow2_extent(struct block *blk, uint64_t offset, uint64_t length,
			struct block_extent *ret)
{
	struct qcow2 *q = blk->priv;
	struct qcow2_map m;
	int r;

	pthread_mutex_lock(&q->lock);
	r = qcow2_map(q, offset, length, &m);
	pthread_mutex_unlock(&q->lock);
	if (r < 0)
		return r;
	*ret = (struct block_extent){
		.length = m.len,
		.present = m.where != QCOW2_NOWHERE,
		.zero = m.where == QCOW2_ZEROES,
		.compressed = m.where == QCOW2_PACKED,
		.has_host = m.where == QCOW2_DATA && !q->h.crypt_method,
		.host = m.host,
	};
	return 0;
}

static int qcow2_empty(struct block *blk)
{
	struct qcow2 *q = blk->priv;
	int r = qcow2_forget(q, 0, ALIGN_UP(blk->size, q->cluster_size));

	return r < 0 ? r : flush(q);
}

static void qcow2_bitmaps_changed(struct block *blk)
{
	struct qcow2 *q = blk->priv;

	__atomic_store_n(&q->marked, false, __ATOMIC_RELEASE);
}

static int qcow2_write_compressed(struct block *blk, const void *cluster,
				  uint64_t offset)
{
	return qcow2_write_packed(blk->priv, cluster, offset);
}

static void qcow2_info(const struct block *blk, struct block_info *ret)
{
	const struct qcow2 *q = blk->priv;
	const struct qcow2_header *h = &q->h;

	ret->backing = h->backing;
	ret->backing_format = h->backing_format;
	ret->cluster_size = q->cluster_size;
	ret->version = h->version;
	ret->refcount_bits = 1u << h->refcount_order;
	ret->dirty = h->incompatible & QCOW2_DIRTY;
	ret->corrupt = h->incompatible & QCOW2_CORRUPT;
	ret->lazy = h->compatible & QCOW2_LAZY_REFCOUNTS;
	ret->extended_l2 = h->incompatible & QCOW2_EXTENDED_L2;
	ret->encrypted = h->crypt_method;
	ret->zstd = h->compression == QCOW2_ZSTD;
}

const struct block_format block_qcow2 = {
	.name = "qcow2",
	.create = qcow2_create,
	.preallocate = qcow2_preallocate,
	.verify = qcow2_verify,
	.write_compressed = qcow2_write_compressed,
	.info = qcow2_info,
	.empty = qcow2_empty,
	.snapshot = qcow2_snapshot,
	.snapshot_list = qcow2_snapshot_list,
	.bitmaps_load = qcow2_bitmaps_load,
	.bitmaps_allowed = qcow2_bitmaps_allowed,
	.bitmaps_changed = qcow2_bitmaps_changed,
	.measure = qcow2_measure,
	.measure_bitmaps = qcow2_measure_bitmaps,
	.resize = qcow2_resize,
	.settle = qcow2_settle,
	.open = qcow2_open,
	.close = qcow2_close,
	.run = qcow2_run,
	.direct = qcow2_direct,
	.direct_done = qcow2_direct_done,
	.extent = qcow2_extent,
};
